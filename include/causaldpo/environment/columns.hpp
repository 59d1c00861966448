// SPDX-License-Identifier: Apache-2.0
// Environments as columns of a membership matrix q [B,K]: their masses, which are active, and the prior over them.
// Shared by the adjustment estimators and the invariance penalties.
//   n_k = sum_i q_ik;  environment k is active if n_k > min_mass;  a_ik = q_ik / n_k for active k, else 0.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/check.hpp"

namespace causaldpo {

/// Where the weights p_k of the environments come from. Inactive ones get 0 and the rest is renormalised to sum 1.
/// A prior is a constant: no gradient flows through it.
enum class prior_kind {
  uniform,  ///< the same for every active environment
  batch,    ///< proportional to n_k (with `stratified` this is exactly the plain mean: it adjusts nothing)
  given,    ///< the caller's vector [K]
  ema       ///< (1 - ema_rate) * given + ema_rate * n / sum n: a running prior over batches
};

namespace detail {

/// map(i, k) = q_ik in double.
template <class T, class S>
struct membership_map {
  view<T const, 2, S> q;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t k) const { return static_cast<accumulator>(q.at(i, k)); }
};

/// One work item: turns masses and the given prior into the prior over the active environments.
template <class T, class S>
struct normalise_prior {
  view<accumulator const, 1, S> masses;
  view<T const, 1, S> given;
  prior_kind kind;
  accumulator ema_rate, min_mass;
  view<accumulator, 1, S> prior;  // out, sums to 1, or all 0 if no environment is active
  view<T, 1, S> updated;          // out, optional: the running state before masking

  CAUSALDPO_HD void operator()(index_t) const {
    index_t const k_count = masses.size();
    accumulator mass = 0, total = 0;
    for (index_t k = 0; k < k_count; ++k) mass += masses.at(k);
    for (index_t k = 0; k < k_count; ++k) {
      accumulator p = 1;
      if (kind == prior_kind::batch) p = masses.at(k);
      if (kind == prior_kind::given) p = static_cast<accumulator>(given.at(k));
      if (kind == prior_kind::ema)
        p = (1 - ema_rate) * static_cast<accumulator>(given.at(k)) + (mass > 0 ? ema_rate * masses.at(k) / mass : 0);
      if (updated.given()) updated.at(k) = static_cast<T>(p);
      prior.at(k) = masses.at(k) > min_mass ? p : 0;
      total += prior.at(k);
    }
    for (index_t k = 0; k < k_count; ++k) prior.at(k) = total > 0 ? prior.at(k) / total : 0;
  }
};

/// masses[k] = n_k, summed in double.
template <backend B, real_scalar T>
void column_masses(B& be, view<T const, 2, typename B::space> q, view<accumulator, 1, typename B::space> masses) {
  be.reduce_cols(q.rows(), q.cols(), membership_map<T, typename B::space>{q}, sum_fold<>{}, masses);
}

/// Checks that a prior was given exactly where the option needs one.
template <class V>
void expect_prior(char const* op, prior_kind kind, V const& prior, index_t environments) {
  bool const needed = kind == prior_kind::given || kind == prior_kind::ema;
  if (needed) expect_size(op, "prior", prior, environments, "one weight for each column of q");
}

}  // namespace detail
}  // namespace causaldpo
