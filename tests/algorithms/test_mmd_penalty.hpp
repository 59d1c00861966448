// SPDX-License-Identifier: Apache-2.0
// mmd_penalty: cases worked by hand, the textbook statistic, finite differences across tile edges, the median against
// sorting, edges and errors.
#pragma once

#include <algorithm>
#include <array>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/invariance/mmd_penalty.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// A kernel as a user would write it: the inverse multiquadric 1 / (1 + u).
struct inverse_multiquadric {
  template <class V>
  CAUSALDPO_HD kernel_point<V> operator()(V const& u) const {
    V const value = math::broadcast<V>(1) / (math::broadcast<V>(1) + u);
    return {value, -(value * value)};
  }
};
static_assert(kernel_function<inverse_multiquadric>);

/// b rows of d columns in k soft environments whose outputs differ, and room for the results.
template <class T>
struct mmd_problem {
  index_t b, d, k;
  std::vector<T> x, q, value, grad, grad_q, bandwidths;
  std::vector<std::int64_t> pairs{-1};

  mmd_problem(index_t rows, index_t width, index_t environments, index_t count = 1, std::uint64_t seed = 3)
      : b(rows), d(width), k(environments), value(1, T(-9)), bandwidths(static_cast<std::size_t>(count)) {
    random_source random(seed);
    x = random.normals<T>(b * d);
    q = random.memberships<T>(b, k);
    for (index_t i = 0; i < b && k > 0; ++i)
      for (index_t c = 0; c < d; ++c) x[static_cast<std::size_t>(i * d + c)] += q[static_cast<std::size_t>(i * k)];
    grad.assign(x.size(), T(-9));
    grad_q.assign(q.size(), T(-9));
  }
  mmd_results<T> results() { return {value, matrix(grad.data(), b, d), matrix(grad_q.data(), b, k), bandwidths, pairs}; }
  template <class B, class O>
  void run(B& be, O const& options) {
    mmd_penalty(be, matrix(x.data(), b, d), matrix(q.data(), b, k), results(), options);
  }
};

/// The same by the textbook, in double, with every sum written out.
template <class T>
double textbook_mmd(mmd_problem<T> const& p, std::vector<double> const& bandwidths, bool unbiased) {
  auto const at = [](std::vector<T> const& v, index_t i) { return static_cast<double>(v[static_cast<std::size_t>(i)]); };
  auto const kernel = [&](index_t i, index_t j) {
    double squared = 0, sum = 0;
    for (index_t c = 0; c < p.d; ++c) squared += std::pow(at(p.x, i * p.d + c) - at(p.x, j * p.d + c), 2);
    for (double s : bandwidths) sum += std::exp(-squared / (2 * s * s));
    return sum / static_cast<double>(bandwidths.size());
  };
  std::vector<double> mass(static_cast<std::size_t>(p.k));
  for (index_t i = 0; i < p.b * p.k; ++i) mass[static_cast<std::size_t>(i % p.k)] += at(p.q, i);
  auto const g = [&](index_t k, index_t m) {
    double sum = 0, overlap = 0;
    for (index_t i = 0; i < p.b; ++i) {
      double const a = at(p.q, i * p.k + k) / mass[static_cast<std::size_t>(k)];
      for (index_t j = 0; j < p.b; ++j) {
        double const c = at(p.q, j * p.k + m) / mass[static_cast<std::size_t>(m)];
        if (i == j) overlap += a * c;
        if (i != j || !unbiased) sum += a * c * kernel(i, j);
      }
    }
    return unbiased ? sum / (1 - overlap) : sum;
  };
  double sum = 0;
  for (index_t k = 0; k < p.k; ++k)
    for (index_t m = k + 1; m < p.k; ++m) sum += g(k, k) + g(m, m) - 2 * g(k, m);
  return sum / (static_cast<double>(p.k * (p.k - 1)) / 2);
}

