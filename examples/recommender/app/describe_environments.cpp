// SPDX-License-Identifier: Apache-2.0
// What was found, in words: a user must be able to see what an environment is.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <numeric>
#include <sstream>

#include "app/environment_model.hpp"

namespace recommender {
namespace {

std::string date(double seconds) {
  std::time_t const t = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&t, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

std::string item_name(interaction_log const& log, std::size_t item) {
  bool const titled = item < log.item_titles.size() && !log.item_titles[item].empty();
  return titled ? log.item_titles[item] : "item " + log.item_ids[item];
}

}  // namespace

std::vector<std::string> describe_environments(interaction_log const& log, fitted_environments const& fitted, std::span<std::int32_t const> training) {
  std::vector<std::string> lines;
  std::size_t const v = log.items();
  for (std::size_t a = 0; a < fitted.model.axes.size(); ++a) {
    exposure_axis const& axis = fitted.model.axes[a];
    std::size_t const k_count = axis.axis.environments();
    for (std::size_t k = 0; k < k_count; ++k) {
      double mass = 0, first = INFINITY, last = -INFINITY, popularity = 0;
      for (std::int32_t r : training) {
        auto const row = static_cast<std::size_t>(r);
        double const q = static_cast<double>(fitted.memberships[a][row * k_count + k]);
        mass += q;
        popularity += q * static_cast<double>(fitted.model.log_marginal[static_cast<std::size_t>(log.interactions[row].item)]);
        if (q >= 0.5 && log.has_time) {
          first = std::min(first, log.interactions[row].timestamp);
          last = std::max(last, log.interactions[row].timestamp);
        }
      }
      std::vector<std::size_t> order(v);
      std::iota(order.begin(), order.end(), std::size_t{0});
      auto const over = [&](std::size_t y) { return axis.log_conditional[k * v + y] - fitted.model.log_marginal[y]; };
      std::size_t const shown = std::min<std::size_t>(3, v);
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
                        [&](std::size_t x, std::size_t y) { return over(x) > over(y) || (over(x) == over(y) && x < y); });
      std::ostringstream text;
      text << axis.axis.describe(k) << ": " << std::fixed << std::setprecision(1) << 100 * mass / static_cast<double>(std::max<std::size_t>(training.size(), 1))
           << " % of the interactions";
      if (first <= last && axis.axis.kind != axis_kind::periodic_slices) text << ", " << date(first) << " to " << date(last);
      if (axis.axis.kind == axis_kind::periodic_slices) text << ", around day " << static_cast<int>(axis.axis.centres[k] / 86400) << " of the year";
      if (mass > 0) text << ", mean log popularity " << std::setprecision(2) << popularity / mass;
      text << "; most over-exposed:";
      for (std::size_t i = 0; i < shown; ++i)
        text << (i ? ", " : " ") << item_name(log, order[i]) << " (x" << std::setprecision(1) << std::exp(static_cast<double>(over(order[i]))) << ")";
      lines.push_back(text.str());
    }
  }
  return lines;
}

}  // namespace recommender
