// SPDX-License-Identifier: Apache-2.0
// Squared Euclidean distances between the rows of two matrices, by differences and never by |x|^2 + |c|^2 - 2 x.c,
// which has no digits left far from the origin.
#pragma once

#include "causaldpo/concepts/backend.hpp"

namespace causaldpo::detail {

/// sum_d (x_d - c_d)^2 in double. Four running sums, so that the additions need not wait for one another. NaN if x or
/// c holds one; +inf where the difference of two infinities is not a number.
template <class T, class U, class S>
CAUSALDPO_HD accumulator squared_distance(view<T const, 1, S> x, view<U const, 1, S> c) {
  accumulator sum[4] = {0, 0, 0, 0};
  index_t const d_count = x.size();
  for (index_t d = 0; d < d_count; ++d) {
    accumulator const t = static_cast<accumulator>(x.at(d)) - static_cast<accumulator>(c.at(d));
    sum[d & 3] += t * t;
  }
  accumulator const total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  if (!math::is_nan(total)) return total;
  for (index_t d = 0; d < d_count; ++d)
    if (math::is_nan(x.at(d)) || math::is_nan(c.at(d))) return total;
  return math::infinity<accumulator>();
}

/// distances(i, k) = |x_i - c_k|^2. Cost O(N K D). Slots of the watch: `slot` for x, `slot` + 1 for the centres.
template <class T, class U, class S>
struct squared_distances {
  view<T const, 2, S> x;
  view<U const, 2, S> centers;
  view<accumulator, 2, S> distances;
  nan_watch watch;
  int slot;
  CAUSALDPO_HD void operator()(index_t i, index_t k) const {
    accumulator const distance = squared_distance<T, U, S>(x.row(i), centers.row(k));
    distances.at(i, k) = distance;
    if (!math::is_nan(distance)) return;
    for (index_t d = 0; d < x.cols(); ++d) {
      watch.checked(x.at(i, d), slot, i * x.cols() + d);
      watch.checked(centers.at(k, d), slot + 1, k * x.cols() + d);
    }
  }
};

}  // namespace causaldpo::detail
