// SPDX-License-Identifier: Apache-2.0
// fused_linear_logps on CUDA against the generic body on the same backend: several tiles, odd sizes, padded rows, ignored
// rows, impossible items, few rows and many items, every subset of results, NaN, scratch, the same bits twice.
#pragma once

#include <array>
#include <string>

#include "support/cells_cuda_kernels.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

/// A head in memory that host and device read, `pad` columns more in memory than in the matrices.
template <class Backend, head_scalar X>
struct device_head {
  using S = device_space;
  using T = computed_in<X>;
  using tag = std::conditional_t<half_scalar<X>, op::fused_linear_logps_half, op::fused_linear_logps>;
  index_t n, d, v, pad;
  std::vector<X> hidden, weight;
  std::vector<T> bias, upstream;
  std::vector<std::int64_t> targets;
  struct outputs {
    std::vector<T> logps, lse, grad_hidden, grad_weight, grad_bias, entropy, log_sum_p2;
    std::string complaint;
    bool operator==(outputs const&) const = default;
    std::array<std::vector<T> const*, 7> all() const {
      return {&logps, &lse, &grad_hidden, &grad_weight, &grad_bias, &entropy, &log_sum_p2};
    }
  };

  device_head(index_t n_, index_t d_, index_t v_, index_t pad_, bool with_bias) : n(n_), d(d_), v(v_), pad(pad_) {
    random_source random(static_cast<std::uint64_t>(n * 7 + d * 3 + v));
    for (T x : random.normals<T>(n * (d + pad))) hidden.push_back(X(x));
    for (T x : random.normals<T>(v * (d + pad))) weight.push_back(X(x));
    upstream = random.normals<T>(n);
    if (with_bias) bias = random.normals<T>(v);
    for (index_t i = 0; i < n; ++i) targets.push_back(i % 11 == 5 ? -100 : random.below(std::max<index_t>(v, 1)));
    if (with_bias && v > 5) bias[3] = bias[4] = -std::numeric_limits<T>::infinity();
    if (with_bias && v > 5 && n > 2) targets[1] = 3;  // impossible
  }
  static view<T, 1, S> there(std::vector<T>& x) { return {x.data(), static_cast<index_t>(x.size())}; }
  static view<T const, 1, S> there(std::vector<T> const& x) {
    return {x.empty() ? nullptr : x.data(), static_cast<index_t>(x.size())};
  }

  /// `wanted`: a bit for each result, in the order of `outputs::all`.
  template <class Run>
  outputs run(Backend& be, unsigned wanted, Run const& how) const {
    auto size = [&](int bit, index_t k) { return static_cast<std::size_t>((wanted >> bit & 1U) != 0 ? k : 0); };
    auto marked = [&](int bit, index_t k) { return std::vector<T>(size(bit, k), T(0x1p-12)); };
    outputs o{marked(0, n),
              marked(1, n),
              marked(2, n * (d + pad)),
              marked(3, v * (d + pad)),
              marked(4, v),
              marked(5, n),
              marked(6, n),
              {}};
    fused_linear_results<T, S> r;
    if (wanted & 1U) r.logps = there(o.logps);
    if (wanted & 2U) r.lse = there(o.lse);
    if (wanted & 4U) r.grad_hidden = {o.grad_hidden.data(), n, d, d + pad};
    if (wanted & 8U) r.grad_weight = {o.grad_weight.data(), v, d, d + pad};
    if (wanted & 16U) r.grad_bias = there(o.grad_bias);
    if (wanted & 32U) r.entropy = there(o.entropy);
    if (wanted & 64U) r.log_sum_p2 = there(o.log_sum_p2);
    detail::nan_guard<cuda_backend> guard(be.device(), "head", {"hidden", "weight", "bias", "upstream", "targets"});
    fused_linear_args<X, S> const args{{hidden.data(), n, d, d + pad},
                                       {weight.data(), v, d, d + pad},
                                       there(bias),
                                       view<std::int64_t const, 1, S>(targets.data(), n),
                                       there(upstream),
                                       r,
                                       guard.watch()};
    how(args);
    guard.finish();
    try {
      be.synchronize();
    } catch (value_error const& e) {
      o.complaint = e.what();
    }
    return o;
  }
  outputs generic(Backend& be, fused_linear_options const& options, unsigned wanted = 127) const {
    return run(be, wanted, [&](auto const& a) { tag::generic(be.device(), a, options); });
  }
  outputs replaced(Backend& be, fused_linear_options const& options, unsigned wanted = 127) const {
    return run(be, wanted, [&](auto const& a) { override_for(tag{}, be.device(), a, options); });
  }
};

template <class Backend, class X>
void check_device_head(device_head<Backend, X> const& p, fused_linear_options const& options, unsigned wanted = 127) {
  CAPTURE(p.n);
  CAPTURE(p.v);
  CAPTURE(wanted);
  Backend be;
  auto const expected = p.generic(be, options, wanted), actual = p.replaced(be, options, wanted);
  for (std::size_t k = 0; k < 7; ++k) {
    CAPTURE(k);
    CHECK(relative_error(*actual.all()[k], *expected.all()[k]) < tolerance<computed_in<X>>(p.d + p.n));
  }
  CHECK(actual.complaint == expected.complaint);
  std::size_t const before = be.allocations();
  CHECK(p.replaced(be, options, wanted) == actual);
  CHECK(be.allocations() == before);
}

