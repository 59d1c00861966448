// SPDX-License-Identifier: Apache-2.0
// Counting of exposure, its held-out gain, and the choice of how many environments and how smooth.
#include "app/environment_model.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "app/host_backend.hpp"
#include "causaldpo/environment/exposure_model.hpp"
#include "data/philox.hpp"

namespace recommender {
namespace {

constexpr std::size_t candidate_environments[] = {4, 8, 24};
constexpr double candidate_smoothings[] = {50, 200, 1000, 3000, 10000};
constexpr double default_smoothing = 200;
constexpr double worth_more_environments = 0.01;  // nats that a finer division must add
constexpr double year = 365 * 86400.0;
constexpr std::uint32_t held_out_stream = 0x454e5653;

using indices = std::vector<std::int32_t>;

struct exposure {
  std::vector<float> log_marginal, log_conditional, prior;
};

exposure count_exposure(interaction_log const& log, std::span<std::int32_t const> rows, std::span<float const> q, std::size_t k, double smoothing) {
  auto const items = log.items();
  std::vector<std::int32_t> taken;
  taken.reserve(rows.size());
  for (std::int32_t r : rows) taken.push_back(log.interactions[static_cast<std::size_t>(r)].item);
  exposure e{std::vector<float>(items), std::vector<float>(k * items), std::vector<float>(k)};
  host_backend backend;
  auto const n = static_cast<causaldpo::index_t>(rows.size()), columns = static_cast<causaldpo::index_t>(k), v = static_cast<causaldpo::index_t>(items);
  causaldpo::exposure_model(backend, taken, causaldpo::matrix(q.data(), n, columns),
                            {.log_marginal = e.log_marginal, .log_conditional = causaldpo::matrix(e.log_conditional.data(), columns, v), .prior = e.prior},
                            {.item_count = v, .smoothing = smoothing});
  return e;
}

/// Mean over `rows` of sum_k q_k log p(y|e_k) - log p(y).
double exposure_gain(interaction_log const& log, std::span<std::int32_t const> rows, std::span<float const> q, std::size_t k, exposure const& e) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto const y = static_cast<std::size_t>(log.interactions[static_cast<std::size_t>(rows[i])].item);
    double mixed = 0, mass = 0;
    for (std::size_t c = 0; c < k; ++c)
      if (q[i * k + c] > 0) {
        mixed += static_cast<double>(q[i * k + c]) * static_cast<double>(e.log_conditional[c * log.items() + y]);
        mass += static_cast<double>(q[i * k + c]);
      }
    sum += mixed - mass * static_cast<double>(e.log_marginal[y]);
  }
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
}

struct choice {
  environment_axis axis;
  double smoothing = default_smoothing, gain = -INFINITY;
};

/// The ways of dividing one covariate that are tried, the simplest first: ties keep the earlier one.
std::vector<environment_axis> candidates(covariate_values const& values, indices const& training, environment_options const& options) {
  if (values.numbers.empty()) return {level_axis(values)};
  std::vector<double> seen;
  for (std::int32_t r : training) seen.push_back(values.numbers[static_cast<std::size_t>(r)]);
  auto const [low, high] = std::minmax_element(seen.begin(), seen.end());
  bool const spans_a_year = values.is_time && !seen.empty() && *high - *low > year;
  std::vector<std::size_t> counts(std::begin(candidate_environments), std::end(candidate_environments));
  if (options.environments) counts = {*options.environments};
  std::vector<environment_axis> all;
  for (std::size_t k : counts) {
    all.push_back(slice_axis(values.name, seen, k));
    if (spans_a_year) all.push_back(slice_axis(values.name, seen, k, year));
    if (k <= 8) all.push_back(cluster_axis(values.name, seen, k, options.seed));
  }
  return all;
}

std::string nats(double gain) {
  std::ostringstream text;
  text << std::showpos << std::fixed << std::setprecision(3) << gain << " nats";
  return text.str();
}

}  // namespace

