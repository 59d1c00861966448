// SPDX-License-Identifier: Apache-2.0
// The environments that a training run settled on, and what each puts in front of people: log p(item | environment).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "app/environment_axis.hpp"

namespace recommender {

/// One covariate of the model with its exposure. Offsets of several covariates compose by adding their log ratios:
/// log p(y|e) = log p(y) + sum_c sum_k q_ck (log p(y|c_k) - log p(y)).
struct exposure_axis {
  environment_axis axis;
  double smoothing = 200;              ///< Dirichlet mass alpha
  double gain = 0;                     ///< held-out exposure gain in nats: mean of sum_k q_k log p(y|e_k) - log p(y)
  std::vector<float> log_conditional;  ///< [K,V]
  std::vector<float> prior;            ///< [K]
};

/// Everything that is needed to compute an offset in training and at serving.
class environment_model {
 public:
  std::vector<exposure_axis> axes;   ///< empty: one environment, the marginal exposure
  std::vector<float> log_marginal;   ///< [V] log p(y)
  std::vector<std::string> decisions;  ///< which environments were chosen and why, a sentence each

  std::size_t items() const { return log_marginal.size(); }
  /// log p(y | circumstances of an interaction) for one item.
  float log_exposure(std::span<std::vector<float> const> memberships, std::int32_t item) const;
};

/// How environments are looked for.
struct environment_options {
  std::vector<std::string> covariates{};    ///< "time" or columns; empty: one environment
  std::optional<std::size_t> environments{};  ///< a fixed number for numeric covariates; nothing: chosen by the held-out gain
  std::optional<double> smoothing{};        ///< fixed alpha; nothing: chosen with the number
  double threshold = 0.05;                  ///< nats that more than one environment must gain
  std::uint64_t seed = 1;                   ///< of the held-out tenth and of the mixtures
  std::function<void(std::string const&)> say{};
};

/// The chosen environments together with the values of their covariates in this log.
struct fitted_environments {
  environment_model model;
  std::vector<covariate_values> values;          ///< one for each axis of the model
  std::vector<std::vector<float>> memberships;   ///< one for each axis: [log.interactions, K], rows of all interactions
};

/// Chooses the environments by the held-out exposure gain (a tenth of the training interactions) and counts exposure on all of
/// them. `training` are indices into log.interactions.
fitted_environments fit_environments(interaction_log const& log, std::span<std::int32_t const> training, environment_options const& options);

/// log p(y) of some interactions: one environment, smoothing 0 and half a count for every item.
std::vector<float> log_popularity(interaction_log const& log, std::span<std::int32_t const> interactions);

/// What each environment is: size, span, popularity of its items, and the items it over-exposes most. One line each.
std::vector<std::string> describe_environments(interaction_log const& log, fitted_environments const& fitted, std::span<std::int32_t const> training);

}  // namespace recommender
