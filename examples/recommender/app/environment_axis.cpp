// SPDX-License-Identifier: Apache-2.0
// How covariates are cut into slices or levels, and where a value lies among them.
#include "app/environment_axis.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace recommender {
namespace {

constexpr std::size_t most_levels_of_a_numeric_column = 24;

double wrapped(double value, double period) { return period > 0 ? value - period * std::floor(value / period) : value; }

}  // namespace

void environment_axis::memberships(double value, std::span<float> q) const {
  std::fill(q.begin(), q.end(), 0.0F);
  std::size_t const k = environments();
  if (k == 1) {
    q[0] = 1;
    return;
  }
  if (kind == axis_kind::clusters) {
    std::vector<double> log_density(k);
    for (std::size_t c = 0; c < k; ++c) {
      double const off = value - centres[c];
      log_density[c] = weights[c] > 0 ? std::log(weights[c]) - 0.5 * (std::log(variances[c]) + off * off / variances[c]) : -INFINITY;
    }
    double const largest = *std::max_element(log_density.begin(), log_density.end());
    double sum = 0;
    for (double& d : log_density) sum += d = std::exp(d - largest);
    for (std::size_t c = 0; c < k; ++c) q[c] = static_cast<float>(log_density[c] / sum);
    return;
  }
  double const x = wrapped(value, period);
  auto const above = static_cast<std::size_t>(std::upper_bound(centres.begin(), centres.end(), x) - centres.begin());
  std::size_t low = above == 0 ? 0 : above - 1, high = std::min(above, k - 1);
  double width = centres[high] - centres[low], off = x - centres[low];
  if (period > 0 && (above == 0 || above == k)) {  // between the last centre and the first, across the end of the period
    low = k - 1;
    high = 0;
    width = centres[0] + period - centres[k - 1];
    off = x >= centres[k - 1] ? x - centres[k - 1] : x + period - centres[k - 1];
  }
  double const share = low == high || width <= 0 ? 0 : std::clamp(off / width, 0.0, 1.0);
  q[low] += static_cast<float>(1 - share);
  q[high] += static_cast<float>(share);
}

void environment_axis::memberships(std::string const& level, std::span<float> q) const {
  std::fill(q.begin(), q.end(), 0.0F);
  auto const found = std::find(levels.begin(), levels.end(), level);
  if (found != levels.end()) q[static_cast<std::size_t>(found - levels.begin())] = 1;
}

std::string environment_axis::describe(std::size_t environment) const {
  std::ostringstream text;
  if (kind == axis_kind::levels) text << covariate << " = " << (levels[environment].empty() ? "(empty)" : levels[environment]);
  else text << covariate << (kind == axis_kind::clusters ? " cluster " : kind == axis_kind::periodic_slices ? " of the year, slice " : " slice ")
            << environment + 1 << " of " << environments();
  return text.str();
}

covariate_values covariate_of(interaction_log const& log, std::string const& name) {
  covariate_values values;
  values.name = name;
  if (name == "time") {
    if (!log.has_time) throw data_error(log.source + " has no time: leave `time` out of --covariates");
    values.is_time = true;
    for (interaction const& row : log.interactions) values.numbers.push_back(row.timestamp);
    return values;
  }
  auto const column = log.covariates.find(name);
  if (column == log.covariates.end()) {
    std::string known = log.has_time ? "time" : "";
    for (auto const& [other, unused] : log.covariates) known += (known.empty() ? "" : ", ") + other;
    throw data_error(log.source + " has no covariate " + name + "; it has " + (known.empty() ? "none" : known));
  }
  if (!column->second.numeric.empty() && column->second.levels.size() > most_levels_of_a_numeric_column) values.numbers = column->second.numeric;
  else {
    values.levels = column->second.levels;
    values.codes = column->second.code;
  }
  return values;
}

environment_axis slice_axis(std::string const& covariate, std::span<double const> values, std::size_t slices, double period) {
  environment_axis axis;
  axis.covariate = covariate;
  axis.kind = period > 0 ? axis_kind::periodic_slices : axis_kind::slices;
  axis.period = period;
  std::vector<double> sorted(values.begin(), values.end());
  for (double& v : sorted) v = wrapped(v, period);
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t k = 0; k < slices; ++k) {
    double const centre = sorted.empty() ? 0 : sorted[(2 * k + 1) * sorted.size() / (2 * slices)];
    if (axis.centres.empty() || centre > axis.centres.back()) axis.centres.push_back(centre);
  }
  return axis;
}

environment_axis level_axis(covariate_values const& values) {
  environment_axis axis;
  axis.covariate = values.name;
  axis.kind = axis_kind::levels;
  axis.levels = values.levels;
  return axis;
}

std::vector<float> memberships_of(environment_axis const& axis, covariate_values const& values, std::span<std::int32_t const> interactions) {
  std::size_t const k = axis.environments();
  std::vector<float> q(interactions.size() * k), one(k);
  for (std::size_t i = 0; i < interactions.size(); ++i) {
    std::span<float> const row = std::span(q).subspan(i * k, k);
    auto const at = static_cast<std::size_t>(interactions[i]);
    if (axis.kind == axis_kind::levels) axis.memberships(values.levels[static_cast<std::size_t>(values.codes[at])], row);
    else axis.memberships(values.numbers[at], row);
  }
  return q;
}

}  // namespace recommender