TEST_CASE_TEMPLATE("mmd_penalty: two points by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  mmd_problem<T> p(2, 1, 2);
  p.x = {5, 6};
  p.q = {1, 0, 0, 1};

  p.run(be, mmd_options{.bandwidths = {1}});

  double const e = std::exp(-0.5);  // V = 1 + 1 - 2 e^(-(x_1 - x_2)^2 / 2), dV/dx_1 = 2 (x_1 - x_2) e^(-1/2) = -dV/dx_2
  CHECK(static_cast<double>(p.value[0]) == doctest::Approx(2 - 2 * e));
  CHECK(relative_error(p.grad, std::vector<double>{-2 * e, 2 * e}) < tolerance<T>(2));
  CHECK(p.pairs[0] == 1);
  CHECK(p.bandwidths[0] == T(1));
}

TEST_CASE_TEMPLATE("mmd_penalty: the textbook statistic", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (bool unbiased : {false, true}) {
    mmd_problem<T> soft(131, 3, 3, 2), hard(150, 2, 2, 2);
    for (std::size_t i = 0; i < 150; ++i) {
      hard.q[2 * i] = i % 3 == 0 ? T(1) : T(0);
      hard.q[2 * i + 1] = T(1) - hard.q[2 * i];
    }
    for (mmd_problem<T>* p : {&soft, &hard}) {
      p->run(be, mmd_options{.bandwidths = {0.5, 2}, .unbiased = unbiased});
      double const expected = textbook_mmd(*p, {0.5, 2}, unbiased);
      CHECK(std::abs(static_cast<double>(p->value[0]) - expected) <
            tolerance<T>(150) * std::max(std::abs(expected), 1e-2) + 1e-14);
    }
  }
}

TEST_CASE_TEMPLATE("mmd_penalty: gradients agree with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    auto check = [&](auto const& options) {
      for (index_t b : {1, 2, 7, 127, 128, 129})
        for (index_t k : {1, 3}) {
          mmd_problem<double> p(b, b > 7 ? 2 : 3, k, options.bandwidths.size());
          p.run(be, options);
          auto value = [&] {
            double v = 0;
            mmd_penalty(be, matrix(p.x.data(), p.b, p.d), matrix(p.q.data(), p.b, p.k), {.value = scalar(&v)}, options);
            return v;
          };
          auto along = [&](std::vector<double>& at, std::vector<double> const& gradient, double step) {
            if (b <= 7) return finite_difference_error(at, gradient, value, step);
            // a random direction and a number t on it: d/dt value(at + t direction) at 0
            random_source random(11);
            std::vector<double> const origin = at, direction = random.normals<double>(static_cast<index_t>(at.size()));
            std::vector<double> t{0}, slope{0};
            double size = 0;
            for (std::size_t i = 0; i < at.size(); ++i)
              slope[0] += gradient[i] * direction[i], size = std::max(size, std::abs(gradient[i]));
            auto moved = [&] {
              for (std::size_t i = 0; i < at.size(); ++i) at[i] = origin[i] + t[0] * direction[i];
              double const v = value();
              at = origin;
              return v;
            };
            return finite_difference_error(t, slope, moved, step);
          };
          CHECK(along(p.x, p.grad, 1e-3) < 1e-7);
          CHECK(along(p.q, p.grad_q, 1e-4) < 1e-7);
        }
    };
    for (bool unbiased : {false, true})
      for (averaging a : {averaging::mean, averaging::sum}) {
        check(mmd_options{.bandwidths = {0.7, 1.5}, .kernel_reduction = a, .pair_reduction = a, .unbiased = unbiased});
        if constexpr (compiles_own_functors<typename Cell::backend>)
          check(mmd_options_for<inverse_multiquadric>{.bandwidths = {1}, .pair_reduction = a, .unbiased = unbiased});
      }
  }
}

