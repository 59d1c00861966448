// SPDX-License-Identifier: Apache-2.0
// Parsing of the serving options and what contradicts what.
#include "app/serving_arguments.hpp"

#include <stdexcept>

namespace recommender {

void serving_arguments::add(CLI::App& app) {
  app.add_option("--serve", mode, "what to rank for: none (the policy's own scores), uniform (every item shown alike, for a model trained with the offset), today (the request's own exposure), "
                                  "forecast (the exposure of --counts), removed (any model minus its popularity, after training)")
      ->check(CLI::IsMember({"none", "uniform", "today", "forecast", "removed"}))->capture_default_str();
  app.add_option("--kappa", kappa, "share of the natural exponent 1 + 1/beta at which exposure is put back (or, with removed, taken away)");
  app.add_option("--counts", counts, "with --serve forecast: a log of the environment to serve; only its counts are used");
}

serving_options serving_arguments::resolve(saved_model const& model, std::string const& columns) const {
  serving_options options;
  options.mode = serve_mode_of(mode);
  options.kappa = kappa;
  if (kappa && !(*kappa >= 0 && *kappa <= 100)) throw std::invalid_argument("--kappa must be a number from 0 to 100");
  if (options.mode == serve_mode::uniform && kappa && *kappa != 0)
    throw std::invalid_argument("--serve uniform means kappa 0; to put a share of the exposure back use --serve today or forecast");
  if (options.mode == serve_mode::forecast) {
    if (counts.empty()) throw std::invalid_argument("--serve forecast needs --counts LOG, a log of the environment to serve");
    options.forecast_log_exposure = forecast_exposure(model.item_ids, model.item_counts, read_log(counts, {.columns = columns}));
  } else if (!counts.empty()) {
    throw std::invalid_argument("--counts is read with --serve forecast only");
  }
  if (options.mode == serve_mode::uniform && !model.conditional()) options.kappa = 0;
  return options;
}

}  // namespace recommender
