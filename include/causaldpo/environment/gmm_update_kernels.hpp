// SPDX-License-Identifier: Apache-2.0
// The work items of the M-step of a Gaussian mixture, and those that hand its results out.
#pragma once

#include "causaldpo/environment/gmm_kernels.hpp"

namespace causaldpo::detail {

/// map(k, i) = r_ik.
template <class S>
struct responsibility_map {
  view<accumulator const, 2, S> r;
  CAUSALDPO_HD accumulator operator()(index_t k, index_t i) const { return r.at(k, i); }
};

/// Component k: w_k = n_k / N and mu_k = sum_i r_ik x_i / n_k; a dead component keeps its mean. Without rows all stay.
template <class S>
struct update_means {
  gmm_state<S> m;
  accumulator rows, min_mass;
  CAUSALDPO_HD void operator()(index_t k) const {
    if (rows > 0) m.weights.at(k) = m.masses.at(k) / rows;
    if (!(m.masses.at(k) > min_mass)) return;
    for (index_t d = 0; d < m.means.cols(); ++d) m.means.at(k, d) = m.sums.at(k, d) / m.masses.at(k);
  }
};

/// z(d, i) = (x_id - mu_kd)^2, or sqrt(r_ik) (x_id - mu_kd), so that z z' is component k's share of the moments.
template <class S>
struct deviations {
  using lane_scalar = accumulator;
  view<accumulator const, 2, S> tile;
  view<accumulator const, 1, S> mean;
  view<accumulator const, 2, S> r;
  view<accumulator, 2, S> z;
  index_t k;
  bool squares;
  template <class L>
  CAUSALDPO_HD void operator()(index_t d, L const& lane) const {
    using V = typename L::value;
    V const t = lane.load_row(tile, d) - L::broadcast(mean.at(d));
    lane.store_row(z, d, squares ? t * t : t * math::sqrt<V>(lane.load_row(r, k)));
  }
};

/// f(i, j): moments into an entry of the covariances, reg_covar added to a diagonal; of a matrix the lower triangle. A dead
/// component keeps its own covariance.
template <class S>
struct update_covariances {
  gmm_state<S> m;
  accumulator rows, reg_covar, min_mass;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const {
    index_t const d_count = m.means.cols();
    bool const tied = m.kind == covariance_kind::tied;
    accumulator const n = tied ? rows : m.masses.at(m.diagonal() ? i : i / d_count);
    if (!(n > (tied ? 0 : min_mass))) return;
    if (m.kind == covariance_kind::spherical) {
      accumulator sum = 0;
      for (index_t d = 0; d < d_count; ++d) sum += m.moments.at(i, d);
      m.covariances.at(i, 0) = sum / (n * static_cast<accumulator>(d_count > 0 ? d_count : 1)) + reg_covar;
    } else if (m.diagonal() || j <= i % d_count) {
      m.covariances.at(i, j) = m.moments.at(i, j) / n + (m.diagonal() || j == i % d_count ? reg_covar : 0);
    }
  }
};

/// One component of the state into the caller's parameters; matrices are made symmetric from the lower triangle.
template <class T, class S>
struct store_component {
  gmm_state<S> from;
  gmm_parameters<T, S> to;  // any may be left out
  CAUSALDPO_HD void operator()(index_t k) const {
    index_t const k_count = from.weights.size(), d_count = from.means.cols();
    if (to.weights.given()) to.weights.at(k) = static_cast<T>(from.weights.at(k));
    if (to.means.given())
      for (index_t d = 0; d < d_count; ++d) to.means.at(k, d) = static_cast<T>(from.means.at(k, d));
    if (!to.covariances.given()) return;
    index_t const first = to.covariances.rows() * k / k_count, last = to.covariances.rows() * (k + 1) / k_count;
    for (index_t r = first; r < last; ++r)
      for (index_t c = 0; c < to.covariances.cols(); ++c) {
        index_t const i = from.diagonal() ? 0 : r % d_count;
        bool const lower = from.diagonal() || c <= i;
        to.covariances.at(r, c) = static_cast<T>(lower ? from.covariances.at(r, c) : from.covariances.at(r - i + c, i));
      }
  }
};

/// map(i) = a vector's element.
template <class S>
struct element_map {
  view<accumulator const, 1, S> x;
  CAUSALDPO_HD accumulator operator()(index_t i) const { return x.at(i); }
};

/// One work item: out[at] = sum / N (0 without rows).
template <class T, class S>
struct store_mean {
  view<accumulator const, 1, S> sum;
  accumulator rows;
  view<T, 1, S> out;
  index_t at;
  CAUSALDPO_HD void operator()(index_t) const { out.at(at) = static_cast<T>(rows > 0 ? sum.at(0) / rows : 0); }
};

}  // namespace causaldpo::detail
