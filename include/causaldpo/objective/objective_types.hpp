// SPDX-License-Identifier: Apache-2.0
// What goes into causal_dpo_objective and what comes out: the batch, the options, the results.
#pragma once

#include <optional>

#include "causaldpo/adjustment/adjusted_loss.hpp"
#include "causaldpo/environment/soft_assignment.hpp"
#include "causaldpo/invariance/mmd_penalty.hpp"
#include "causaldpo/invariance/vrex_penalty.hpp"
#include "causaldpo/preference/conditional_preference.hpp"
#include "causaldpo/preference/metrics.hpp"

namespace causaldpo {

/// One training batch: views of the caller's memory, never modified. Needed: the log-probabilities, and `q` or
/// `features` with `centers`.
template <real_scalar T, memory_space S = host_space>
struct objective_batch {
  preference_batch<T, S> preference{};     ///< B pairs of J rejected items each; sample_weights must be left out
  exposure_offsets<T, S> offsets{};        ///< [B,K], [B*J,K]; only with the option `conditional` (strength not 0)
  view<T const, 2, S> q{};                 ///< [B,K] memberships, with environment_kind::given
  view<T const, 2, S> features{};          ///< [B,F] with environment_kind::soft_assignment
  view<T const, 2, S> centers{};           ///< [K,F] likewise; constants
  view<T const, 2, S> outputs{};           ///< [B,D] what the penalty mmd compares between environments
  view<T const, 1, S> prior{};             ///< [K] for the priors `given` and `ema`
  view<T const, 1, S> prev_env_weights{};  ///< [K] for group_dro
  view<T const, 2, S> assignment{};        ///< [B,K] for ipw with assignment_kind::given
};

/// Where the memberships come from.
enum class environment_kind {
  given,           ///< the input q
  soft_assignment  ///< q = soft_assignment(features, centers)
};

/// Options of the environments.
struct environment_options {
  environment_kind kind = environment_kind::given;
  distance_metric metric = distance_metric::euclidean;
  double temperature = 1;
};

/// The environment-conditional form of the preference loss: see conditional_preference.
struct environment_conditional {
  preference_mixture mixture = preference_mixture::expected;
  double strength = 1;  ///< tau; 1 + beta - s with rejected items drawn from p(y)^s
};

/// A penalty with its weight in the objective.
template <class Options>
struct weighted_penalty {
  double weight = 1;
  Options options{};
};

/// Options of causal_dpo_objective; every one has a default, which together are the plain loss in environments of
/// equal weight. A loss, estimator or kernel of your own: name it in the template.
template <class Loss = loss::any, class Estimator = any_estimator, kernel_function Kernel = kernel::gaussian>
struct objective_options_for {
  preference_options_for<Loss> preference{};             ///< `reduction` must stay mean: `adjustment` reduces
  std::optional<environment_conditional> conditional{};  ///< left out: preference_loss
  environment_options environment{};
  adjustment_options_for<Estimator> adjustment{};
  std::optional<weighted_penalty<mmd_options_for<Kernel>>> mmd{};
  std::optional<weighted_penalty<vrex_options>> vrex{};
  bool environment_gradient = false;  ///< let the gradient reach `features` through q = soft_assignment

  /// How many penalties there are: the length of `penalty_terms`.
  constexpr int penalty_count() const { return (mmd ? 1 : 0) + (vrex ? 1 : 0); }
};
/// Options of causal_dpo_objective with what the library brings.
using objective_options = objective_options_for<>;

/// Outputs of causal_dpo_objective; a member left out is not computed. Gradients are those of `value`.
template <real_scalar T, memory_space S = host_space>
struct objective_results {
  view<T, 1, S> value{};                      ///< [1] preference_term + sum of weight * penalty
  view<T, 1, S> preference_term{};            ///< [1] adjusted_loss of the per-example losses
  view<T, 1, S> penalty_terms{};              ///< [P] unweighted, in the order of the options (mmd, vrex)
  view<T, 2, S> q{};                          ///< [B,K] memberships, dropped examples included
  view<T, 1, S> loss{};                       ///< [B] per example, 0 if dropped
  view<T, 1, S> grad_chosen_logps{};          ///< [B]
  view<T, 2, S> grad_rejected_logps{};        ///< [B,J]
  view<T, 2, S> grad_outputs{};               ///< [B,D] 0 without mmd
  view<T, 2, S> grad_features{};              ///< [B,F] 0 without environment_gradient
  view<T, 2, S> posterior{};                  ///< [B,K] with the mixture `likelihood` only
  view<T, 1, S> env_losses{};                 ///< [K] R_k
  view<T, 1, S> env_mass{};                   ///< [K] n_k over the kept examples
  view<T, 1, S> env_weights{};                ///< [K] see adjusted_loss; the next prev_env_weights of group_dro
  view<T, 1, S> updated_prior{};              ///< [K] with prior_kind::ema: the next prior
  preference_metric_results<T, S> metrics{};  ///< each [K+1]: the batch, then each environment
};

}  // namespace causaldpo
