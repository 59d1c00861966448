// SPDX-License-Identifier: Apache-2.0
// fused_linear_logps: by hand, finite differences across tile borders, edges, scratch, agreement and what is refused.
#pragma once

#include <array>
#include <utility>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/logprob/fused_linear_logps.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// Inputs and outputs of one call; every `ignore_every`-th target is ignored.
template <class T>
struct linear_problem {
  index_t n, d, v;
  std::vector<T> hidden, weight, bias, upstream;
  std::vector<std::int64_t> targets;
  std::vector<T> logps, lse, grad_hidden, grad_weight, grad_bias, entropy, log_sum_p2;

  linear_problem(index_t rows, index_t width, index_t vocabulary, index_t ignore_every = 5) : n(rows), d(width), v(vocabulary) {
    random_source random(static_cast<std::uint64_t>(rows * 10007 + vocabulary * 101 + width));
    hidden = random.normals<T>(n * d);
    weight = random.normals<T>(v * d);
    bias = random.normals<T>(v);
    upstream = random.normals<T>(n);
    for (index_t i = 0; i < n; ++i) targets.push_back(i % ignore_every == ignore_every - 1 ? -100 : random.below(v));
    clear();
  }
  void clear() {
    T const nan = std::numeric_limits<T>::quiet_NaN();
    logps.assign(static_cast<std::size_t>(n), nan);
    lse = entropy = log_sum_p2 = logps;
    grad_hidden.assign(static_cast<std::size_t>(n * d), nan);
    grad_weight.assign(static_cast<std::size_t>(v * d), nan);
    grad_bias.assign(static_cast<std::size_t>(v), nan);
  }
  fused_linear_results<T> results() {
    return {.logps = logps,
            .lse = lse,
            .grad_hidden = matrix(grad_hidden.data(), n, d),
            .grad_weight = matrix(grad_weight.data(), v, d),
            .grad_bias = grad_bias,
            .entropy = entropy,
            .log_sum_p2 = log_sum_p2};
  }
  template <class B>
  void run(B& be, fused_linear_options const& options = {}) {
    fused_linear_logps(be, matrix(hidden.data(), n, d), matrix(weight.data(), v, d), targets, results(), options, bias, upstream);
  }
  /// The sum of which the gradients are: sum_i upstream_i logps_i.
  template <class B>
  double objective(B& be, fused_linear_options const& options) {
    std::vector<T> values(static_cast<std::size_t>(n));
    fused_linear_logps(be, matrix(hidden.data(), n, d), matrix(weight.data(), v, d), targets, {.logps = values}, options, bias);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += static_cast<double>(upstream[i]) * static_cast<double>(values[i]);
    return sum;
  }
  double difference(linear_problem const& other) const {
    double worst = 0;
    for (auto member : {&linear_problem::logps, &linear_problem::lse, &linear_problem::grad_hidden, &linear_problem::grad_weight,
                        &linear_problem::grad_bias, &linear_problem::entropy, &linear_problem::log_sum_p2})
      worst = std::max(worst, relative_error(this->*member, other.*member));
    return worst;
  }
  bool same_bits(linear_problem const& o) const {
    return logps == o.logps && lse == o.lse && grad_hidden == o.grad_hidden && grad_weight == o.grad_weight &&
           grad_bias == o.grad_bias && entropy == o.entropy && log_sum_p2 == o.log_sum_p2;
  }
};

TEST_CASE_TEMPLATE("fused_linear_logps: probabilities 1/8, 2/8, 5/8 by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> hidden{0, 0}, weight{1, 2, 3, 4, 5, 6}, bias{0, std::log(T(2)), std::log(T(5))}, upstream{2};
  std::vector<std::int32_t> targets{2};
  std::vector<T> logps(1), lse(1), grad_bias(3), grad_hidden(2), grad_weight(6), entropy(1), squares(1);

  fused_linear_logps(be, matrix(hidden.data(), 1, 2), matrix(weight.data(), 3, 2), targets,
                     {.logps = logps,
                      .lse = lse,
                      .grad_hidden = matrix(grad_hidden.data(), 1, 2),
                      .grad_weight = matrix(grad_weight.data(), 3, 2),
                      .grad_bias = grad_bias,
                      .entropy = entropy,
                      .log_sum_p2 = squares},
                     {}, bias, upstream);

  double const eps = tolerance<T>();
  CHECK(relative_error(logps, std::vector<double>{std::log(5.0 / 8)}) < eps);
  CHECK(relative_error(lse, std::vector<double>{std::log(8.0)}) < eps);
  CHECK(relative_error(grad_bias, std::vector<double>{-0.25, -0.5, 0.75}) < eps);
  CHECK(relative_error(grad_hidden, std::vector<double>{-0.25 - 1.5 + 3.75, -0.5 - 2.0 + 4.5}) < eps);
  CHECK(grad_weight == std::vector<T>(6, T(0)));
  CHECK(relative_error(entropy, std::vector<double>{std::log(8.0) - (2 * std::log(2.0) + 5 * std::log(5.0)) / 8}) < eps);
  CHECK(relative_error(squares, std::vector<double>{std::log(30.0 / 64)}) < eps);
}

