// SPDX-License-Identifier: Apache-2.0
// Building of an interaction log.
#include "data/log_builder.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "data/text.hpp"

namespace recommender {

namespace {

constexpr double largest_rating = 1e9;
constexpr double largest_time = 1e14;
constexpr double first_millisecond_time = 1e11;  // as seconds this would be the year 5138

/// Empty when `field` is a number in [0, largest], otherwise what is wrong with it.
std::string number_problem(std::string_view name, std::string_view field, double largest, double& value) {
  if (!parse_number(field, value)) return std::string(name) + " " + in_quotes(field) + " is not a number";
  if (value < 0) return std::string(name) + " " + in_quotes(field) + " is negative";
  if (value > largest) return std::string(name) + " " + in_quotes(field) + " is too large";
  return {};
}

}  // namespace

std::int32_t id_table::number(const std::string& id) {
  const auto [place, added] = numbers_.try_emplace(id, static_cast<std::int32_t>(ids_.size()));
  if (added) {
    if (ids_.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) throw data_error("more than 2^31 - 1 different ids");
    ids_.push_back(id);
  }
  return place->second;
}

log_builder::log_builder(const read_options& options, std::string source, bool has_rating, bool has_time, std::vector<std::string> covariates)
    : options_(options), names_(std::move(covariates)), levels_(names_.size()), codes_(names_.size()) {
  log_.source = std::move(source);
  log_.has_rating = has_rating;
  log_.has_time = has_time;
}

void log_builder::problem(std::size_t line, const std::string& what) {
  const std::string message = log_.source + ":" + std::to_string(line) + ": " + what;
  if (options_.strict) throw data_error(message);
  ++log_.malformed;
  if (first_problem_.empty()) first_problem_ = message;
  if (options_.on_problem) options_.on_problem(message);
}

void log_builder::row(std::size_t line, const std::string& user, const std::string& item, std::string_view rating, std::string_view timestamp,
                      const std::vector<std::string>& extra) {
  interaction entry;
  double score = 1;
  std::string wrong;
  if (user.empty()) wrong = "the user is empty";
  if (wrong.empty() && item.empty()) wrong = "the item is empty";
  if (wrong.empty() && log_.has_rating) wrong = number_problem("rating", rating, largest_rating, score);
  if (wrong.empty() && log_.has_time) wrong = number_problem("timestamp", timestamp, largest_time, entry.timestamp);
  if (!wrong.empty()) return problem(line, wrong);

  entry.rating = static_cast<float>(score);
  entry.user = users_.number(user);
  entry.item = items_.number(item);
  log_.interactions.push_back(entry);
  for (std::size_t c = 0; c < names_.size(); ++c) codes_[c].push_back(levels_[c].number(extra[c]));
}

/// Drops the rows whose entry in `kept` is 0, here and in the covariates.
void log_builder::keep(const std::vector<char>& kept) {
  const auto compact = [&](auto& column) {
    std::size_t to = 0;
    for (std::size_t from = 0; from < kept.size(); ++from)
      if (kept[from] != 0) column[to++] = column[from];
    column.resize(to);
  };
  compact(log_.interactions);
  for (auto& column : codes_) compact(column);
}

void log_builder::drop_low_ratings() {
  if (!options_.min_rating) return;
  if (!log_.has_rating) throw data_error(log_.source + ": a minimum rating was asked for, but the log has no ratings");
  std::vector<char> kept(log_.interactions.size());
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = static_cast<double>(log_.interactions[i].rating) >= *options_.min_rating ? 1 : 0;
  log_.below_min_rating = static_cast<std::size_t>(std::count(kept.begin(), kept.end(), char{0}));
  keep(kept);
}

void log_builder::drop_duplicates() {
  const auto& rows = log_.interactions;
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (rows[a].user != rows[b].user) return rows[a].user < rows[b].user;
    if (rows[a].item != rows[b].item) return rows[a].item < rows[b].item;
    if (rows[a].timestamp != rows[b].timestamp) return rows[a].timestamp < rows[b].timestamp;
    return a < b;
  });
  std::vector<char> kept(rows.size(), 1);
  for (std::size_t i = 1; i < order.size(); ++i) {
    const interaction &a = rows[order[i - 1]], &b = rows[order[i]];
    if (a.user == b.user && a.item == b.item) kept[order[i]] = 0;
  }
  log_.duplicates = static_cast<std::size_t>(std::count(kept.begin(), kept.end(), char{0}));
  if (log_.duplicates > 0) keep(kept);
}

void log_builder::convert_milliseconds() {
  if (!log_.has_time) return;
  std::vector<double> times(log_.interactions.size());
  std::transform(log_.interactions.begin(), log_.interactions.end(), times.begin(), [](const interaction& x) { return x.timestamp; });
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  if (*middle <= first_millisecond_time) return;
  for (interaction& x : log_.interactions) x.timestamp /= 1000;
  log_.warnings.push_back("timestamps are milliseconds (half of them are above 1e11) and were converted to seconds");
}

void log_builder::finish_covariates() {
  for (std::size_t c = 0; c < names_.size(); ++c) {
    const std::vector<std::string> ids = levels_[c].take_ids();
    covariate_column column;
    std::vector<std::int32_t> renumbered(ids.size(), -1);
    column.code.reserve(codes_[c].size());
    for (const std::int32_t code : codes_[c]) {
      std::int32_t& number = renumbered[static_cast<std::size_t>(code)];
      if (number < 0) {
        number = static_cast<std::int32_t>(column.levels.size());
        column.levels.push_back(ids[static_cast<std::size_t>(code)]);
      }
      column.code.push_back(number);
    }
    std::vector<double> values(column.levels.size());
    bool numeric = true;
    for (std::size_t level = 0; level < values.size(); ++level) numeric = numeric && parse_number(column.levels[level], values[level]);
    if (numeric)
      for (const std::int32_t code : column.code) column.numeric.push_back(values[static_cast<std::size_t>(code)]);
    log_.covariates.emplace(names_[c], std::move(column));
  }
}

interaction_log log_builder::finish(bool rating_may_be_constant) {
  auto& rows = log_.interactions;
  if (rows.empty() && log_.malformed > 0)
    throw data_error(log_.source + ": none of its " + std::to_string(log_.lines) + " lines is usable; the first problem: " + first_problem_);
  if (rows.empty()) throw data_error(log_.source + ": has no interactions");
  if (!rating_may_be_constant && std::all_of(rows.begin(), rows.end(), [&](const interaction& x) { return x.rating == rows[0].rating; })) {
    log_.has_rating = false;
    for (interaction& x : rows) x.rating = 1;
  }
  drop_low_ratings();
  if (rows.empty()) throw data_error(log_.source + ": all " + std::to_string(log_.below_min_rating) + " ratings are below the minimum asked for");
  drop_duplicates();
  convert_milliseconds();
  finish_covariates();
  log_.user_ids = users_.take_ids();
  log_.item_ids = items_.take_ids();
  if (log_.malformed > 0)
    log_.warnings.push_back(std::to_string(log_.malformed) + " of " + std::to_string(log_.lines) + " lines are malformed and were skipped");
  if (log_.duplicates > 0)
    log_.warnings.push_back(std::to_string(log_.duplicates) + " rows repeat a user and item and were dropped; the earliest of each stays");
  return std::move(log_);
}

}  // namespace recommender
