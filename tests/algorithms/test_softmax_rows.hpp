// SPDX-License-Identifier: Apache-2.0
// Tests of softmax_rows: cases by hand, finite differences, rows of every length, in place, infinities, and what is refused.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/ops/softmax_rows.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("softmax_rows: by hand, all columns, a causal mask, lengths", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const two = static_cast<T>(std::log(2.0)), nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> const scores{0, two, 0, nan, 5, two};  // e^s = 1 2 | 1 - | - 2
  std::vector<T> const upstream{3, 0, 7, nan, 1, 1};
  std::vector<T> p(6, 9), gradient(6, 9);
  std::vector<std::int64_t> const lengths{2, 1, 0};

  softmax_rows(be, matrix(scores.data(), 3, 2), {matrix(p.data(), 3, 2), matrix(gradient.data(), 3, 2)}, {},
               matrix(upstream.data(), 3, 2), lengths);
  double const third = 1.0 / 3;
  CHECK(relative_error(p, std::vector<double>{third, 2 * third, 1, 0, 0, 0}) < tolerance<T>());
  CHECK(relative_error(gradient, std::vector<double>{2 * third, -2 * third, 0, 0, 0, 0}) < tolerance<T>());  // mean of u: 1

  std::vector<T> const square{4, nan, 0, two};
  std::vector<T> causal(4, 9);
  softmax_rows(be, matrix(square.data(), 2, 2), {.p = matrix(causal.data(), 2, 2)}, {.causal_period = 2});
  CHECK(relative_error(causal, std::vector<double>{1, 0, third, 2 * third}) < tolerance<T>());
}

TEST_CASE_TEMPLATE("softmax_rows: the gradient agrees with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    for (auto [n, c, period] : {std::array<index_t, 3>{1, 1, 0}, {5, 3, 0}, {9, 17, 3}, {6, 33, 40}}) {
      random_source random(static_cast<std::uint64_t>(n + c));
      auto x = random.normals<double>(n * c), up = random.normals<double>(n * c);
      std::vector<double> p(x.size()), gradient(x.size());
      std::vector<std::int32_t> lengths;
      for (index_t i = 0; i < n; ++i) lengths.push_back(static_cast<std::int32_t>(i == 0 ? c : random.below(c + 1)));
      auto const run = [&](softmax_rows_results<double, typename Cell::backend::space> results) {
        softmax_rows(be, matrix(x.data(), n, c), results, {.causal_period = period}, matrix(up.data(), n, c), lengths);
      };
      run({.grad_scores = matrix(gradient.data(), n, c)});
      CHECK(finite_difference_error(x, gradient, [&] {
              run({.p = matrix(p.data(), n, c)});
              double value = 0;
              for (std::size_t i = 0; i < p.size(); ++i) value += p[i] * up[i];
              return value;
            }) < 1e-7);
    }
  }
}

TEST_CASE_TEMPLATE("softmax_rows: agrees with the reference on rows of every length, in place, in two calls, padded", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend oracle;
  for (auto [n, c, period] :
       {std::array<index_t, 3>{1, 1, 0}, {70, 4, 0}, {33, 50, 50}, {9, 65, 7}, {5, 1030, 0}, {3, 2047, 2}, {4, 2500, 0}}) {
    CAPTURE(c);
    index_t const ld = c + 3;
    random_source random(static_cast<std::uint64_t>(n * c));
    auto const scores = random.normals<T>(n * ld, 3), upstream = random.normals<T>(n * ld);
    std::vector<std::int64_t> lengths;
    for (index_t i = 0; i < n; ++i) lengths.push_back(i % 3 == 0 ? c : random.below(c + 1));
    auto const size = scores.size();
    auto const as = [&](std::vector<T>& x) { return matrix(x.data(), n, c, ld); };
    auto const in = [&](std::vector<T> const& x) { return view<T const, 2>(x.data(), n, c, ld); };
    softmax_rows_options const options{.causal_period = period};
    std::vector<T> p_expected(size, 9), g_expected(size, 9);
    softmax_rows(oracle, in(scores), {as(p_expected), as(g_expected)}, options, in(upstream), lengths);
    auto const near = [&](std::vector<T> const& x, std::vector<T> const& expected) {
      CHECK(relative_error(x, expected) < tolerance<T>(c));  // and the padding is still 9, or what it was
    };

    std::vector<T> p(size, 9), gradient(size, 9), alone(size, 9), second(size, 9);
    softmax_rows(be, in(scores), {as(p), as(gradient)}, options, in(upstream), lengths);
    near(p, p_expected);
    near(gradient, g_expected);
    auto const allocations = be.allocations();
    std::vector<T> p_again(size, 9), g_again(size, 9);
    softmax_rows(be, in(scores), {as(p_again), as(g_again)}, options, in(upstream), lengths);
    CHECK(p_again == p);
    CHECK(g_again == gradient);
    CHECK(be.allocations() == allocations);

    softmax_rows(be, in(scores), {.grad_scores = as(alone)}, options, in(upstream), lengths);
    near(alone, g_expected);
    softmax_rows(be, in(p), {.grad_scores = as(second)}, {.causal_period = period, .probabilities = true}, in(upstream), lengths);
    near(second, g_expected);
    auto p_place = scores, g_place = upstream;
    softmax_rows(be, as(p_place), {.p = as(p_place)}, options, {}, lengths);
    softmax_rows(be, in(p), {.grad_scores = as(g_place)}, {.causal_period = period, .probabilities = true}, in(g_place), lengths);
    for (index_t i = 0; i < n; ++i)
      for (index_t j = 0; j < ld; ++j) {
        auto const e = static_cast<std::size_t>(i * ld + j);
        if (j >= c) CHECK((p_place[e] == scores[e] && g_place[e] == upstream[e]));
        if (j >= c) p_place[e] = g_place[e] = 9;
      }
    near(p_place, p_expected);
    near(g_place, g_expected);
  }
}