float environment_model::log_exposure(std::span<std::vector<float> const> memberships, std::int32_t item) const {
  auto const y = static_cast<std::size_t>(item);
  float const marginal = log_marginal[y];
  float sum = marginal;
  for (std::size_t a = 0; a < axes.size(); ++a)
    for (std::size_t k = 0; k < memberships[a].size(); ++k)
      if (memberships[a][k] > 0) sum += memberships[a][k] * (axes[a].log_conditional[k * items() + y] - marginal);
  return sum;
}

fitted_environments fit_environments(interaction_log const& log, std::span<std::int32_t const> training, environment_options const& options) {
  fitted_environments fitted;
  indices const all(training.begin(), training.end());
  indices counted, held;
  random_draws const draws(options.seed);
  for (std::int32_t r : training) (draws.uniform(held_out_stream, static_cast<std::uint32_t>(r)) < 0.1 ? held : counted).push_back(r);

  std::vector<float> const ones(training.size(), 1.0F);
  fitted.model.log_marginal = count_exposure(log, training, ones, 1, default_smoothing).log_marginal;

  bool const forced = options.environments.has_value();
  if (forced && *options.environments <= 1) {
    fitted.model.decisions.push_back("one environment, as asked for");
    return fitted;
  }
  for (std::string const& name : options.covariates) {
    covariate_values values = covariate_of(log, name);
    choice best;
    for (environment_axis const& axis : candidates(values, counted, options)) {
      if (axis.environments() < 2) continue;
      if (options.say) options.say("trying " + std::to_string(axis.environments()) + " environments of " + name);
      std::vector<float> const q = memberships_of(axis, values, counted), q_held = memberships_of(axis, values, held);
      for (double smoothing : candidate_smoothings) {
        if (options.smoothing && smoothing != candidate_smoothings[0]) break;
        double const alpha = options.smoothing.value_or(smoothing);
        double const gain = exposure_gain(log, held, q_held, axis.environments(), count_exposure(log, counted, q, axis.environments(), alpha));
        bool const finer = best.axis.environments() > 0 && axis.environments() > best.axis.environments();
        if (gain > best.gain + (finer ? worth_more_environments : 1e-9)) best = {axis, alpha, gain};
      }
    }
    std::ostringstream why;
    if (best.axis.environments() < 2) {
      why << name << ": one environment, because the log has a single value of it";
    } else if (best.gain <= options.threshold && !forced) {
      why << name << ": one environment; the best division (" << best.axis.environments() << " of them) gains only " << nats(best.gain)
          << " on held-out interactions, and more than one pays only above " << options.threshold;
    } else {
      std::vector<float> q = memberships_of(best.axis, values, all);
      exposure e = count_exposure(log, training, q, best.axis.environments(), best.smoothing);
      why << name << ": " << best.axis.environments() << " environments ("
          << (best.axis.kind == axis_kind::levels ? "one for each value" : best.axis.kind == axis_kind::slices ? "slices"
              : best.axis.kind == axis_kind::clusters ? "clusters found by EM" : "slices of the year")
          << "), smoothing " << best.smoothing << ", held-out exposure gain " << nats(best.gain);
      indices every(log.interactions.size());
      for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<std::int32_t>(i);
      fitted.memberships.push_back(memberships_of(best.axis, values, every));
      fitted.model.axes.push_back({best.axis, best.smoothing, best.gain, std::move(e.log_conditional), std::move(e.prior)});
      fitted.values.push_back(std::move(values));
    }
    fitted.model.decisions.push_back(why.str());
  }
  if (options.covariates.empty()) fitted.model.decisions.push_back("one environment: no covariate to look at");
  return fitted;
}

std::vector<float> log_popularity(interaction_log const& log, std::span<std::int32_t const> interactions) {
  std::vector<float> const ones(interactions.size(), 1.0F);
  return count_exposure(log, interactions, ones, 1, 0).log_marginal;
}

}  // namespace recommender
