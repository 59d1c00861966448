// SPDX-License-Identifier: Apache-2.0
// What a backend must say about its packs (neighbouring elements in one SIMD register) so that the lanes, the row
// passes and the edges of exp and log are written once for all of them.
#pragma once

#include <limits>

#include "causaldpo/core/math.hpp"

namespace causaldpo {

/// How the elements of a pack V are reached. A specialisation stands beside `lane_math<V>` and has
///
/// | member | |
/// |---|---|
/// | `width` | how many elements a pack has |
/// | `load(p)`, `store(p, x)` | from and to memory of any alignment |
/// | `generate(f)` | the pack whose element w is f(w) |
/// | `generate_where(m, f, x)` | f(w) where the mask m is set, and there alone; x elsewhere |
/// | `flags(f)` | the mask that is set where f(w) is true |
/// | `elements(x)`, `elements(m)` | something whose `[w]` is element w of a pack, whether w is set in a mask |
template <class V>
struct pack_traits;

namespace detail {

/// e^x where `fast` saturates near the largest and the smallest results: there e^x = (e^(x/2))^2, which holds to the limits
/// on both sides. The second evaluation costs one test unless such an element occurs.
template <class V, class F>
V exp_to_the_limits(V const& x, F const& fast) {
  using M = lane_math<V>;
  using T = typename M::scalar;
  V y = fast(x);
  auto const near_limit = M::negation(M::abs(x) <= V(sizeof(T) == 4 ? T(87) : T(708)));  // also NaN
  if (M::any(near_limit)) {
    V const half = fast(x * V(T(0.5)));
    y = M::select(near_limit, half * half, y);
    y = M::select(M::is_nan(x), x, y);
  }
  return y;
}

/// log x where `fast` takes a denormal for something else: there the logarithm of a multiple, at the cost of one test.
template <class V, class F>
V log_with_denormals(V const& x, F const& fast) {
  using M = lane_math<V>;
  using T = typename M::scalar;
  V y = fast(x);
  auto const denormal = M::both(x > V(T(0)), x < V(std::numeric_limits<T>::min()));
  if (M::any(denormal)) {
    constexpr T scale = sizeof(T) == 4 ? T(0x1p32) : T(0x1p64), log_scale = (sizeof(T) == 4 ? 32 : 64) * T(0.6931471805599453094);
    y = M::select(denormal, fast(x * V(scale)) - V(log_scale), y);
  }
  return y;
}

}  // namespace detail
}  // namespace causaldpo