TEST_CASE_TEMPLATE("fused_linear_logps: gradients agree with finite differences across tile borders", Cell,
                   CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    for (index_t n : {1, 3, 5, 11})
      for (index_t v : {1, 7, 9, 23}) {
        linear_problem<double> p(n, 3, v);
        fused_linear_options options{
            .logit_softcap = n == 5 ? 2.5 : 0, .temperature = v == 9 ? 0.7 : 1, .row_tile = 4, .vocabulary_tile = 8};
        p.run(be, options);
        auto value = [&] { return p.objective(be, options); };
        CHECK(finite_difference_error(p.hidden, p.grad_hidden, value) < 1e-7);
        CHECK(finite_difference_error(p.weight, p.grad_weight, value) < 1e-7);
        CHECK(finite_difference_error(p.bias, p.grad_bias, value) < 1e-7);
      }
  }
}

TEST_CASE_TEMPLATE("fused_linear_logps: gradients along random directions at the default tiles", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    random_source random(5);
    for (auto [n, v] : {std::pair<index_t, index_t>{255, 1023}, {257, 1025}, {257, 2053}}) {
      linear_problem<double> p(n, 5, v);
      p.run(be);
      for (auto const& input : {std::pair{&p.hidden, &p.grad_hidden}, {&p.weight, &p.grad_weight}, {&p.bias, &p.grad_bias}}) {
        std::vector<double>*const x = input.first, *const g = input.second;
        std::vector<double> const at = *x, along = random.normals<double>(static_cast<index_t>(at.size()), 0.3);
        std::vector<double> t{0}, slope{0};
        for (std::size_t i = 0; i < at.size(); ++i) slope[0] += along[i] * (*g)[i];
        auto value = [&] {
          for (std::size_t i = 0; i < at.size(); ++i) (*x)[i] = at[i] + t[0] * along[i];
          return p.objective(be, {});
        };
        CHECK(finite_difference_error(t, slope, value) < 1e-7);
        *x = at;
      }
    }
  }
}

TEST_CASE_TEMPLATE("fused_linear_logps: tiles, splits and repetition change nothing", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  linear_problem<T> p(13, 4, 37);
  linear_problem<T> const inputs = p;
  p.run(be);
  CHECK(p.hidden == inputs.hidden);
  CHECK(p.weight == inputs.weight);
  CHECK(p.bias == inputs.bias);
  CHECK(p.upstream == inputs.upstream);
  CHECK(p.targets == inputs.targets);
  for (index_t rows : {1, 5, 12, 13, 99})
    for (index_t columns : {1, 7, 36, 38}) {
      linear_problem<T> q = inputs;
      q.run(be, {.row_tile = rows, .vocabulary_tile = columns});
      CHECK(q.difference(p) < tolerance<T>(37));
    }

  linear_problem<T> again = inputs;
  std::size_t const before = be.allocations();
  again.run(be);
  CHECK(be.allocations() == before);
  CHECK(again.same_bits(p));

  // Rows 0..4 and 5..12 on their own: the gradients of weight add up.
  std::vector<T> grad_a(static_cast<std::size_t>(37 * 4)), grad_b(grad_a), logps(13);
  view<std::int64_t const, 1> const targets = p.targets;
  view<T const, 1> const upstream = p.upstream;
  view<T, 1> const out = logps;
  fused_linear_logps(be, matrix(p.hidden.data(), 5, 4), matrix(p.weight.data(), 37, 4), targets.part(0, 5),
                     {.logps = out.part(0, 5), .grad_weight = matrix(grad_a.data(), 37, 4)}, {}, p.bias, upstream.part(0, 5));
  fused_linear_logps(be, matrix(p.hidden.data() + 5 * 4, 8, 4), matrix(p.weight.data(), 37, 4), targets.part(5, 8),
                     {.logps = out.part(5, 8), .grad_weight = matrix(grad_b.data(), 37, 4)}, {}, p.bias, upstream.part(5, 8));
  for (std::size_t i = 0; i < grad_a.size(); ++i) grad_a[i] += grad_b[i];
  CHECK(relative_error(logps, p.logps) < tolerance<T>(37));
  CHECK(relative_error(grad_a, p.grad_weight) < tolerance<T>(37));
}