TEST_CASE_TEMPLATE("mmd_penalty: the median rule", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (index_t b : {2, 3, 4, 5, 17, 127, 128, 129, 260}) {  // odd and even numbers of pairs
    mmd_problem<T> p(b, 2, 2, 3, static_cast<std::uint64_t>(b));
    if (b == 17)
      for (std::size_t i = 0; i < p.x.size(); ++i) p.x[i] = std::round(p.x[i]);  // many ties
    std::vector<double> squared;
    for (std::size_t i = 0; i < static_cast<std::size_t>(b); ++i)
      for (std::size_t j = i + 1; j < static_cast<std::size_t>(b); ++j) {
        double const u = static_cast<double>(p.x[2 * i] - p.x[2 * j]), v = static_cast<double>(p.x[2 * i + 1] - p.x[2 * j + 1]);
        squared.push_back(u * u + v * v);
      }
    std::sort(squared.begin(), squared.end());
    std::size_t const n = squared.size();
    double const median = std::sqrt((squared[(n - 1) / 2] + squared[n / 2]) / 2);

    p.run(be, mmd_options{.median_multipliers = {0.5, 1, 4}});

    CHECK(relative_error(p.bandwidths, std::vector<double>{0.5 * median, median, 4 * median}) <
          8 * static_cast<double>(std::numeric_limits<T>::epsilon()));
  }

  mmd_problem<T> p(4, 1, 2);  // distances 0 0 0 9 9 9: the median is between; 0 0 0 0 0 0 9 ...: the mean; all 0: 1
  p.x = {1, 1, 1, 4};
  p.run(be, mmd_options{});
  CHECK(static_cast<double>(p.bandwidths[0]) == doctest::Approx(std::sqrt(4.5)));
  mmd_problem<T> mostly_equal(5, 1, 2);
  mostly_equal.x = {1, 1, 1, 1, 6};  // six distances of 0 and four of 25
  mostly_equal.run(be, mmd_options{});
  CHECK(static_cast<double>(mostly_equal.bandwidths[0]) == doctest::Approx(std::sqrt(10.0)));
  p.x.assign(4, T(0.1));
  p.run(be, mmd_options{});
  CHECK(p.bandwidths[0] == T(1));
  CHECK(std::abs(static_cast<double>(p.value[0])) < 1e-12);
  CHECK(p.grad == std::vector<T>(4, T(0)));
}

TEST_CASE_TEMPLATE("mmd_penalty: agrees with the reference backend, in bounded scratch, without a second allocation", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  for (bool unbiased : {false, true}) {
    mmd_problem<T> a(517, 19, 4, 3), b = a, before = a;
    mmd_options const options{.median_multipliers = {0.5, 1, 2}, .unbiased = unbiased};
    be.reset_scratch_peak();
    a.run(be, options);
    auto const allocations = be.allocations();
    auto const first = a;
    a.run(be, options);
    b.run(reference, options);

    CHECK(be.allocations() == allocations);
    CHECK(a.grad == first.grad);
    CHECK(a.value == first.value);
    CHECK(relative_error(a.bandwidths, b.bandwidths) < 32 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    CHECK(std::abs(static_cast<double>(a.value[0] - b.value[0])) < tolerance<T>(517) * 0.1);
    CHECK(relative_error(a.grad, b.grad) < 4 * tolerance<T>(517));
    CHECK(relative_error(a.grad_q, b.grad_q) < 4 * tolerance<T>(517));
    CHECK(a.x == before.x);
    CHECK(a.q == before.q);
  }
  mmd_problem<T> large(2000, 4, 2);
  typename Cell::backend fresh;
  large.run(fresh, mmd_options{});
  CHECK(fresh.scratch_peak() < 1200 * 1000);  // B x B would be 16 or 32 MB
}

TEST_CASE_TEMPLATE("mmd_penalty: padded rows give the same", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  mmd_problem<T> p(140, 3, 2);
  std::vector<T> x(140 * 5, T(7)), q(140 * 4, T(7)), grad(140 * 6, T(7)), value(1);
  for (std::size_t i = 0; i < 140; ++i) {
    std::copy_n(p.x.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, x.begin() + static_cast<std::ptrdiff_t>(5 * i));
    std::copy_n(p.q.begin() + static_cast<std::ptrdiff_t>(2 * i), 2, q.begin() + static_cast<std::ptrdiff_t>(4 * i));
  }

  p.run(be, mmd_options{});
  mmd_penalty(be, matrix(x.data(), 140, 3, 5), matrix(q.data(), 140, 2, 4),
              {.value = value, .grad_outputs = matrix(grad.data(), 140, 3, 6)});

  CHECK(relative_error(value, p.value) < tolerance<T>());
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < 140; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      error = std::max(error, std::abs(static_cast<double>(grad[6 * i + c] - p.grad[3 * i + c])));
      largest = std::max(largest, std::abs(static_cast<double>(p.grad[3 * i + c])));
    }
    for (std::size_t c = 3; c < 6; ++c) CHECK(grad[6 * i + c] == T(7));
  }
  CHECK(error < tolerance<T>() * largest);
}

