// SPDX-License-Identifier: Apache-2.0
// fused_linear_logps on bfloat16 and float16: by hand, against double on the same rounded numbers, edges, scratch, and
// what is refused. The cells' scalar is that of the results, float.
#pragma once

#include <array>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/logprob/fused_linear_logps.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

template <class X>
std::vector<X> rounded_to(std::vector<float> const& from) {
  std::vector<X> to;
  for (float x : from) to.push_back(X(x));
  return to;
}

/// A head with every output; hidden states and weights in X, `pad` columns of NaN behind each row.
template <class X>
struct half_problem {
  using R = std::conditional_t<half_scalar<X>, float, X>;
  index_t n, d, v, ld;
  std::vector<X> hidden, weight;
  std::vector<R> bias, upstream;
  std::vector<std::int64_t> targets;
  std::vector<R> logps, lse, grad_hidden, grad_weight, grad_bias, entropy, log_sum_p2;

  template <class B>
  void run(B& be, fused_linear_options const& options) {
    auto const size = [](index_t k) { return static_cast<std::size_t>(k); };
    for (auto* x : {&logps, &lse, &entropy, &log_sum_p2}) x->assign(size(n), R(9));
    grad_hidden.assign(size(n * d), R(9)), grad_weight.assign(size(v * d), R(9)), grad_bias.assign(size(v), R(9));
    fused_linear_logps(be, matrix(hidden.data(), n, d, ld), matrix(weight.data(), v, d, ld), targets,
                       {.logps = logps,
                        .lse = lse,
                        .grad_hidden = matrix(grad_hidden.data(), n, d),
                        .grad_weight = matrix(grad_weight.data(), v, d),
                        .grad_bias = grad_bias,
                        .entropy = entropy,
                        .log_sum_p2 = log_sum_p2},
                       options, bias, upstream);
  }
};

template <class X>
half_problem<X> random_half_problem(index_t n, index_t d, index_t v, index_t pad) {
  random_source random(static_cast<std::uint64_t>(n * 31 + d * 7 + v));
  half_problem<X> p;
  p.n = n, p.d = d, p.v = v, p.ld = d + pad;
  p.hidden = rounded_to<X>(random.normals<float>(n * p.ld)), p.weight = rounded_to<X>(random.normals<float>(v * p.ld));
  for (auto* m : {&p.hidden, &p.weight})
    for (std::size_t e = 0; e < m->size(); ++e)
      if (static_cast<index_t>(e) % p.ld >= d) (*m)[e] = X(std::numeric_limits<float>::quiet_NaN());
  p.bias = random.normals<float>(v), p.upstream = random.normals<float>(n);
  for (index_t i = 0; i < n; ++i) p.targets.push_back(i % 5 == 4 ? -100 : random.below(v));
  return p;
}

/// The same numbers in double.
template <class X>
half_problem<double> widened(half_problem<X> const& p) {
  half_problem<double> w;
  w.n = p.n, w.d = p.d, w.v = p.v, w.ld = p.ld, w.targets = p.targets;
  w.hidden.assign(p.hidden.begin(), p.hidden.end()), w.weight.assign(p.weight.begin(), p.weight.end());
  w.bias.assign(p.bias.begin(), p.bias.end()), w.upstream.assign(p.upstream.begin(), p.upstream.end());
  return w;
}

