// SPDX-License-Identifier: Apache-2.0
// The risks of the environments, R_k = sum_i q_ik l_i / n_k, and the gradients of any function of them. Shared by the
// adjustment estimators and the penalties on risks.
#pragma once

#include "causaldpo/environment/columns.hpp"

namespace causaldpo {

/// The environments of a batch as an estimator sees them: one entry for each column of q.
template <class T, class S>
struct environment_risks {
  view<accumulator const, 1, S> masses;  ///< n_k
  view<accumulator const, 1, S> risks;   ///< R_k, 0 where inactive
  view<accumulator const, 1, S> prior;   ///< p_k: 0 where inactive, sums to 1 (all 0 if no environment is active)
  view<T const, 1, S> previous;          ///< the input prev_env_weights, if it was given
  accumulator min_mass;

  CAUSALDPO_HD constexpr index_t size() const { return masses.size(); }
  CAUSALDPO_HD constexpr bool active(index_t k) const { return masses.at(k) > min_mass; }
};

namespace detail {

/// True for a number that is neither infinite nor NaN.
CAUSALDPO_HD constexpr bool finite(accumulator x) { return x - x == 0; }

/// f(k): notes an entry of a small vector of weights that is negative or NaN.
template <class T, class S>
struct note_negative {
  view<T const, 1, S> weights;
  nan_watch watch;
  int slot;
  CAUSALDPO_HD void operator()(index_t k) const {
    if (!(weights.at(k) >= T(0))) watch.note(slot, k);
  }
};

/// map(i, k) = q_ik l_i. A row outside an environment is not read for it, so 0 * inf never arises.
template <class T, class S>
struct weighted_loss_map {
  view<T const, 1, S> losses;
  view<T const, 2, S> q;
  nan_watch watch;  // slots: 0 losses, 1 q
  CAUSALDPO_HD accumulator operator()(index_t i, index_t k) const {
    T const w = watch.checked(q.at(i, k), 1, i * q.cols() + k);
    return w == T(0) ? 0 : static_cast<accumulator>(w) * static_cast<accumulator>(watch.checked(losses.at(i), 0, i));
  }
};

/// f(k) turns the sum of q_ik l_i into R_k, 0 where the environment is inactive, and writes the optional outputs.
template <class T, class S>
struct divide_by_mass {
  view<accumulator const, 1, S> masses;
  view<accumulator, 1, S> risks;  // sums on entry
  accumulator min_mass;
  view<T, 1, S> env_losses{};
  view<T, 1, S> env_mass{};
  CAUSALDPO_HD void operator()(index_t k) const {
    risks.at(k) = masses.at(k) > min_mass ? risks.at(k) / masses.at(k) : 0;
    if (env_losses.given()) env_losses.at(k) = static_cast<T>(risks.at(k));
    if (env_mass.given()) env_mass.at(k) = static_cast<T>(masses.at(k));
  }
};

/// Gradients of a function V of the risks with slopes s_k = dV/dR_k (0 where inactive):
///   dV/dl_i = sum_k s_k q_ik / n_k;  dV/dq_ik = s_k (l_i - R_k) / n_k.
/// dV/dq is 0 where l_i or R_k is not finite: the slope does not exist there, and 0 moves nothing.
template <class T, class S>
struct risk_gradients {
  view<T const, 1, S> losses;
  view<T const, 2, S> q;
  view<accumulator const, 1, S> masses, risks, slopes;
  view<T, 1, S> grad_losses{};
  view<T, 2, S> grad_q{};
  CAUSALDPO_HD void operator()(index_t i) const {
    accumulator sum = 0;
    for (index_t k = 0; k < q.cols(); ++k) {
      accumulator const s = slopes.at(k) == 0 ? 0 : slopes.at(k) / masses.at(k);
      sum += s * static_cast<accumulator>(q.at(i, k));
      if (grad_q.given()) {
        accumulator const off = static_cast<accumulator>(losses.at(i)) - risks.at(k);
        grad_q.at(i, k) = static_cast<T>(s == 0 || !finite(off) ? 0 : s * off);
      }
    }
    if (grad_losses.given()) grad_losses.at(i) = static_cast<T>(sum);
  }
};

}  // namespace detail
}  // namespace causaldpo
