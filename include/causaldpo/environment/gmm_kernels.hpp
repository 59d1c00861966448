// SPDX-License-Identifier: Apache-2.0
// The work items of the E-step of a Gaussian mixture. Everything is double: rows enter as a transposed tile [D,n], so
// that lanes run over neighbouring rows whatever D and K are.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/environment/gmm_parameters.hpp"

namespace causaldpo::detail {

/// A mixture in double with what is derived from it; views of one scratch block (gmm_steps.hpp).
template <class S>
struct gmm_state {
  covariance_kind kind;
  view<accumulator, 1, S> weights, masses, log_norms;  // [K] w, n, log w - (D log 2 pi + log det C) / 2
  view<accumulator, 1, S> log_dets;                    // [1] tied, [K] otherwise
  view<accumulator, 2, S> means, sums;                 // [K,D] mu, sum_i r_ik x_i
  view<accumulator, 2, S> covariances;                 // as covariance_kind says
  view<accumulator, 2, S> factors;                     // tied, full: Cholesky factors; otherwise [K,D] 1 / standard deviation
  view<accumulator, 2, S> moments;                     // tied, full: as covariances; otherwise [K,D] sum_i r_ik (x_i - mu_k)^2
  CAUSALDPO_HD bool diagonal() const { return kind == covariance_kind::spherical || kind == covariance_kind::diag; }
};

/// The slots of the watch of the mixture operations.
struct gmm_slots {
  static constexpr int x = 0, x_infinite = 1, weights = 2, weights_negative = 3, means = 4, covariances = 5, not_definite = 6,
                       singular = 7;
};

/// One component of the caller's parameters into the state, in double.
template <class T, class S>
struct load_component {
  gmm_parameters<T const, S> from;
  gmm_state<S> to;
  nan_watch watch;
  CAUSALDPO_HD void operator()(index_t k) const {
    T const w = watch.checked(from.weights.at(k), gmm_slots::weights, k);
    if (w < T(0)) watch.note(gmm_slots::weights_negative, k);
    to.weights.at(k) = static_cast<accumulator>(w);
    index_t const k_count = from.weights.size(), d_count = from.means.cols();
    for (index_t d = 0; d < d_count; ++d)
      to.means.at(k, d) = static_cast<accumulator>(watch.checked(from.means.at(k, d), gmm_slots::means, k * d_count + d));
    index_t const first = from.covariances.rows() * k / k_count, last = from.covariances.rows() * (k + 1) / k_count;
    index_t const cols = from.covariances.cols();
    for (index_t r = first; r < last; ++r)
      for (index_t c = 0; c < cols; ++c)
        if (to.diagonal() || c <= r % d_count)
          to.covariances.at(r, c) =
              static_cast<accumulator>(watch.checked(from.covariances.at(r, c), gmm_slots::covariances, r * cols + c));
  }
};

/// x_id in double, noted if it is not finite; row 0 of x is row `first` of what the caller gave.
template <class T, class S>
CAUSALDPO_HD accumulator finite_row_entry(view<T const, 2, S> x, index_t i, index_t d, index_t first, nan_watch watch) {
  accumulator const v = static_cast<accumulator>(x.at(i, d));
  if (!(v - v == 0)) watch.note(math::is_nan(v) ? gmm_slots::x : gmm_slots::x_infinite, (first + i) * x.cols() + d);
  return v;
}

/// n rows of x, transposed into the tile.
template <class T, class S>
struct load_tile {
  view<T const, 2, S> rows;  // [n,D], from row `first` of x
  view<accumulator, 2, S> tile;
  index_t first;
  nan_watch watch;
  CAUSALDPO_HD void operator()(index_t i) const {
    for (index_t d = 0; d < rows.cols(); ++d) tile.at(d, i) = finite_row_entry<T, S>(rows, i, d, first, watch);
  }
};

/// Component k of a spherical or diagonal mixture: 1 / standard deviations and log_norms.
template <class S>
struct prepare_diagonal {
  gmm_state<S> m;
  nan_watch watch;
  int slot;
  CAUSALDPO_HD void operator()(index_t k) const {
    index_t const d_count = m.means.cols(), cols = m.covariances.cols();
    accumulator log_det = 0;
    for (index_t d = 0; d < d_count; ++d) {
      index_t const c = cols == 1 ? 0 : d;
      accumulator const variance = m.covariances.at(k, c);
      if (!(variance > 0)) watch.note(slot, k * cols + c);
      m.factors.at(k, d) = 1 / math::sqrt(variance);
      log_det += math::log(variance);
    }
    m.log_norms.at(k) =
        math::log(m.weights.at(k)) - (static_cast<accumulator>(d_count) * accumulator(1.8378770664093453) + log_det) / 2;
  }
};

/// Component k of a tied or full mixture, after the factorisation.
template <class S>
struct prepare_full {
  gmm_state<S> m;
  CAUSALDPO_HD void operator()(index_t k) const {
    accumulator const log_det = m.log_dets.at(m.kind == covariance_kind::full ? k : 0);
    m.log_norms.at(k) =
        math::log(m.weights.at(k)) - (static_cast<accumulator>(m.means.cols()) * accumulator(1.8378770664093453) + log_det) / 2;
  }
};

/// r(k, i) = log w_k + log N(x_i; mu_k, C_k) of a spherical or diagonal mixture.
template <class S>
struct diagonal_log_density {
  using lane_scalar = accumulator;
  gmm_state<S> m;
  view<accumulator const, 2, S> tile;
  view<accumulator, 2, S> r;
  template <class L>
  CAUSALDPO_HD void operator()(index_t k, L const& lane) const {
    typename L::value sum = L::broadcast(0);
    for (index_t d = 0; d < tile.rows(); ++d) {
      typename L::value const t = (lane.load_row(tile, d) - L::broadcast(m.means.at(k, d))) * L::broadcast(m.factors.at(k, d));
      sum = sum + t * t;
    }
    lane.store_row(r, k, L::broadcast(m.log_norms.at(k)) - L::broadcast(0.5) * sum);
  }
};

/// The same for component k of a tied or full mixture: L z = x - mu by forward substitution, |z|^2 the distance.
template <class S>
struct full_log_density {
  using lane_scalar = accumulator;
  gmm_state<S> m;
  view<accumulator const, 2, S> tile;
  view<accumulator, 2, S> z, r;
  index_t k;
  template <class L>
  CAUSALDPO_HD void operator()(L const& lane) const {
    index_t const d_count = tile.rows(), first = m.kind == covariance_kind::full ? k * d_count : 0;
    typename L::value sum = L::broadcast(0);
    for (index_t d = 0; d < d_count; ++d) {
      typename L::value t = lane.load_row(tile, d) - L::broadcast(m.means.at(k, d));
      for (index_t e = 0; e < d; ++e) t = t - L::broadcast(m.factors.at(first + d, e)) * lane.load_row(z, e);
      t = t / L::broadcast(m.factors.at(first + d, d));
      lane.store_row(z, d, t);
      sum = sum + t * t;
    }
    lane.store_row(r, k, L::broadcast(m.log_norms.at(k)) - L::broadcast(0.5) * sum);
  }
};

/// Responsibilities from log-densities, in place, and the row's log-likelihood, both in log space. A row whose densities
/// are all 0 even in logarithms is shared by the weights.
template <class S>
struct normalise_densities {
  using lane_scalar = accumulator;
  view<accumulator const, 1, S> weights;
  view<accumulator, 2, S> r;
  view<accumulator, 1, S> log_density;
  template <class L>
  CAUSALDPO_HD void operator()(L const& lane) const {
    using V = typename L::value;
    V const zero = L::broadcast(0), none = L::broadcast(-math::infinity<accumulator>());
    V largest = none, sum = zero;
    for (index_t k = 0; k < r.rows(); ++k) largest = math::max<V>(lane.load_row(r, k), largest);
    V const shift = math::select<V>(largest > none, largest, zero);
    for (index_t k = 0; k < r.rows(); ++k) {
      V const e = math::exp<V>(lane.load_row(r, k) - shift);
      lane.store_row(r, k, e);
      sum = sum + e;
    }
    for (index_t k = 0; k < r.rows(); ++k)
      lane.store_row(r, k, math::select<V>(sum > zero, lane.load_row(r, k) / sum, L::broadcast(weights.at(k))));
    lane.store(log_density, shift + math::log<V>(sum));
  }
};

/// One row of the tile's responsibilities, for the caller.
template <class T, class S>
struct store_responsibilities {
  view<accumulator const, 2, S> r;
  view<T, 2, S> out;  // [n,K]
  CAUSALDPO_HD void operator()(index_t i) const {
    for (index_t k = 0; k < out.cols(); ++k) out.at(i, k) = static_cast<T>(r.at(k, i));
  }
};

}  // namespace causaldpo::detail