template <class X, class B>
void check_half(B& be) {
  reference_backend reference;
  for (auto [n, d, v, pad] : {std::array<index_t, 4>{1, 1, 1, 0}, {13, 17, 37, 3}, {259, 24, 2100, 1}, {3, 64, 1025, 0}}) {
    fused_linear_options options{.logit_softcap = d == 17 ? 9.0 : 0, .temperature = 0.9};
    if (n == 13) options.row_tile = 5, options.vocabulary_tile = 16;
    CAPTURE(v);
    half_problem<X> p = random_half_problem<X>(n, d, v, pad);
    half_problem<double> w = widened(p);

    p.run(be, options);
    w.run(reference, options);

    double const eps = tolerance<float>(v);
    CHECK(relative_error(p.logps, w.logps) < eps);
    CHECK(relative_error(p.lse, w.lse) < eps);
    CHECK(relative_error(p.grad_hidden, w.grad_hidden) < eps);
    CHECK(relative_error(p.grad_weight, w.grad_weight) < eps);
    CHECK(relative_error(p.grad_bias, w.grad_bias) < eps);
    CHECK(relative_error(p.entropy, w.entropy) < eps);
    CHECK(relative_error(p.log_sum_p2, w.log_sum_p2) < eps);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("fused_linear_logps, half types: the values and gradients of the rounded inputs", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, float>) {
    typename Cell::backend be;
    check_half<bfloat16>(be);
    check_half<float16>(be);
  }
}

TEST_CASE_TEMPLATE("fused_linear_logps, half types: products add up in float", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, float>) {
    typename Cell::backend be;
    // 256 + 1 is no bfloat16 (it would round to 256), and 60000 times 2 is infinite as a float16.
    std::vector<bfloat16> const h = rounded_to<bfloat16>({256, 1}), w = rounded_to<bfloat16>({1, 1, 1, 0});
    std::vector<std::int64_t> const targets{1};
    std::vector<float> logps(1), lse(1), grad_hidden(2);
    fused_linear_logps(be, matrix(h.data(), 1, 2), matrix(w.data(), 2, 2), targets,
                       {.logps = logps, .grad_hidden = matrix(grad_hidden.data(), 1, 2)});
    double const p = 1 / (1 + std::exp(1.0));  // logits 257 and 256
    CHECK(relative_error(logps, std::vector<double>{std::log(p)}) < tolerance<float>());
    CHECK(relative_error(grad_hidden, std::vector<double>{0, p - 1}) < tolerance<float>());

    std::vector<float16> const hh = rounded_to<float16>({60000}), ww = rounded_to<float16>({2, 2});
    fused_linear_logps(be, matrix(hh.data(), 1, 1), matrix(ww.data(), 2, 1), targets, {.logps = logps, .lse = lse});
    CHECK(relative_error(logps, std::vector<double>{-std::log(2.0)}) < tolerance<float>());
    CHECK(lse[0] == 120000 + std::log(2.0F));  // 60000 is a float16
  }
}

TEST_CASE_TEMPLATE("fused_linear_logps, half types: bounded scratch, nothing new the second time", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, float>) {
    typename Cell::backend be;
    half_problem<bfloat16> p = random_half_problem<bfloat16>(512, 64, 32000, 0);
    be.reset_scratch_peak();
    p.run(be, {});
    CHECK(be.scratch_peak() < std::size_t{8} << 20);
    auto const allocations = be.allocations();
    std::vector<float> const first = p.grad_weight;
    p.run(be, {});
    CHECK(be.allocations() == allocations);
    CHECK(p.grad_weight == first);
  }
}

TEST_CASE_TEMPLATE("fused_linear_logps, half types: ignored rows are not read, and what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, float>) {
    typename Cell::backend be;
    float16 const nan(std::numeric_limits<float>::quiet_NaN());
    half_problem<float16> const plain = random_half_problem<float16>(7, 3, 11, 1);
    auto const fails = [&](auto change, char const* message) {
      half_problem<float16> q = plain;
      change(q);
      CHECK_THROWS_WITH_AS(q.run(be, {.row_tile = 4, .vocabulary_tile = 4}), doctest::Contains(message), value_error);
    };
    fails([&](auto& q) { q.hidden[5 * 4 + 1] = nan; }, "fused_linear_logps: hidden holds a NaN at flat position 16");
    fails([&](auto& q) { q.weight[10 * 4 + 2] = nan; }, "fused_linear_logps: weight holds a NaN at flat position 32");
    fails([&](auto& q) { q.bias[10] = std::numeric_limits<float>::quiet_NaN(); }, "fused_linear_logps: bias holds a NaN");
    fails([&](auto& q) { q.targets[2] = 11; }, "fused_linear_logps: targets at flat position 2");

    half_problem<float16> q = plain;
    q.hidden[4 * 4] = nan;  // row 4 is ignored
    std::vector<float> logps(7), grad(21);
    fused_linear_logps(be, matrix(q.hidden.data(), 7, 3, 4), matrix(q.weight.data(), 11, 3, 4), q.targets,
                       {.logps = logps, .grad_hidden = matrix(grad.data(), 7, 3)}, {}, q.bias);
    CHECK(logps[4] == 0);
    for (std::size_t i = 0; i < 3; ++i) CHECK(grad[12 + i] == 0);
    CHECK_THROWS_WITH_AS(
        fused_linear_logps(be, matrix(q.hidden.data(), 7, 3, 4), matrix(q.weight.data(), 11, 2, 4), q.targets, {}),
        "fused_linear_logps: weight is [11, 2] and must be [11, 3] (as many columns as hidden)", shape_error);
  }
}

}  // namespace causaldpo::test
