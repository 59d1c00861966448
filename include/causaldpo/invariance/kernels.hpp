// SPDX-License-Identifier: Apache-2.0
// Kernels of the penalties on outputs, and the rule that gives them their bandwidths.
//   k(x, y) = mean over m (or sum) of f(|x - y|^2 / (2 s_m^2)),   f(u) = e^-u unless you bring your own.
#pragma once

#include <concepts>
#include <sstream>
#include <type_traits>

#include "causaldpo/core/math.hpp"
#include "causaldpo/core/short_list.hpp"
#include "causaldpo/detail/check.hpp"

namespace causaldpo {

/// f(u) and f'(u) at one place.
template <class V>
struct kernel_point {
  V value, slope;
};

/// The profile of a radial kernel. `f(u)`, marked CAUSALDPO_HD, takes a value type V (core/math.hpp: a number or a
/// pack) and returns kernel_point<V>; u >= 0, +inf included, where both must be 0 or finite.
/// Requires: trivially copyable. Models: kernel::gaussian. Not: a function that takes double only.
template <class F>
concept kernel_function = std::is_trivially_copyable_v<F> && requires(F const f, float x, double y) {
  { f(x) } -> std::same_as<kernel_point<float>>;
  { f(y) } -> std::same_as<kernel_point<double>>;
};

namespace kernel {
/// f(u) = e^-u: the RBF kernel exp(-|x - y|^2 / (2 s^2)).
struct gaussian {
  template <class V>
  CAUSALDPO_HD kernel_point<V> operator()(V const& u) const {
    V const e = math::exp<V>(-u);
    return {e, -e};
  }
};
}  // namespace kernel

static_assert(kernel_function<kernel::gaussian> && !kernel_function<int>);

/// Whether several terms are averaged or added.
enum class averaging { mean, sum };

/// The numbers of a bandwidth rule: `{0.5, 1, 2}`, at most 16.
using bandwidth_list = short_list<double>;

/// Where the s_m come from: the list `bandwidths`, or, where it is empty, the median rule: the square root of the
/// median of |x_i - x_j|^2 over the pairs i < j (the average of the two middle values for an even count) times each of
/// `median_multipliers`. If that median is 0, the mean of the squared distances takes its place; if that is 0 too, or
/// there is no pair, 1. Bandwidths are constants for the gradient. Gretton et al., JMLR 13, 2012, section 8.
struct bandwidth_rule {
  bandwidth_list bandwidths{};
  bandwidth_list median_multipliers{1};

  CAUSALDPO_HD constexpr bool is_median() const { return bandwidths.size() == 0; }
  CAUSALDPO_HD constexpr int count() const { return is_median() ? median_multipliers.size() : bandwidths.size(); }
};

namespace detail {

inline void expect_bandwidths(char const* op, char const* option, bandwidth_list const& list, int least) {
  expect_option(op, option, list.size() >= least, "empty", "a list of one to 16 numbers");
  for (int m = 0; m < list.size(); ++m) {
    std::ostringstream text;
    text << option << '[' << m << ']';
    expect_option(op, text.str().c_str(), list[m] > 0 && is_finite(list[m]), list[m], "finite and > 0");
  }
}
inline void expect_rule(char const* op, bandwidth_rule const& rule) {
  expect_bandwidths(op, "bandwidths", rule.bandwidths, 0);
  if (rule.is_median()) expect_bandwidths(op, "median_multipliers", rule.median_multipliers, 1);
}

}  // namespace detail
}  // namespace causaldpo
