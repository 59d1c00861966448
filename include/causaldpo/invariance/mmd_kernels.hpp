// SPDX-License-Identifier: Apache-2.0
// The functors of mmd_penalty. Notation: a_k = q_k / n_k the columns of A, abar their mean over the active
// environments, N_km = a_k' Kx a_m over all i, j, s_km = a_k' a_m, kappa = k(x, x).
//
// V is a sum over the pairs used of c (G_kk + G_mm - 2 G_km). Biased: G = N. Unbiased (i = j left out):
//   G_km = (N_km - kappa s_km) / (1 - s_km) = N_km + r_km,  r_km = s_km (N_km - kappa) / (1 - s_km).
// N enters V only through differences, so it is formed from the contrasts a_k - abar, whose products are as small as
// V itself; differences of the N_km would lose the digits of a float. With M_kk = sum_m c / (1 - s_kk) over the pairs
// of k, M_km = -c / (1 - s_km) (s = 0 when biased), and E_km = M_km G_km (0 when biased):
//   dV/dx_i = 4 sum_j H_ij (x_i - x_j),  H_ij = (A M A')_ij dk/d|x_i - x_j|^2
//   dV/dA   = 2 ((Kx A - kappa A) M + A E)   (without kappa when biased)
//   dV/dq_ik = (dV/dA_ik - sum_j A_jk dV/dA_jk) / n_k,  the sum being t_k = 2 sum_m M_km G_km.
#pragma once

#include "causaldpo/environment/columns.hpp"
#include "causaldpo/invariance/bandwidths.hpp"

namespace causaldpo::detail {

/// map(i, k K + m) = a_ik a_im, in double: 1 - s_km decides whether a pair is used.
template <class T, class S>
struct overlap_map {
  view<T const, 2, S> q;
  view<accumulator const, 1, S> masses;
  accumulator min_mass;
  CAUSALDPO_HD accumulator share(index_t i, index_t k) const {
    return masses.at(k) > min_mass ? static_cast<accumulator>(q.at(i, k)) / masses.at(k) : 0;
  }
  CAUSALDPO_HD accumulator operator()(index_t i, index_t c) const { return share(i, c / q.cols()) * share(i, c % q.cols()); }
};

/// One work item: which pairs are used, their coefficient c and the matrix M.
template <class S>
struct choose_pairs {
  view<accumulator const, 1, S> masses;
  view<accumulator const, 2, S> overlaps;  // not given: biased
  accumulator min_mass;
  averaging reduction;
  view<accumulator, 2, S> m;
  view<accumulator, 1, S> coefficient;
  view<std::int64_t, 1, S> pairs_used;

  CAUSALDPO_HD accumulator divisor(index_t k, index_t l) const { return overlaps.given() ? 1 - overlaps.at(k, l) : 1; }
  CAUSALDPO_HD bool used(index_t k, index_t l) const {
    return masses.at(k) > min_mass && masses.at(l) > min_mass && divisor(k, k) > 1e-12 && divisor(l, l) > 1e-12 &&
           divisor(k, l) > 1e-12;
  }
  CAUSALDPO_HD void operator()(index_t) const {
    std::int64_t count = 0;
    for (index_t k = 0; k < masses.size(); ++k)
      for (index_t l = k + 1; l < masses.size(); ++l)
        if (used(k, l)) ++count;
    accumulator const c = reduction == averaging::mean && count > 0 ? 1 / static_cast<accumulator>(count) : 1;
    coefficient.at(0) = c;
    if (pairs_used.given()) pairs_used.at(0) = count;
    for (index_t k = 0; k < masses.size(); ++k) {
      accumulator diagonal = 0;
      for (index_t l = 0; l < masses.size(); ++l) {
        if (l == k) continue;
        bool const pair = used(k, l);
        m.at(k, l) = pair ? -c / divisor(k, l) : 0;
        diagonal += pair ? c / divisor(k, k) : 0;
      }
      m.at(k, k) = diagonal;
    }
  }
};

/// f(i): row i of A, of the contrasts [a_k - abar, abar], and of U = A M.
template <class T, class S>
struct split_memberships {
  overlap_map<T, S> shares;
  view<accumulator const, 2, S> m;
  view<T, 2, S> a, contrasts, u;
  nan_watch watch;
  int slot;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const k_count = shares.q.cols();
    accumulator sum = 0;
    index_t active = 0;
    for (index_t k = 0; k < k_count; ++k) {
      watch.checked(shares.q.at(i, k), slot, i * k_count + k);
      sum += shares.share(i, k);
      if (shares.masses.at(k) > shares.min_mass) ++active;
    }
    accumulator const mean = active > 0 ? sum / static_cast<accumulator>(active) : 0;
    for (index_t k = 0; k < k_count; ++k) {
      accumulator const share = shares.share(i, k);
      accumulator product = 0;
      for (index_t l = 0; l < k_count; ++l) product += shares.share(i, l) * m.at(l, k);
      a.at(i, k) = static_cast<T>(share);
      u.at(i, k) = static_cast<T>(product);
      contrasts.at(i, k) = static_cast<T>(shares.masses.at(k) > shares.min_mass ? share - mean : 0);
    }
    contrasts.at(i, k_count) = static_cast<T>(mean);
  }
};