TEST_CASE_TEMPLATE("softmax_rows: infinities, rows without anything, and large scores", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const infinite = std::numeric_limits<T>::infinity();
  for (index_t c : {4, 40}) {  // the second beyond a pack and a group of threads
    auto const row = [&](std::vector<T> head, T rest) {
      head.resize(static_cast<std::size_t>(c), rest);
      return head;
    };
    std::vector<T> scores, expected, upstream, slopes;
    auto const add = [&](std::vector<T> s, std::vector<T> p, std::vector<T> u, std::vector<T> g) {
      scores.insert(scores.end(), s.begin(), s.end()), expected.insert(expected.end(), p.begin(), p.end());
      upstream.insert(upstream.end(), u.begin(), u.end()), slopes.insert(slopes.end(), g.begin(), g.end());
    };
    add(row({}, -infinite), row({}, 0), row({}, 5), row({}, 0));
    add(row({-infinite, 3}, -infinite), row({0, 1}, 0), row({infinite, 2}, -infinite), row({}, 0));
    add(row({infinite, 1, infinite}, -infinite), row({T(0.5), 0, T(0.5)}, 0), row({1, 7, 3}, 0), row({T(-0.5), 0, T(0.5)}, 0));
    add(row({10000, 10000}, -10000), row({T(0.5), T(0.5)}, 0), row({4, 0}, infinite), row({1, -1}, 0));
    std::vector<T> p(scores.size(), 9), gradient(scores.size(), 9);
    softmax_rows(be, matrix(scores.data(), 4, c), {matrix(p.data(), 4, c), matrix(gradient.data(), 4, c)}, {},
                 matrix(upstream.data(), 4, c));
    CHECK(p == expected);
    CHECK(gradient == slopes);
  }
  std::vector<T> none;
  softmax_rows(be, matrix(none.data(), 3, 0), {.p = matrix(none.data(), 3, 0)});
  softmax_rows(be, matrix(none.data(), 0, 3), {.p = matrix(none.data(), 0, 3)});
}

TEST_CASE_TEMPLATE("softmax_rows: a NaN is named, and what is refused is refused before anything is written", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  index_t const n = 5, c = 21;
  T const nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> scores(static_cast<std::size_t>(n * c), 1), upstream = scores, p = scores, gradient = scores;
  std::vector<std::int64_t> lengths{21, 20, 21, 3, 0};
  auto const run = [&] {
    softmax_rows(be, matrix(scores.data(), n, c), {matrix(p.data(), n, c), matrix(gradient.data(), n, c)}, {},
                 matrix(upstream.data(), n, c), lengths);
  };
  scores[2 * 21 - 1] = scores[3 * 21 + 3] = upstream[4 * 21] = nan;  // none of them in use
  run();
  scores[3 * 21 + 1] = scores[2 * 21 + 17] = nan;
  CHECK_THROWS_WITH_AS(run(), doctest::Contains("softmax_rows: scores holds a NaN at flat position 59 "), value_error);
  scores[3 * 21 + 1] = scores[2 * 21 + 17] = 1, upstream[2 * 21 + 19] = upstream[2 * 21 + 20] = nan;
  CHECK_THROWS_WITH_AS(run(), doctest::Contains("softmax_rows: upstream holds a NaN at flat position 61 "), value_error);
  upstream[2 * 21 + 19] = upstream[2 * 21 + 20] = 1, lengths[1] = 22;
  CHECK_THROWS_WITH_AS(run(), doctest::Contains("softmax_rows: lengths at flat position 1 (row-major) is outside [0, C]"),
                       value_error);
  lengths[1] = -1;
  CHECK_THROWS_AS(run(), value_error);

  std::vector<T> untouched(static_cast<std::size_t>(n * c), 9);
  auto const out = matrix(untouched.data(), n, c), in = matrix(p.data(), n, c);
  CHECK_THROWS_WITH_AS(softmax_rows(be, in, {.p = matrix(untouched.data(), n, c - 1)}),
                       "softmax_rows: p is [5, 20] and must be [5, 21] (as scores)", shape_error);
  CHECK_THROWS_WITH_AS(softmax_rows(be, in, {.grad_scores = out}),
                       "softmax_rows: upstream is left out and must be [5, 21] (as scores; grad_scores needs it)", shape_error);
  CHECK_THROWS_WITH_AS(softmax_rows(be, in, {.p = out}, {.causal_period = -1}),
                       "softmax_rows: causal_period is -1 and must be >= 0", option_error);
  CHECK_THROWS_WITH_AS(softmax_rows(be, in, {.p = out}, {.probabilities = true}),
                       "softmax_rows: p is given and must be left out where scores are probabilities already", option_error);
  lengths.pop_back();
  CHECK_THROWS_AS(softmax_rows(be, in, {.p = out}, {}, {}, lengths), shape_error);
  CHECK(untouched == std::vector<T>(untouched.size(), 9));
}

}  // namespace causaldpo::test
