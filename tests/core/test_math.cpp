// SPDX-License-Identifier: Apache-2.0
// The safe scalar mathematics: exact limits, no cancellation in the tails, NaN by bits.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

#include "causaldpo/core/math.hpp"

namespace causaldpo::test {

/// |x - y| relative to |y|.
inline double off(double x, double y) { return std::abs(x - y) / std::abs(y); }

TEST_CASE_TEMPLATE("math: softplus and sigmoid keep relative accuracy in both tails", T, float, double) {
  double const eps = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (double x : {-80.0, -30.0, -5.0, -0.5, 0.0, 0.5, 5.0, 30.0, 80.0}) {
    long double const e = std::exp(static_cast<long double>(static_cast<T>(x)));
    long double const larger = static_cast<long double>(static_cast<T>(x));
    double const softplus = static_cast<double>(x > 0 ? larger + std::log1p(1 / e) : std::log1p(e));
    CHECK(off(static_cast<double>(math::softplus(T(x))), softplus) < eps);
    CHECK(off(static_cast<double>(math::sigmoid(T(x))), static_cast<double>(e / (1 + e))) < eps);
    CHECK(off(static_cast<double>(math::log_sigmoid(T(-x))), -softplus) < eps);
  }
  T const infinity = math::infinity<T>();
  CHECK(math::softplus(-infinity) == T(0));
  CHECK(math::softplus(infinity) == infinity);
  CHECK(math::softplus(T(1e4)) == T(1e4));
  CHECK(math::sigmoid(-infinity) == T(0));
  CHECK(math::sigmoid(infinity) == T(1));
  CHECK(math::log_sigmoid(-infinity) == -infinity);
  CHECK(math::log_sigmoid(infinity) == T(0));
}

TEST_CASE_TEMPLATE("math: log(1 - e^x) on both of its branches", T, float, double) {
  double const eps = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (double x : {-1e-6, -0.01, -0.5, -0.6931, -0.6932, -1.0, -3.0, -20.0, -60.0}) {
    long double const exact = static_cast<long double>(static_cast<T>(x));
    double const expected = static_cast<double>(x > -0.1 ? std::log(-std::expm1(exact)) : std::log1p(-std::exp(exact)));
    CHECK(off(static_cast<double>(math::log1mexp(T(x))), expected) < 2 * eps);
  }
  CHECK(math::log1mexp(T(0)) == -math::infinity<T>());
  CHECK(math::log1mexp(T(2)) == -math::infinity<T>());
  CHECK(math::log1mexp(-math::infinity<T>()) == T(0));
}

TEST_CASE_TEMPLATE("math: is_nan, max, min, select, abs, masks", T, float, double) {
  T const nan = std::numeric_limits<T>::quiet_NaN(), infinity = math::infinity<T>();
  CHECK(math::is_nan(nan));
  CHECK(math::is_nan(-nan));
  CHECK(math::is_nan(std::numeric_limits<T>::signaling_NaN()));
  for (T x : {T(0), T(-0.0), infinity, -infinity, std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::max()})
    CHECK_FALSE(math::is_nan(x));
  CHECK(math::max(T(1), T(2)) == T(2));
  CHECK(math::min(T(1), T(2)) == T(1));
  CHECK(math::max(nan, T(2)) == T(2));
  CHECK(math::min(nan, T(2)) == T(2));
  CHECK(math::abs(T(-3)) == T(3));
  CHECK_FALSE(std::signbit(math::abs(T(-0.0))));
  CHECK(math::select<T>(true, T(1), T(2)) == T(1));
  CHECK(math::select<T>(false, T(1), T(2)) == T(2));
  CHECK(math::both<T>(true, true));
  CHECK_FALSE(math::both<T>(true, false));
  CHECK(math::either<T>(true, false));
  CHECK(math::negation<T>(false));
  CHECK(math::any<T>(true));
  CHECK(math::broadcast<T>(T(5)) == T(5));
}

}  // namespace causaldpo::test
