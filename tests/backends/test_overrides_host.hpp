// SPDX-License-Identifier: Apache-2.0
// The algorithms that the backends on threads of the host replace, each held against the generic body on the same
// backend: several tiles, odd sizes, padded rows, one to three threads, the same bits twice, and bounded scratch.
#pragma once

#include "causaldpo/backends/host/parallel_host.hpp"
#include "support/cell.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

/// A head with every output; `pad` columns more in memory than in the matrices.
template <class Backend, class T>
struct head_problem {
  index_t n, d, v, pad;
  bool with_bias, full;  // full: the statistics too
  std::vector<T> hidden, weight, bias, upstream;
  std::vector<std::int64_t> targets;

  head_problem(index_t n_, index_t d_, index_t v_, index_t pad_, bool with_bias_, bool full_)
      : n(n_), d(d_), v(v_), pad(pad_), with_bias(with_bias_), full(full_) {
    random_source random(static_cast<std::uint64_t>(n * 7 + d * 3 + v));
    hidden = random.normals<T>(n * (d + pad)), weight = random.normals<T>(v * (d + pad)), upstream = random.normals<T>(n);
    if (with_bias) bias = random.normals<T>(v);
    for (index_t i = 0; i < n; ++i) targets.push_back(i % 11 == 5 ? -100 : random.below(std::max<index_t>(v, 1)));
    if (with_bias && v > 5) bias[3] = -std::numeric_limits<T>::infinity();
    if (with_bias && v > 5 && n > 2) targets[1] = 3;
  }
  struct outputs {
    std::vector<T> logps, lse, grad_hidden, grad_weight, grad_bias, entropy, log_sum_p2;
    bool operator==(outputs const&) const = default;
  };
  template <class Run>
  outputs run(Backend& be, fused_linear_options const& options, Run const& how) const {
    auto size = [](index_t k) { return static_cast<std::size_t>(k); };
    outputs o{std::vector<T>(size(n)),
              std::vector<T>(size(n)),
              std::vector<T>(size(n * (d + pad)), T(0x1p-12)),
              std::vector<T>(size(v * (d + pad)), T(0x1p-12)),
              std::vector<T>(size(v)),
              std::vector<T>(size(full ? n : 0)),
              std::vector<T>(size(full ? n : 0))};
    fused_linear_results<T> r{.logps = o.logps,
                              .lse = o.lse,
                              .grad_hidden = matrix(o.grad_hidden.data(), n, d, d + pad),
                              .grad_weight = matrix(o.grad_weight.data(), v, d, d + pad),
                              .grad_bias = o.grad_bias};
    if (full) r.entropy = o.entropy, r.log_sum_p2 = o.log_sum_p2;
    nan_watch const watch = be.open_watch({"op", nullptr, 0});
    fused_linear_args<T, host_space> const args{matrix(hidden.data(), n, d, d + pad),
                                                matrix(weight.data(), v, d, d + pad),
                                                with_bias ? view<T const, 1>(bias) : view<T const, 1>{},
                                                index_view<>(targets),
                                                upstream,
                                                r,
                                                watch};
    how(args, options);
    be.drop_watch(watch);
    return o;
  }
  outputs generic(Backend& be, fused_linear_options const& options) const {
    return run(be, options, [&be](auto const& a, auto const& o) { op::fused_linear_logps::generic(be, a, o); });
  }
  outputs replaced(Backend& be, fused_linear_options const& options) const {
    return run(be, options, [&be](auto const& a, auto const& o) { override_for(op::fused_linear_logps{}, be, a, o); });
  }
};

template <class Backend, class T>
void check_head(head_problem<Backend, T> const& p, fused_linear_options const& options, int threads) {
  CAPTURE(p.n);
  CAPTURE(p.v);
  CAPTURE(threads);
  Backend be({.threads = threads});
  auto const expected = p.generic(be, options), actual = p.replaced(be, options);
  double const allowed = tolerance<T>(p.d + p.n);
  CHECK(relative_error(actual.logps, expected.logps) < allowed);
  CHECK(relative_error(actual.lse, expected.lse) < allowed);
  CHECK(relative_error(actual.grad_hidden, expected.grad_hidden) < allowed);
  CHECK(relative_error(actual.grad_weight, expected.grad_weight) < allowed);
  CHECK(relative_error(actual.grad_bias, expected.grad_bias) < allowed);
  CHECK(relative_error(actual.entropy, expected.entropy) < allowed);
  CHECK(relative_error(actual.log_sum_p2, expected.log_sum_p2) < allowed);
  std::size_t const before = be.allocations();
  CHECK(p.replaced(be, options) == actual);
  CHECK(be.allocations() == before);
}

}  // namespace

