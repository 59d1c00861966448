// SPDX-License-Identifier: Apache-2.0
// Scalar mathematics that is safe at the edges, written once over a value type V: a float or double, or a pack of
// them (see core/lane.hpp). A backend with SIMD packs specialises `lane_math<pack>`; everything below then works.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "causaldpo/core/config.hpp"

namespace causaldpo {

/// What a value type must provide. The primary template serves float and double; a pack specialises it.
/// `mask` is what a comparison yields: bool here, a vector of flags for a pack.
template <class V>
struct lane_math {
  using scalar = V;
  using mask = bool;
  CAUSALDPO_HD static V broadcast(V x) { return x; }
  CAUSALDPO_HD static V exp(V x) { return std::exp(x); }
  CAUSALDPO_HD static V log(V x) { return std::log(x); }
  CAUSALDPO_HD static V log1p(V x) { return std::log1p(x); }
  CAUSALDPO_HD static V expm1(V x) { return std::expm1(x); }
  CAUSALDPO_HD static V sqrt(V x) { return std::sqrt(x); }
  CAUSALDPO_HD static V tanh(V x) { return std::tanh(x); }
  CAUSALDPO_HD static V abs(V x) { return x < V(0) ? -x : (x == V(0) ? V(0) : x); }
  CAUSALDPO_HD static V select(bool m, V a, V b) { return m ? a : b; }
  CAUSALDPO_HD static bool both(bool a, bool b) { return a && b; }
  CAUSALDPO_HD static bool either(bool a, bool b) { return a || b; }
  CAUSALDPO_HD static bool negation(bool a) { return !a; }
  CAUSALDPO_HD static bool any(bool a) { return a; }
  /// By bits, so that it holds even when a host program is compiled with -Ofast.
  CAUSALDPO_HD static bool is_nan(V x) {
    if constexpr (sizeof(V) == 4) {
      std::uint32_t u;
      std::memcpy(&u, &x, 4);
      return (u & 0x7fffffffU) > 0x7f800000U;
    } else {
      std::uint64_t u;
      std::memcpy(&u, &x, 8);
      return (u & 0x7fffffffffffffffULL) > 0x7ff0000000000000ULL;
    }
  }
};

/// Functions over a value type V. Call them qualified: `math::exp(x)`.
namespace math {

template <class V> using scalar_t = typename lane_math<V>::scalar;
template <class V> using mask_t = typename lane_math<V>::mask;

// Not std::numeric_limits, whose members a device may not call.
template <class T> CAUSALDPO_HD constexpr T infinity() { return static_cast<T>(__builtin_huge_val()); }
/// The smallest number > 0 that has all its digits.
template <class T> CAUSALDPO_HD constexpr T smallest_normal() {
  if constexpr (sizeof(T) == 4) return T(0x1p-126F);
  else return T(0x1p-1022);
}

template <class V> CAUSALDPO_HD V broadcast(scalar_t<V> x) { return lane_math<V>::broadcast(x); }
template <class V> CAUSALDPO_HD V exp(V const& x) { return lane_math<V>::exp(x); }
template <class V> CAUSALDPO_HD V log(V const& x) { return lane_math<V>::log(x); }
template <class V> CAUSALDPO_HD V log1p(V const& x) { return lane_math<V>::log1p(x); }
template <class V> CAUSALDPO_HD V expm1(V const& x) { return lane_math<V>::expm1(x); }
template <class V> CAUSALDPO_HD V sqrt(V const& x) { return lane_math<V>::sqrt(x); }
template <class V> CAUSALDPO_HD V tanh(V const& x) { return lane_math<V>::tanh(x); }
template <class V> CAUSALDPO_HD V abs(V const& x) { return lane_math<V>::abs(x); }
template <class V> CAUSALDPO_HD mask_t<V> is_nan(V const& x) { return lane_math<V>::is_nan(x); }
/// `m ? a : b`, element by element.
template <class V> CAUSALDPO_HD V select(mask_t<V> const& m, V const& a, V const& b) { return lane_math<V>::select(m, a, b); }
template <class V> CAUSALDPO_HD mask_t<V> both(mask_t<V> const& a, mask_t<V> const& b) { return lane_math<V>::both(a, b); }
template <class V> CAUSALDPO_HD mask_t<V> either(mask_t<V> const& a, mask_t<V> const& b) { return lane_math<V>::either(a, b); }
template <class V> CAUSALDPO_HD mask_t<V> negation(mask_t<V> const& a) { return lane_math<V>::negation(a); }
/// Whether any element of a mask is set.
template <class V> CAUSALDPO_HD bool any(mask_t<V> const& m) { return lane_math<V>::any(m); }
/// The larger (smaller) of two; a NaN in `a` yields `b`.
template <class V> CAUSALDPO_HD V max(V const& a, V const& b) { return select<V>(a > b, a, b); }
template <class V> CAUSALDPO_HD V min(V const& a, V const& b) { return select<V>(a < b, a, b); }

/// softplus(x) = log(1 + e^x) = max(x, 0) + log1p(e^-|x|). Exact at both ends: 0 at -inf, x at +inf.
template <class V> CAUSALDPO_HD V softplus(V const& x) {
  return max<V>(x, broadcast<V>(0)) + log1p<V>(exp<V>(-abs<V>(x)));
}

/// The logistic function 1 / (1 + e^-x), with full relative accuracy in the left tail (never 1 - s(x)).
template <class V> CAUSALDPO_HD V sigmoid(V const& x) {
  V const e = exp<V>(-abs<V>(x));
  V const one = broadcast<V>(1);
  return select<V>(x >= broadcast<V>(0), one, e) / (one + e);
}

/// log s(x) = -softplus(-x).
template <class V> CAUSALDPO_HD V log_sigmoid(V const& x) { return -softplus<V>(-x); }

/// log(1 - e^x) for x <= 0, by the branch that does not cancel; -inf at x >= 0.
template <class V> CAUSALDPO_HD V log1mexp(V const& x) {
  using T = scalar_t<V>;
  V const zero = broadcast<V>(0);
  V const y = min<V>(x, zero);
  V const near_zero = log<V>(-expm1<V>(y));
  V const far = log1p<V>(-exp<V>(y));
  return select<V>(y > broadcast<V>(T(-0.6931471805599453)), near_zero, far);
}

}  // namespace math
}  // namespace causaldpo