TEST_CASE_TEMPLATE("fused_linear_logps: padded leading dimensions", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  index_t const n = 6, d = 3, v = 11, ld = 5;
  linear_problem<T> p(n, d, v);
  fused_linear_options const options{.row_tile = 4, .vocabulary_tile = 4};
  p.run(be, options);
  T const pad = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> hidden(n * ld, pad), weight(v * ld, pad), grad_hidden(n * ld, T(7)), grad_weight(v * ld, T(7)), logps(n);
  for (index_t j = 0; j < d; ++j) {
    for (index_t i = 0; i < n; ++i) matrix(hidden.data(), n, d, ld)(i, j) = matrix(p.hidden.data(), n, d)(i, j);
    for (index_t i = 0; i < v; ++i) matrix(weight.data(), v, d, ld)(i, j) = matrix(p.weight.data(), v, d)(i, j);
  }
  fused_linear_logps(
      be, matrix(hidden.data(), n, d, ld), matrix(weight.data(), v, d, ld), p.targets,
      {.logps = logps, .grad_hidden = matrix(grad_hidden.data(), n, d, ld), .grad_weight = matrix(grad_weight.data(), v, d, ld)},
      options, p.bias, p.upstream);
  std::vector<T> packed_hidden, packed_weight;
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < ld; ++j)
      if (j < d) packed_hidden.push_back(grad_hidden[static_cast<std::size_t>(i * ld + j)]);
      else CHECK(grad_hidden[static_cast<std::size_t>(i * ld + j)] == T(7));
  for (index_t i = 0; i < v; ++i)
    for (index_t j = 0; j < ld; ++j)
      if (j < d) packed_weight.push_back(grad_weight[static_cast<std::size_t>(i * ld + j)]);
      else CHECK(grad_weight[static_cast<std::size_t>(i * ld + j)] == T(7));
  CHECK(relative_error(logps, p.logps) < tolerance<T>(v));
  CHECK(relative_error(packed_hidden, p.grad_hidden) < tolerance<T>(v));
  CHECK(relative_error(packed_weight, p.grad_weight) < tolerance<T>(v));
}

TEST_CASE_TEMPLATE("fused_linear_logps: ignored rows are not read, or only as far as was asked for", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> hidden{nan, 1, 2, 1}, weight{1, 2, 0, 1, 1, 0}, upstream{nan, 1}, logps(2), lse(2), grad_hidden(4),
      grad_weight(6);
  std::vector<std::int64_t> targets{-7, 1};
  fused_linear_results<T> const results{
      .logps = logps, .grad_hidden = matrix(grad_hidden.data(), 2, 2), .grad_weight = matrix(grad_weight.data(), 3, 2)};
  fused_linear_logps(be, matrix(hidden.data(), 2, 2), matrix(weight.data(), 3, 2), targets, results, {.ignore_index = -7}, {},
                     upstream);
  CHECK(logps[0] == T(0));
  CHECK(std::isfinite(logps[1]));
  CHECK(grad_hidden[0] == T(0));
  CHECK(grad_hidden[1] == T(0));
  for (T g : grad_weight) CHECK(std::isfinite(g));

  CHECK_THROWS_WITH_AS(fused_linear_logps(be, matrix(hidden.data(), 2, 2), matrix(weight.data(), 3, 2), targets, {.lse = lse},
                                          {.ignore_index = -7}),
                       doctest::Contains("fused_linear_logps: hidden holds a NaN at flat position 0"), value_error);
}