TEST_CASE_TEMPLATE("overrides: fused_linear_logps against its generic body", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  static_assert(overrides<op::fused_linear_logps, B>);
  for (int threads : {1, 2, 3}) {
    check_head<B, T>({1, 1, 1, 0, false, true}, {}, threads);
    check_head<B, T>({37, 17, 129, 3, true, true}, {.row_tile = 16, .vocabulary_tile = 64}, threads);
    check_head<B, T>({129, 33, 1031, 1, true, false},
                     {.logit_softcap = 3, .temperature = 0.7, .row_tile = 64, .vocabulary_tile = 128}, threads);
    check_head<B, T>({65, 20, 700, 0, false, true}, {.temperature = 2, .row_tile = 32}, threads);
    check_head<B, T>({64, 8, 0, 2, false, false}, {}, threads);
    check_head<B, T>({0, 8, 70, 2, true, true}, {}, threads);
  }
  check_head<B, T>({300, 24, 5003, 2, true, true}, {}, 2);  // logits of a chunk exceed what is kept: computed again
}

TEST_CASE_TEMPLATE("overrides: fused_linear_logps needs bounded scratch for any number of threads", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  for (int threads : {1, 2, 16}) {
    B be({.threads = threads});
    head_problem<B, T> const p(512, 64, 32000, 0, false, false);
    p.replaced(be, {});
    CHECK(be.scratch_peak() < std::size_t{8} << 20);
  }
}

TEST_CASE_TEMPLATE("overrides: mmd_penalty against its generic body, the same bits for every number of threads", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  static_assert(overrides<op::mmd_penalty, B>);
  index_t const many = sizeof(T) == 4 ? 1400 : 1000;  // more tiles than are kept
  for (auto const& size :
       {std::array<index_t, 4>{0, 3, 2, 0}, {1, 3, 2, 1}, {127, 5, 3, 2}, {129, 1, 1, 0}, {300, 17, 4, 3}, {many, 6, 2, 0}})
    for (bool unbiased : {false, true}) {
      index_t const b = size[0], d = size[1], k = size[2], pad = size[3];
      CAPTURE(b);
      CAPTURE(unbiased);
      random_source random(static_cast<std::uint64_t>(b + d));
      auto x = random.normals<T>(b * (d + pad), 1, 3), q = random.memberships<T>(b, k);
      if (b > 2) std::copy_n(x.data(), d, x.data() + d + pad);  // two equal rows
      struct outputs {
        std::vector<T> value, grad_outputs, grad_q, bandwidths;
        std::vector<std::int64_t> pairs;
        bool operator==(outputs const&) const = default;
      };
      auto run = [&](B& be, auto const& how) {
        outputs o{std::vector<T>(1), std::vector<T>(x.size(), T(0x1p-12)), std::vector<T>(q.size()), std::vector<T>(2),
                  std::vector<std::int64_t>(1)};
        nan_watch const watch = be.open_watch({"op", nullptr, 0});
        detail::mmd_args<T, host_space> const args{
            matrix(static_cast<T const*>(x.data()), b, d, d + pad),
            matrix(static_cast<T const*>(q.data()), b, k),
            {o.value, matrix(o.grad_outputs.data(), b, d, d + pad), matrix(o.grad_q.data(), b, k), o.bandwidths, o.pairs},
            watch};
        how(be, args, mmd_options{.median_multipliers = {0.5, 2}, .unbiased = unbiased});
        be.drop_watch(watch);
        return o;
      };
      auto const replaced = [](auto& be, auto const& a, auto const& o) { override_for(op::mmd_penalty{}, be, a, o); };
      B one({.threads = 1});
      outputs const expected = run(one, [](auto&be, auto const&a, auto const&o) { op::mmd_penalty::generic(be, a, o); }),
                    actual = run(one, replaced);
      double const allowed = 4 * tolerance<T>(b + d);
      CHECK(relative_error(actual.value, expected.value) < allowed);
      CHECK(relative_error(actual.grad_outputs, expected.grad_outputs) < allowed);
      CHECK(relative_error(actual.grad_q, expected.grad_q) < allowed);
      CHECK(relative_error(actual.bandwidths, expected.bandwidths) < allowed);
      CHECK(actual.pairs == expected.pairs);
      for (int threads : {1, 2, 3}) {
        B be({.threads = threads});
        CHECK(run(be, replaced) == actual);
        std::size_t const before = be.allocations();
        CHECK(run(be, replaced) == actual);
        CHECK(be.allocations() == before);
        CHECK(be.scratch_peak() < (std::size_t{6} << 20));  // never B x B
      }
    }
}

