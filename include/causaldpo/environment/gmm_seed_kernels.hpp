// SPDX-License-Identifier: Apache-2.0
// The work items of gmm_initialize: k-means++ seeds, nearest centres, and the best of several starts.
#pragma once

#include "causaldpo/core/philox.hpp"
#include "causaldpo/environment/gmm_kernels.hpp"
#include "causaldpo/ops/squared_distance.hpp"

namespace causaldpo::detail {

/// A row that may become a centre: the smallest `key` wins, ties go by `tie`, then by row.
struct seed_candidate {
  accumulator key = math::infinity<accumulator>(), tie = math::infinity<accumulator>();
  index_t row = INT64_MAX;
  CAUSALDPO_HD explicit operator std::int64_t() const { return row == INT64_MAX ? 0 : row; }
  CAUSALDPO_HD bool before(seed_candidate const& o) const {
    if (key != o.key) return key < o.key;
    if (tie != o.tie) return tie < o.tie;
    return row < o.row;
  }
};

struct seed_fold {
  using value_type = seed_candidate;
  CAUSALDPO_HD static seed_candidate identity() { return {}; }
  CAUSALDPO_HD seed_candidate operator()(seed_candidate const& a, seed_candidate const& b) const { return b.before(a) ? b : a; }
};

/// map(i): row i with an exponential variable of rate d_i, its squared distance to the nearest centre. The row with the smallest
/// of them is drawn with probability d_i / sum d: sampling without a running sum. Where all d are 0 the tie decides,
/// which is uniform.
template <class S>
struct seed_map {
  view<accumulator const, 1, S> nearest;
  random_stream random;
  std::uint32_t draw;
  CAUSALDPO_HD seed_candidate operator()(index_t i) const {
    accumulator const unit = -math::log1p(-random.uniform<accumulator>(static_cast<std::uint64_t>(i), draw));
    seed_candidate c;
    c.tie = unit;
    c.key = nearest.at(i) > 0 ? unit / nearest.at(i) : math::infinity<accumulator>();
    c.row = i;
    return c;
  }
};

/// The drawn row becomes centre k.
template <class T, class S>
struct take_seed {
  view<T const, 2, S> x;
  view<std::int64_t const, 1, S> row;
  view<accumulator, 1, S> center;
  CAUSALDPO_HD void operator()(index_t d) const { center.at(d) = static_cast<accumulator>(x.at(row.at(0), d)); }
};

/// Before the first centre every row is at distance 1.
template <class S>
struct fill_ones {
  view<accumulator, 1, S> x;
  CAUSALDPO_HD void operator()(index_t i) const { x.at(i) = 1; }
};

/// nearest_i = min(nearest_i, |x_i - c|^2); the first centre sets it.
template <class T, class S>
struct update_nearest {
  view<T const, 2, S> x;
  view<accumulator const, 1, S> center;
  view<accumulator, 1, S> nearest;
  bool first;
  CAUSALDPO_HD void operator()(index_t i) const {
    accumulator const distance = squared_distance<T, accumulator, S>(x.row(i), center);
    if (first || distance < nearest.at(i)) nearest.at(i) = distance;
  }
};

/// r(k, i) = 1 for the nearest centre (the first of equals), 0 for the rest.
template <class T, class S>
struct assign_nearest {
  view<T const, 2, S> x;
  view<accumulator const, 2, S> centers;
  view<accumulator, 2, S> r;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t best = 0;
    accumulator smallest = math::infinity<accumulator>();
    for (index_t k = 0; k < centers.rows(); ++k) {
      accumulator const distance = squared_distance<T, accumulator, S>(x.row(i), centers.row(k));
      r.at(k, i) = 0;
      if (distance < smallest) {
        smallest = distance;
        best = k;
      }
    }
    r.at(best, i) = 1;
  }
};

/// map(i, d) = x_id, and (x_id - mean_d)^2. A NaN or an infinity is noted.
template <class T, class S>
struct value_map {
  view<T const, 2, S> x;
  nan_watch watch;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t d) const {
    accumulator const v = static_cast<accumulator>(x.at(i, d));
    if (!(v - v == 0)) watch.note(math::is_nan(v) ? gmm_slots::x : gmm_slots::x_infinite, i * x.cols() + d);
    return v;
  }
};
template <class T, class S>
struct variation_map {
  view<T const, 2, S> x;
  view<accumulator const, 1, S> sums;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t d) const {
    accumulator const t = static_cast<accumulator>(x.at(i, d)) - sums.at(d) / static_cast<accumulator>(x.rows());
    return t * t;
  }
};

/// Component k starts with the variances of all rows, which it keeps if no row is nearest to it.
template <class S>
struct start_covariance {
  gmm_state<S> m;
  view<accumulator const, 1, S> variations;  // [D] sums of squared deviations
  accumulator rows, reg_covar;
  CAUSALDPO_HD void operator()(index_t k) const {
    index_t const d_count = m.means.cols();
    accumulator mean = 0;
    for (index_t d = 0; d < d_count; ++d) mean += variations.at(d) / rows / static_cast<accumulator>(d_count);
    if (m.kind == covariance_kind::spherical) m.covariances.at(k, 0) = mean + reg_covar;
    else if (m.kind == covariance_kind::diag)
      for (index_t d = 0; d < d_count; ++d) m.covariances.at(k, d) = variations.at(d) / rows + reg_covar;
    else if (m.kind == covariance_kind::full || k == 0)
      for (index_t i = 0; i < d_count; ++i)
        for (index_t j = 0; j <= i; ++j) m.covariances.at(k * d_count + i, j) = i == j ? variations.at(i) / rows + reg_covar : 0;
  }
};

/// Component k of a start into the results if the start is the first or its likelihood (element 0) beats the best so far
/// (element 1).
template <class T, class S>
struct keep_if_better {
  gmm_parameters<T const, S> start;
  view<T const, 1, S> likelihoods;  // [2]
  gmm_parameters<T, S> best;
  bool first;
  CAUSALDPO_HD void operator()(index_t k) const {
    if (!first && !(likelihoods.at(0) > likelihoods.at(1))) return;
    best.weights.at(k) = start.weights.at(k);
    for (index_t d = 0; d < start.means.cols(); ++d) best.means.at(k, d) = start.means.at(k, d);
    index_t const k_count = start.weights.size(), from = start.covariances.rows() * k / k_count,
                  to = start.covariances.rows() * (k + 1) / k_count;
    for (index_t r = from; r < to; ++r)
      for (index_t c = 0; c < start.covariances.cols(); ++c) best.covariances.at(r, c) = start.covariances.at(r, c);
  }
};
/// One work item, after keep_if_better.
template <class T, class S>
struct keep_likelihood {
  view<T, 1, S> likelihoods, best;  // best may be left out
  bool first;
  CAUSALDPO_HD void operator()(index_t) const {
    if (first || likelihoods.at(0) > likelihoods.at(1)) likelihoods.at(1) = likelihoods.at(0);
    if (best.given()) best.at(0) = likelihoods.at(1);
  }
};

}  // namespace causaldpo::detail