TEST_CASE_TEMPLATE("fused_linear_logps: far apart, close to 1, impossible", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const minus_infinity = -std::numeric_limits<T>::infinity();
  std::vector<T> hidden{1}, logps(1), lse(1), entropy(1), squares(1), grad(3), grad_hidden(1);
  std::vector<std::int64_t> targets{0};
  auto run = [&](std::vector<T> const& weight, std::vector<T> const& bias = {}, index_t tile = 1) {
    index_t const v = static_cast<index_t>(weight.size());
    fused_linear_logps(be, matrix(hidden.data(), 1, 1), matrix(weight.data(), v, 1), targets,
                       {.logps = logps, .lse = lse, .grad_hidden = matrix(grad_hidden.data(), 1, 1),
                        .grad_weight = matrix(grad.data(), v, 1), .entropy = entropy, .log_sum_p2 = squares},
                       {.vocabulary_tile = tile}, bias);
  };
  for (index_t tile : {1, 3}) {
    run({10000, -10000, 0}, {}, tile);
    CHECK(logps[0] == T(0));
    CHECK(lse[0] == T(10000));
    CHECK(entropy[0] == T(0));
    CHECK(squares[0] == T(0));
    CHECK(grad == std::vector<T>{0, 0, 0});

    run({-10000, 10000, 0}, {}, tile);
    CHECK(logps[0] == T(-20000));
    CHECK(grad == std::vector<T>{1, -1, 0});

    run({30, -10, -10}, {}, tile);  // log p = -log(1 + 2 e^-40), far below the spacing of numbers near 1
    double const odds = 2 * std::exp(-40.0);
    CHECK(relative_error(logps, std::vector<double>{-odds}) < tolerance<T>());
    CHECK(relative_error(grad, std::vector<double>{odds, -odds / 2, -odds / 2}) < tolerance<T>());
    CHECK(relative_error(entropy, std::vector<double>{odds * 41}) < tolerance<T>());
    CHECK(relative_error(squares, std::vector<double>{-2 * odds}) < tolerance<T>());

    run({1, 2, 2}, {minus_infinity, 0, 0}, tile);
    CHECK(logps[0] == minus_infinity);
    CHECK(relative_error(lse, std::vector<double>{2 + std::log(2.0)}) < tolerance<T>());
    CHECK(grad == std::vector<T>{0, 0, 0});
    CHECK(grad_hidden[0] == T(0));

    run({2, 2, 1}, {0, 0, minus_infinity}, tile);
    CHECK(relative_error(logps, std::vector<double>{-std::log(2.0)}) < tolerance<T>());
    CHECK(relative_error(grad, std::vector<double>{0.5, -0.5, 0}) < tolerance<T>());

    run({1, 2, 3}, {minus_infinity, minus_infinity, minus_infinity}, tile);
    CHECK(logps[0] == minus_infinity);
    CHECK(lse[0] == minus_infinity);
    CHECK(entropy[0] == T(0));
    CHECK(squares[0] == minus_infinity);
    CHECK(grad == std::vector<T>{0, 0, 0});
  }
}

TEST_CASE_TEMPLATE("fused_linear_logps: no rows, no items, no width", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> weight{1, 2, 3, 4}, grad_weight(4, T(9)), grad_bias(2, T(9)), hidden{1, 2}, grad_hidden(2, T(9)), logps{9},
      lse{9}, none(1);
  std::vector<std::int64_t> targets{-100};
  view<std::int64_t const, 1> const no_targets(targets.data(), 0);
  fused_linear_logps(be, matrix(none.data(), 0, 2), matrix(weight.data(), 2, 2), no_targets,
                     {.grad_weight = matrix(grad_weight.data(), 2, 2), .grad_bias = grad_bias});
  CHECK(grad_weight == std::vector<T>(4, T(0)));
  CHECK(grad_bias == std::vector<T>(2, T(0)));

  fused_linear_logps(be, matrix(hidden.data(), 1, 2), matrix(none.data(), 0, 2), targets,
                     {.logps = logps, .lse = lse, .grad_hidden = matrix(grad_hidden.data(), 1, 2)});
  CHECK(logps[0] == T(0));
  CHECK(lse[0] == -std::numeric_limits<T>::infinity());
  CHECK(grad_hidden == std::vector<T>(2, T(0)));

  targets[0] = 1;
  fused_linear_logps(be, matrix(none.data(), 1, 0), matrix(none.data(), 4, 0), targets, {.logps = logps, .lse = lse});
  CHECK(relative_error(logps, std::vector<double>{-std::log(4.0)}) < tolerance<T>());
}