TEST_CASE_TEMPLATE("overrides: batched_gemm against its generic body, few large products and many small ones", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  static_assert(overrides<op::batched_gemm, B>);
  for (int threads : {1, 2, 3})
    for (auto [count, m, n, inner] :
         {std::array<index_t, 4>{1, 130, 140, 150}, {2, 90, 130, 200}, {400, 7, 5, 9}, {33, 50, 50, 32}}) {
      B be({.threads = threads});
      random_source random(static_cast<std::uint64_t>(count + m));
      auto const a = random.normals<T>(count * m * inner), b = random.normals<T>(count * inner * n),
                 start = random.normals<T>(count * m * n);
      auto expected = start, actual = start;
      detail::batched_gemm_args<T, host_space> args{count,
                                                    transpose::no,
                                                    transpose::no,
                                                    T(1.5),
                                                    matrix(a.data(), m, inner),
                                                    m * inner,
                                                    matrix(b.data(), inner, n),
                                                    inner * n,
                                                    T(-1),
                                                    matrix(expected.data(), m, n),
                                                    m * n};
      op::batched_gemm::generic(be, args);
      args.c = matrix(actual.data(), m, n);
      override_for(op::batched_gemm{}, be, args);
      CHECK(relative_error(actual, expected) < tolerance<T>(inner));
    }
}

TEST_CASE_TEMPLATE("overrides: softmax_rows against its generic body, the same bits for every number of threads", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  static_assert(overrides<op::softmax_rows, B>);
  for (auto [n, c, period] : {std::array<index_t, 3>{0, 3, 0}, {4000, 5, 0}, {500, 50, 50}, {130, 259, 0}, {7, 3001, 0}})
    for (int wanted : {1, 2, 3}) {  // p, the gradient, both
      CAPTURE(c);
      CAPTURE(wanted);
      index_t const ld = c + 2;
      random_source random(static_cast<std::uint64_t>(n + c));
      auto scores = random.normals<T>(n * ld, 3);
      auto const upstream = random.normals<T>(n * ld);
      if (n > 9) std::fill_n(scores.data() + 9 * ld, c, -std::numeric_limits<T>::infinity());
      std::vector<std::int32_t> lengths;
      for (index_t i = 0; i < n; ++i) lengths.push_back(static_cast<std::int32_t>(i % 2 == 0 ? c : random.below(c + 1)));
      auto const run = [&](B& be, auto const& how) {
        std::vector<T> answers(2 * scores.size(), T(0x1p-12));
        nan_watch const watch = be.open_watch({"op", nullptr, 0});
        detail::softmax_rows_args<T, host_space> args{
            view<T const, 2>(scores.data(), n, c, ld), view<T const, 2>(upstream.data(), n, c, ld), lengths, {}, watch};
        if (wanted & 1) args.out.p = matrix(answers.data(), n, c, ld);
        if (wanted & 2) args.out.grad_scores = matrix(answers.data() + scores.size(), n, c, ld);
        how(be, args, softmax_rows_options{.causal_period = period});
        be.drop_watch(watch);
        return answers;
      };
      auto const replaced = [](auto& be, auto const& a, auto const& o) { override_for(op::softmax_rows{}, be, a, o); };
      B one({.threads = 1});
      auto const expected = run(one, [](auto& be, auto const& a, auto const& o) { op::softmax_rows::generic(be, a, o); });
      auto const actual = run(one, replaced);
      CHECK(relative_error(actual, expected) < tolerance<T>(c));
      for (int threads : {2, 3}) {
        B be({.threads = threads});
        CHECK(run(be, replaced) == actual);
        CHECK(be.allocations() == 0);
      }
    }
}

}  // namespace causaldpo::test
