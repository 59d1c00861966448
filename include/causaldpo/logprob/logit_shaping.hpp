// SPDX-License-Identifier: Apache-2.0
// Logit shaping: the soft cap and the temperature that a model applies between its head and its softmax.
#pragma once

#include "causaldpo/core/math.hpp"

namespace causaldpo::detail {

/// y = c tanh(z / c) if there is a cap c, then y / temperature. `cap` 0 means none.
template <class T>
struct logit_shaping {
  T cap, temperature;

  template <class V> CAUSALDPO_HD V shaped(V const& z) const {
    V const t = math::broadcast<V>(temperature);
    if (cap == T(0)) return z / t;
    V const c = math::broadcast<V>(cap);
    return c * math::tanh<V>(z / c) / t;
  }
  /// dy/dz at the shaped logit y: (1 - tanh^2) / temperature, or 1 / temperature without a cap.
  template <class V> CAUSALDPO_HD V slope(V const& y) const {
    V const t = math::broadcast<V>(temperature), one = math::broadcast<V>(1);
    if (cap == T(0)) return one / t;
    V const tanh = y * t / math::broadcast<V>(cap);
    return (one - tanh) * (one + tanh) / t;
  }
};

}  // namespace causaldpo::detail
