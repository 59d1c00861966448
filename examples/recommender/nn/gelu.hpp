// SPDX-License-Identifier: Apache-2.0
// GELU in its tanh form: g(u) = u/2 (1 + tanh(sqrt(2/pi) (u + 0.044715 u^3))), within 5e-4 of u Phi(u).
// The tanh form, not the exact one with erf, because tanh exists for SIMD packs. Source: Hendrycks and Gimpel, arXiv 1606.08415,
// section 2.
#pragma once

#include "nn/types.hpp"

namespace recommender {

inline constexpr double gelu_scale = 0.7978845608028654;  // sqrt(2 / pi)
inline constexpr double gelu_cubic = 0.044715;

/// f(i, lane): y = g(u).
template <class T, class S>
struct gelu_kernel {
  using lane_scalar = T;
  causaldpo::view<T const, 2, S> u;
  causaldpo::view<T, 2, S> y;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    using V = typename L::value;
    V const x = lane.load_row(u, i);
    V const inner =
        L::broadcast(static_cast<T>(gelu_scale)) * x * (L::broadcast(T(1)) + L::broadcast(static_cast<T>(gelu_cubic)) * x * x);
    lane.store_row(y, i, L::broadcast(T(0.5)) * x * (L::broadcast(T(1)) + causaldpo::math::tanh<V>(inner)));
  }
};

/// f(i, lane): grad *= g'(u) = (1 + t)/2 + u/2 (1 - t^2) sqrt(2/pi) (1 + 3 0.044715 u^2), t the hyperbolic tangent above.
template <class T, class S>
struct gelu_gradient {
  using lane_scalar = T;
  causaldpo::view<T const, 2, S> u;
  causaldpo::view<T, 2, S> grad;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    using V = typename L::value;
    V const one = L::broadcast(T(1)), half = L::broadcast(T(0.5)), scale = L::broadcast(static_cast<T>(gelu_scale));
    V const x = lane.load_row(u, i), square = x * x;
    V const t = causaldpo::math::tanh<V>(scale * x * (one + L::broadcast(static_cast<T>(gelu_cubic)) * square));
    V const slope =
        half * (one + t) + half * x * (one - t * t) * scale * (one + L::broadcast(static_cast<T>(3 * gelu_cubic)) * square);
    lane.store_row(grad, i, lane.load_row(grad, i) * slope);
  }
};

}  // namespace recommender
