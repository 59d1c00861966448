// SPDX-License-Identifier: Apache-2.0
// Comparisons: two results of one operation, and a gradient against finite differences. One table of tolerances.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "causaldpo/core/config.hpp"

namespace causaldpo::test {

/// Relative tolerance between two evaluations of one formula whose longest sum has `length` terms.
template <class T>
double tolerance(index_t length = 1) {
  double const eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  return eps * 32 * std::sqrt(static_cast<double>(std::max<index_t>(length, 1)) + 16);
}

/// The largest |a - b| relative to the largest finite |b|; infinity where one is not finite and the other differs.
template <class A, class E>
double relative_error(std::vector<A> const& actual, std::vector<E> const& expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double largest = 0, error = 0;
  for (E e : expected)
    if (std::isfinite(e)) largest = std::max(largest, std::abs(static_cast<double>(e)));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    double const a = static_cast<double>(actual[i]), e = static_cast<double>(expected[i]);
    if (std::isfinite(e) && std::isfinite(a))
      error = std::max(error, std::abs(a - e));
    else if (!(a == e || (std::isnan(a) && std::isnan(e))))
      return std::numeric_limits<double>::infinity();
  }
  return largest > 0 ? error / largest : error;
}

/// The largest relative_error of several answers, each held to its own scale.
inline double largest_error(std::vector<std::vector<double>> const& actual, std::vector<std::vector<double>> const& expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double error = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) error = std::max(error, relative_error(actual[i], expected[i]));
  return error;
}

/// Largest error of `gradient` against central differences of `value(x)`, relative to the largest entry.
/// `x` is changed and restored. Two step sizes are combined (Richardson), so that 1e-7 is within reach in double.
template <class F>
double finite_difference_error(std::vector<double>& x, std::vector<double> const& gradient, F&& value, double step = 1e-3) {
  double largest = 1e-3, error = 0;  // a gradient of 0 is compared absolutely
  for (double g : gradient) largest = std::max(largest, std::abs(g));
  for (std::size_t i = 0; i < x.size(); ++i) {
    double const saved = x[i];
    auto slope = [&](double h) {
      x[i] = saved + h;
      double const up = value();
      x[i] = saved - h;
      double const down = value();
      x[i] = saved;
      return (up - down) / (2 * h);
    };
    double const estimate = (4 * slope(step / 2) - slope(step)) / 3;
    error = std::max(error, std::abs(estimate - gradient[i]));
  }
  return error / largest;
}

}  // namespace causaldpo::test