TEST_CASE_TEMPLATE("fused_linear_logps: agrees with the reference backend and with the generic body", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  for (auto [n, d, v] : {std::array<index_t, 3>{300, 17, 2100}, {1, 64, 1025}, {259, 1, 3}}) {
    linear_problem<T> a(n, d, v), b(a), c(a);
    fused_linear_options const options{.logit_softcap = d == 17 ? 9.0 : 0, .temperature = 0.9};
    a.run(be, options);
    b.run(reference, options);
    CHECK(a.difference(b) < tolerance<T>(v));
    detail::nan_guard<typename Cell::backend> guard(be, "fused_linear_logps",
                                                    {"hidden", "weight", "bias", "upstream", "targets"});
    op::fused_linear_logps::generic(be,
                                    fused_linear_args<T, host_space>{matrix(c.hidden.data(), n, d), matrix(c.weight.data(), v, d),
                                                                     c.bias, c.targets, c.upstream, c.results(), guard.watch()},
                                    options);
    guard.finish();
    CHECK(a.difference(c) < tolerance<T>(v));
  }
}

TEST_CASE_TEMPLATE("fused_linear_logps: scratch is bounded whatever the vocabulary", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  linear_problem<T> p(512, 64, 32000);
  be.reset_scratch_peak();
  p.run(be);
  CHECK(be.scratch_peak() < std::size_t{8} << 20);
}

TEST_CASE_TEMPLATE("fused_linear_logps: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const nan = std::numeric_limits<T>::quiet_NaN();
  linear_problem<T> p(5, 2, 4, 100);
  auto fails = [&](auto change, char const* message) {
    linear_problem<T> q = p;
    change(q);
    CHECK_THROWS_WITH_AS(q.run(be, {.row_tile = 2, .vocabulary_tile = 3}), doctest::Contains(message), value_error);
  };
  fails([&](auto& q) { q.hidden[7] = nan; }, "fused_linear_logps: hidden holds a NaN at flat position 7");
  fails([&](auto& q) { q.weight[6] = nan; }, "fused_linear_logps: weight holds a NaN at flat position 6");
  fails([&](auto& q) { q.bias[3] = nan; }, "fused_linear_logps: bias holds a NaN at flat position 3");
  fails([&](auto& q) { q.upstream[4] = nan; }, "fused_linear_logps: upstream holds a NaN at flat position 4");
  fails([&](auto& q) { q.targets[2] = 4; },
        "fused_linear_logps: targets at flat position 2 (row-major) is neither in [0, V) nor ignore_index");
  fails([&](auto& q) { q.targets[1] = -1; }, "fused_linear_logps: targets at flat position 1");
  p.run(be);
  CHECK(p.difference(p) == 0);  // a refusal leaves the backend usable

  auto h = matrix(p.hidden.data(), 5, 2), w = matrix(p.weight.data(), 4, 2);
  CHECK_THROWS_WITH_AS(fused_linear_logps(be, h, matrix(p.weight.data(), 2, 4), p.targets, {}),
                       "fused_linear_logps: weight is [2, 4] and must be [2, 2] (as many columns as hidden)", shape_error);
  CHECK_THROWS_AS(fused_linear_logps(be, h, w, std::vector<std::int64_t>{1}, {}), shape_error);
  CHECK_THROWS_AS(fused_linear_logps(be, h, w, p.targets, {}, {}, std::vector<T>(3)), shape_error);
  CHECK_THROWS_AS(fused_linear_logps(be, h, w, p.targets, {.grad_hidden = w}), shape_error);
  CHECK_THROWS_WITH_AS(fused_linear_logps(be, h, w, p.targets, {}, {.temperature = 0}),
                       "fused_linear_logps: temperature is 0 and must be finite and > 0", option_error);
  CHECK_THROWS_AS(fused_linear_logps(be, h, w, p.targets, {}, {.logit_softcap = -1}), option_error);
  CHECK_THROWS_AS(fused_linear_logps(be, h, w, p.targets, {}, {.row_tile = -1}), option_error);
  CHECK_THROWS_AS(fused_linear_logps(be, h, w, p.targets, {}, {.vocabulary_tile = -3}), option_error);
}

}  // namespace causaldpo::test
