// SPDX-License-Identifier: Apache-2.0
// The scores of a model under each way of serving.
#include "app/serving.hpp"

#include <algorithm>
#include <stdexcept>
#include <unordered_map>

#include "app/host_backend.hpp"
#include "causaldpo/environment/exposure_model.hpp"

namespace recommender {

serve_mode serve_mode_of(std::string const& name) {
  if (name == "none") return serve_mode::none;
  if (name == "uniform") return serve_mode::uniform;
  if (name == "today") return serve_mode::today;
  if (name == "forecast") return serve_mode::forecast;
  if (name == "removed") return serve_mode::removed;
  throw std::invalid_argument("--serve is " + name + " and must be none, uniform, today, forecast or removed");
}

double kappa_of(serving_options const& options, serving_context const& context) {
  if (options.kappa) return *options.kappa;
  switch (options.mode) {
    case serve_mode::today: return context.kappa_today;
    case serve_mode::forecast: return 0.5;
    case serve_mode::removed: return 0.75;
    default: return 0;
  }
}

void serve(std::span<float> scores, serving_options const& options, serving_context const& context,
           std::span<std::vector<float> const> memberships) {
  double const weight = kappa_of(options, context) * context.natural_exponent;
  if (options.mode == serve_mode::none || options.mode == serve_mode::uniform || weight == 0) return;
  std::vector<float> const& marginal = context.environments->log_marginal;
  for (std::size_t y = 0; y < scores.size(); ++y) {
    float exposure = 0;
    if (options.mode == serve_mode::removed) {
      exposure = -marginal[y];
    } else {
      exposure = options.mode == serve_mode::forecast ? options.forecast_log_exposure[y]
                                                      : context.environments->log_exposure(memberships, static_cast<std::int32_t>(y));
      if (!context.conditional) exposure -= marginal[y];  // the model still holds the exposure it was trained under
    }
    scores[y] += static_cast<float>(weight) * exposure;
  }
}

std::vector<float> forecast_exposure(std::span<std::string const> item_ids, std::span<std::int64_t const> training_counts,
                                     interaction_log const& counts, double smoothing) {
  std::unordered_map<std::string, std::int32_t> number;
  std::vector<std::int32_t> items;
  std::vector<float> q, weights;
  for (std::size_t y = 0; y < item_ids.size(); ++y) {
    number.emplace(item_ids[y], static_cast<std::int32_t>(y));
    items.push_back(static_cast<std::int32_t>(y));
    q.push_back(0);  // counts for the marginal only
    weights.push_back(static_cast<float>(training_counts[y]));
  }
  std::size_t known = 0;
  for (interaction const& row : counts.interactions) {
    auto const found = number.find(counts.item_ids[static_cast<std::size_t>(row.item)]);
    if (found == number.end()) continue;
    items.push_back(found->second);
    q.push_back(1);
    weights.push_back(1);
    ++known;
  }
  if (known == 0) throw data_error(counts.source + " has no item of the training log: it says nothing about its exposure");
  std::vector<float> conditional(item_ids.size());
  host_backend backend;
  auto const n = static_cast<causaldpo::index_t>(items.size()), v = static_cast<causaldpo::index_t>(item_ids.size());
  causaldpo::exposure_model(backend, items, causaldpo::matrix(q.data(), n, 1), {.log_conditional = causaldpo::matrix(conditional.data(), 1, v)},
                            {.item_count = v, .smoothing = smoothing}, weights);
  return conditional;
}

}  // namespace recommender