template <class B, class X>
void check_device_heads() {
  check_device_head<B, X>({1, 1, 1, 0, false}, {});
  check_device_head<B, X>({37, 17, 129, 3, true}, {.row_tile = 16, .vocabulary_tile = 64});
  check_device_head<B, X>({37, 17, 129, 3, true}, {});
  check_device_head<B, X>({70, 9, 531, 1, true},
                          {.logit_softcap = 3, .temperature = 0.7, .row_tile = 64, .vocabulary_tile = 128});
  check_device_head<B, X>({65, 20, 700, 0, false}, {.temperature = 2, .row_tile = 32});
  check_device_head<B, X>({3, 5, 9001, 2, true}, {});                         // a row to several blocks
  check_device_head<B, X>({5, 2, 9001, 2, true}, {.vocabulary_tile = 5000});  // the last tile has fewer of them
  check_device_head<B, X>({64, 8, 0, 2, false}, {});
  check_device_head<B, X>({0, 8, 70, 2, true}, {});
  check_device_head<B, X>({9, 0, 70, 0, true}, {});
  for (unsigned wanted = 0; wanted < 128; wanted += wanted < 8 ? 1 : 5)
    check_device_head<B, X>({21, 3, 40, 1, true}, {.row_tile = 8, .vocabulary_tile = 16}, wanted);
}

}  // namespace

TEST_CASE_TEMPLATE("cuda overrides: fused_linear_logps against its generic body", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using X = typename Cell::scalar;
  static_assert(overrides<op::fused_linear_logps, cuda_backend>);
  check_device_heads<B, X>();
}

TEST_CASE_TEMPLATE("cuda overrides: fused_linear_logps of half types against its generic body", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  static_assert(overrides<op::fused_linear_logps_half, cuda_backend>);
  if constexpr (std::is_same_v<typename Cell::scalar, float>) {
    check_device_heads<B, bfloat16>();
    check_device_heads<B, float16>();
  }
}

TEST_CASE_TEMPLATE("cuda overrides: fused_linear_logps on infinite logits and on NaN as the generic body", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using X = typename Cell::scalar;
  X const infinity = std::numeric_limits<X>::infinity(), nan = std::numeric_limits<X>::quiet_NaN();
  device_head<B, X> const plain(23, 4, 300, 1, true);
  fused_linear_options const options{.row_tile = 16, .vocabulary_tile = 128};

  device_head<B, X> p = plain;
  p.bias[7] = p.bias[200] = infinity;
  check_device_head(p, options, 3);  // values: 7 and 200 share the probability
  p = plain;
  std::fill(p.bias.begin(), p.bias.end(), -infinity);
  check_device_head(p, options);
  p = plain;
  for (std::size_t j = 0; j < p.bias.size(); ++j) p.bias[j] = static_cast<X>(j) * 200;  // each logit a new largest one
  check_device_head(p, options);

  auto const complains = [&](auto change, char const* what) {
    device_head<B, X> q = plain;
    change(q);
    B be;
    auto const expected = q.generic(be, options), actual = q.replaced(be, options);
    CHECK(actual.complaint == expected.complaint);
    CHECK(actual.complaint.find(what) != std::string::npos);
  };
  complains([&](auto& q) { q.hidden[2 * 5 + 1] = nan; }, "hidden holds a NaN at flat position 9");
  complains([&](auto& q) { q.weight[250 * 5] = nan; }, "weight holds a NaN at flat position 1000");
  complains([&](auto& q) { q.bias[299] = nan; }, "bias holds a NaN at flat position 299");
  complains([&](auto& q) { q.upstream[4] = nan; }, "upstream holds a NaN at flat position 4");
  complains([&](auto& q) { q.targets[6] = 300; }, "targets");
  device_head<B, X> q = plain;
  q.hidden[5 * 5] = nan, q.upstream[5] = nan;  // row 5 is ignored
  check_device_head(q, options, 1 + 4 + 8 + 16);
}

TEST_CASE_TEMPLATE("cuda overrides: fused_linear_logps keeps to its scratch", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using X = typename Cell::scalar;
  B be;
  device_head<B, X> const p(300, 6, 4000, 0, true);
  be.reset_scratch_peak();
  p.replaced(be, {.row_tile = 100, .vocabulary_tile = 1000});
  // Tiles of 100 by 1008, in 10 parts a row, and the sums of the bias' gradient in double with their partial ones.
  std::size_t const scalars = 100 * (1008 + 6 + 5), doubles = 1000 * 2, moments = 100 * 11;
  CHECK(be.scratch_peak() <= scalars * sizeof(X) + doubles * 8 + moments * 32 + 64 * 16);
}

}  // namespace causaldpo::test
