// SPDX-License-Identifier: Apache-2.0
// One trained policy serves any exposure: score = s(x,y) + kappa N log p(y|e*), N = 1 + 1/beta (1 for a model that was
// only supervised). Training with the offset has taken exposure out of s, so e* and kappa are chosen at serving.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/environment_model.hpp"

namespace recommender {

/// What the ranking is for.
enum class serve_mode {
  none,      ///< the policy's own scores
  uniform,   ///< every item shown alike: kappa 0 after conditional training
  today,     ///< the exposure of the request's own circumstances
  forecast,  ///< the exposure of another log (--counts): a new market, the coming season
  removed    ///< the post-hoc correction of any model: - kappa N log p(y)
};

/// none, uniform, today, forecast or removed; throws std::invalid_argument listing them.
serve_mode serve_mode_of(std::string const& name);

/// What serving needs to know about how a model was trained.
struct serving_context {
  bool conditional = false;     ///< trained with the offset: exposure is put back; otherwise it is swapped
  double natural_exponent = 1;  ///< N
  double kappa_today = 0.4;     ///< chosen on the validation interactions in training
  environment_model const* environments = nullptr;
};

/// How to serve.
struct serving_options {
  serve_mode mode = serve_mode::none;
  std::optional<double> kappa;             ///< nothing: 0 uniform, kappa_today, 0.5 forecast, 0.75 removed
  std::vector<float> forecast_log_exposure;  ///< [V] of the log that --counts names
};

/// The kappa that is used when none is given.
double kappa_of(serving_options const& options, serving_context const& context);

/// Adds the exposure term to one user's scores [V]. `memberships` (one vector for each axis) say which environment the
/// request comes from and are read for `today` only.
void serve(std::span<float> scores, serving_options const& options, serving_context const& context,
           std::span<std::vector<float> const> memberships);

/// log p(y | the environment of `counts`), smoothed towards the training exposure: the forecast.
std::vector<float> forecast_exposure(std::span<std::string const> item_ids, std::span<std::int64_t const> training_counts,
                                     interaction_log const& counts, double smoothing = 200);

}  // namespace recommender