/// The kernel over all bandwidths, as a function of the squared distance.
template <class F, class S>
struct kernel_sum {
  F kernel;
  view<accumulator const, 1, S> scales;  // 1 / (2 s_m^2)
  accumulator share;                     // of one bandwidth
  /// k, and dk/d(distance), which is 0 between equal points: they do not move each other (no 0 * inf for a bandwidth near 0).
  template <class V>
  CAUSALDPO_HD kernel_point<V> at(V const& distance) const {
    using T = math::scalar_t<V>;
    V const zero = math::broadcast<V>(T(0)), part = math::broadcast<V>(static_cast<T>(share));
    V value = zero, slope = zero;
    for (index_t m = 0; m < scales.size(); ++m) {
      V const scale = math::broadcast<V>(static_cast<T>(scales.at(m)));
      kernel_point<V> const f = kernel(V(distance * scale));
      value = value + f.value;
      slope = slope + f.slope * scale;
    }
    return {V(value * part), math::select<V>(distance > zero, V(slope * part), zero)};
  }
};

/// What a pass over the tiles of the kernel matrix computes; the views of what is not wanted are not given.
template <class F, class T, class S>
struct mmd_products {
  kernel_sum<F, S> kernel;
  view<T const, 2, S> contrasts;  // [B,K+1]
  view<T, 2, S> kx;               // [B,K+1] Kx contrasts
  view<T const, 2, S> u, a;       // [B,K] the weights W = u a' (u = A M)
  view<T const, 2, S> x;          // [B,D+1] the centred rows and a column of ones
  view<T, 2, S> hx;               // [B,D+1] H x with H_ij = W_ij dk/d|x_i - x_j|^2
};

/// One tile: squared distances become kernel values, and weights W become H = W dk/d(distance).
template <class F, class T, class S>
struct kernel_tile {
  using lane_scalar = T;
  kernel_sum<F, S> kernel;
  view<T, 2, S> distances;  // kernel values on exit
  view<T, 2, S> weights;    // H on exit; may be left out
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    using V = typename L::value;
    kernel_point<V> const k = kernel.template at<V>(lane.load_row(distances, i));
    lane.store_row(distances, i, k.value);
    if (weights.given()) lane.store_row(weights, i, V(lane.load_row(weights, i) * k.slope));
  }
};

/// map(i, k (K+1) + m) = contrast_ik (Kx contrast)_im.
template <class T, class S>
struct contrast_product_map {
  view<T const, 2, S> contrasts, products;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t c) const {
    return static_cast<accumulator>(contrasts.at(i, c / contrasts.cols())) *
           static_cast<accumulator>(products.at(i, c % contrasts.cols()));
  }
};

/// One work item: V, the matrix E and the sums t.
template <class F, class T, class S>
struct mmd_finish {
  view<accumulator const, 2, S> nhat;      // [K+1,K+1] contrast_k' Kx contrast_m
  view<accumulator const, 2, S> overlaps;  // not given: biased
  view<accumulator const, 2, S> m;
  view<accumulator const, 1, S> coefficient;
  accumulator kappa;
  view<accumulator, 2, S> e;
  view<accumulator, 1, S> t;
  view<T, 1, S> value;

  CAUSALDPO_HD accumulator n(index_t k, index_t l) const {
    index_t const mean = nhat.cols() - 1;
    return nhat.at(k, l) + nhat.at(k, mean) + nhat.at(l, mean) + nhat.at(mean, mean);
  }
  CAUSALDPO_HD accumulator r(index_t k, index_t l) const {
    return overlaps.given() ? overlaps.at(k, l) * (n(k, l) - kappa) / (1 - overlaps.at(k, l)) : 0;
  }
  CAUSALDPO_HD void operator()(index_t) const {
    index_t const k_count = m.cols();
    accumulator sum = 0;
    for (index_t k = 0; k < k_count; ++k) {
      t.at(k) = 0;
      for (index_t l = 0; l < k_count; ++l) {
        bool const used = m.at(k, l) != 0;
        if (used && l > k) sum += nhat.at(k, k) + nhat.at(l, l) - 2 * nhat.at(k, l) + r(k, k) + r(l, l) - 2 * r(k, l);
        accumulator const pair = used ? m.at(k, l) * (n(k, l) + r(k, l)) : 0;
        t.at(k) += 2 * pair;
        e.at(k, l) = overlaps.given() ? pair : 0;
      }
    }
    if (value.given()) value.at(0) = static_cast<T>(coefficient.at(0) * sum);
  }
};

/// f(i): row i of dV/dq.
template <class T, class S>
struct mmd_grad_q {
  overlap_map<T, S> shares;
  view<T const, 2, S> products;  // [B,K+1] Kx contrasts
  view<accumulator const, 2, S> m, e;
  view<accumulator const, 1, S> t;
  bool unbiased;
  accumulator kappa;
  view<T, 2, S> grad;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const k_count = grad.cols();
    for (index_t k = 0; k < k_count; ++k) {
      accumulator sum = 0;
      for (index_t l = 0; l < k_count; ++l) {
        accumulator of_l = static_cast<accumulator>(products.at(i, l));
        // the rows of a biased M sum to 0, so what all environments share drops out
        if (unbiased) of_l += static_cast<accumulator>(products.at(i, k_count)) - kappa * shares.share(i, l);
        sum += m.at(k, l) * of_l + e.at(k, l) * shares.share(i, l);
      }
      accumulator const n = shares.masses.at(k);
      grad.at(i, k) = static_cast<T>(n > shares.min_mass ? (2 * sum - t.at(k)) / n : 0);
    }
  }
};

/// f(i, d): dV/dx_id from H [x, 1].
template <class T, class S>
struct mmd_grad_outputs {
  view<T const, 2, S> x, hx;  // [B,D+1]
  view<T, 2, S> grad;
  CAUSALDPO_HD void operator()(index_t i, index_t d) const {
    grad.at(i, d) = T(4) * (hx.at(i, grad.cols()) * x.at(i, d) - hx.at(i, d));
  }
};

}  // namespace causaldpo::detail