TEST_CASE_TEMPLATE("mmd_penalty: invariances", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  mmd_problem<T> p(67, 2, 3), moved = p, shuffled = p, sum = p;
  for (T& v : moved.x) v += T(64);
  for (std::size_t i = 0; i < 67; ++i) {
    std::copy_n(p.x.end() - static_cast<std::ptrdiff_t>(2 * i + 2), 2, shuffled.x.begin() + static_cast<std::ptrdiff_t>(2 * i));
    std::copy_n(p.q.end() - static_cast<std::ptrdiff_t>(3 * i + 3), 3, shuffled.q.begin() + static_cast<std::ptrdiff_t>(3 * i));
  }

  p.run(be, mmd_options{});
  moved.run(be, mmd_options{});
  shuffled.run(be, mmd_options{});
  sum.run(be, mmd_options{.pair_reduction = averaging::sum});

  double const scale = static_cast<double>(p.value[0]);
  CHECK(std::abs(static_cast<double>(moved.value[0]) - scale) < (std::is_same_v<T, float> ? 1e-4 : 1e-12) * scale);
  CHECK(relative_error(shuffled.value, p.value) < tolerance<T>(67));
  CHECK(relative_error(std::vector<T>(shuffled.grad.end() - 2, shuffled.grad.end()),
                       std::vector<T>(p.grad.begin(), p.grad.begin() + 2)) < 1e-3);
  CHECK(std::abs(static_cast<double>(sum.value[0]) - 3 * scale) < tolerance<T>(67) * scale);
}

TEST_CASE_TEMPLATE("mmd_penalty: no pair, no rows, and what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (auto [b, d, k] : {std::array<index_t, 3>{0, 3, 2}, {1, 3, 2}, {4, 3, 1}, {4, 3, 0}, {4, 0, 2}}) {
    mmd_problem<T> p(b, d, k);
    p.run(be, mmd_options{});
    CHECK(std::abs(static_cast<double>(p.value[0])) < 1e-6);
    for (T g : p.grad) CHECK(std::abs(static_cast<double>(g)) < 1e-6);
    if (b < 2) CHECK(p.bandwidths[0] == T(1));
  }
  mmd_problem<T> p(3, 1, 2);
  p.q = {1, 0, 0, 1, 0, 1};  // one example in environment 0: no unbiased estimate
  p.run(be, mmd_options{.unbiased = true});
  CHECK(p.pairs[0] == 0);
  CHECK(p.value[0] == T(0));
  CHECK(p.grad == std::vector<T>(3, T(0)));
  CHECK(p.grad_q == std::vector<T>(6, T(0)));
  p.run(be, mmd_options{.bandwidths = {1e-25}});  // 1 / s^2 leaves the range of float
  for (T g : p.grad) CHECK(std::isfinite(g));

  auto const x = matrix(p.x.data(), 3, 1), q = matrix(p.q.data(), 3, 2);
  CHECK_THROWS_WITH_AS(mmd_penalty(be, x, matrix(p.q.data(), 2, 2), {}),
                       "mmd_penalty: q is [2, 2] and must be [3, 2] (one row for each row of outputs)", shape_error);
  CHECK_THROWS_WITH_AS(mmd_penalty(be, x, q, {}, {.bandwidths = {1, 0}}),
                       "mmd_penalty: bandwidths[1] is 0 and must be finite and > 0", option_error);
  CHECK_THROWS_AS(mmd_penalty(be, x, q, {}, {.median_multipliers = {}}), option_error);
  CHECK_THROWS_AS((bandwidth_list{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}), option_error);
  p.x[2] = std::numeric_limits<T>::infinity();
  CHECK_THROWS_WITH_AS(mmd_penalty(be, x, q, {.value = p.value}),
                       doctest::Contains("outputs at flat position 2 (row-major) is infinite or NaN"), value_error);
  p.x[2] = T(1);
  p.q[3] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(mmd_penalty(be, x, q, {.value = p.value}), doctest::Contains("q holds a NaN at flat position 3"),
                       value_error);
}

}  // namespace causaldpo::test
