// SPDX-License-Identifier: Apache-2.0
// The simulated process: preference, exposure, clicks.
#include "data/simulated_world.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

namespace recommender {

namespace {

constexpr std::uint32_t dimensions = 6, markets = 3, campaign_items = 30;
constexpr double taste = 1.6, succession = 0.8, span_years = 0.5;

/// Names of the independent draws of one seed.
enum stream : std::uint32_t {
  item_vector, user_vector, base_term, season_term, market_term, campaign_term, user_market, user_start, click_time, block_campaign, click_noise,
  new_base, new_season, new_market, new_noise
};

}  // namespace

simulated_world::simulated_world(const simulation_options& o)
    : items_(o.items),
      strengths_(strengths_of(o.variant)),
      draws_(o.seed),
      item_vectors_(vectors(item_vector, o.items)),
      user_vectors_(vectors(user_vector, o.users)),
      base_(normal_rows(base_term, 1, strengths_.base)),
      season_(normal_rows(season_term, strengths_.seasons, strengths_.season)),
      market_(normal_rows(market_term, markets, strengths_.market)),
      campaign_(campaign_rows(strengths_.campaign)),
      new_(o.items) {
  const row base = normal_rows(new_base, 1, strengths_.base)[0], season = normal_rows(new_season, 1, strengths_.season)[0],
            market = normal_rows(new_market, 1, strengths_.market)[0];
  for (std::uint32_t y = 0; y < items_; ++y) new_[y] = 0.5 * base_[0][y] + std::sqrt(0.75) * base[y] + season[y] + market[y];
}

simulated_world::row simulated_world::vectors(std::uint32_t stream, std::uint32_t count) const {
  row out;
  for (std::uint32_t i = 0; i < count; ++i)
    for (std::uint32_t d = 0; d < dimensions; ++d) out.push_back(draws_.normal(stream, i, d));
  return out;
}

std::vector<simulated_world::row> simulated_world::normal_rows(std::uint32_t stream, std::uint32_t count, double strength) const {
  std::vector<row> out(count, row(items_));
  for (std::uint32_t r = 0; r < count; ++r)
    for (std::uint32_t y = 0; y < items_; ++y) out[r][y] = strength * draws_.normal(stream, r, y);
  return out;
}

/// Each campaign has the items with the smallest of as many random keys.
std::vector<simulated_world::row> simulated_world::campaign_rows(double strength) const {
  std::vector<row> out(campaign_count, row(items_));
  for (std::uint32_t c = 0; c < out.size(); ++c) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> keyed;
    for (std::uint32_t y = 0; y < items_; ++y) keyed.emplace_back(draws_.bits(campaign_term, c, y), y);
    std::sort(keyed.begin(), keyed.end());
    for (std::uint32_t i = 0; i < campaign_items; ++i) out[c][keyed[i].second] = strength;
  }
  return out;
}

std::int32_t simulated_world::market_of(std::uint32_t user) const { return static_cast<std::int32_t>(draws_.below(markets, user_market, user)); }

std::vector<std::int64_t> simulated_world::times_of(std::uint32_t user) const {
  std::array<double, clicks_per_user> v{};
  for (std::uint32_t i = 0; i < clicks_per_user; ++i) v[i] = draws_.uniform(click_time, user, i);
  std::sort(v.begin(), v.end());
  const double start = draws_.uniform(user_start, user);
  std::vector<std::int64_t> times;
  for (const double x : v) times.push_back(static_cast<std::int64_t>((start + span_years * x) * static_cast<double>(simulated_year)));
  return times;
}

std::int32_t simulated_world::season_at(std::int64_t time) const {
  return static_cast<std::int32_t>(time % simulated_year * static_cast<std::int64_t>(strengths_.seasons) / simulated_year);
}

std::int32_t simulated_world::campaign_of(std::uint32_t user, std::uint32_t block) const {
  if (draws_.uniform(block_campaign, user, block, 0) >= campaign_probability) return no_campaign;
  return static_cast<std::int32_t>(draws_.below(campaign_count, block_campaign, user, block, 1));
}

std::vector<double> simulated_world::exposure(std::int32_t season, std::int32_t market, std::int32_t campaign) const {
  row e(base_[0]);
  const auto add = [&](const row& term) { std::transform(e.begin(), e.end(), term.begin(), e.begin(), std::plus<>()); };
  add(season_[static_cast<std::size_t>(season)]);
  add(market_[static_cast<std::size_t>(market)]);
  if (campaign != no_campaign) add(campaign_[static_cast<std::size_t>(campaign)]);
  return e;
}

std::vector<double> simulated_world::preference(std::uint32_t user, std::int32_t last) const {
  const double scale = 1 / std::sqrt(static_cast<double>(dimensions));
  std::array<double, dimensions> direction{};
  for (std::uint32_t d = 0; d < dimensions; ++d) {
    direction[d] = taste * scale * user_vectors_[std::size_t{user} * dimensions + d];
    if (last >= 0) direction[d] += succession * scale * item_vectors_[static_cast<std::size_t>(last) * dimensions + d];
  }
  row s(items_);
  for (std::size_t y = 0; y < s.size(); ++y) s[y] = std::inner_product(direction.begin(), direction.end(), &item_vectors_[y * dimensions], 0.0);
  return s;
}

std::int32_t simulated_world::click(std::uint32_t user, std::uint32_t number, const click_history& past, const std::vector<double>& e, bool in_new) const {
  const row s = preference(user, past.last);
  double best = -std::numeric_limits<double>::infinity();
  std::int32_t chosen = -1;
  std::array<double, 2> gumbel{};
  for (std::uint32_t y = 0; y < items_; ++y) {
    if (y % 2 == 0) gumbel = draws_.gumbels(in_new ? new_noise : click_noise, user, number, y / 2);
    if (past.taken[y] != 0) continue;
    const double value = s[y] + e[y] + gumbel[y % 2];
    if (value <= best) continue;
    best = value;
    chosen = static_cast<std::int32_t>(y);
  }
  return chosen;
}

void simulated_world::add_probabilities(const std::vector<double>& s, const std::vector<double>& e, const click_history& past, double weight,
                                        std::vector<double>& out) const {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::uint32_t y = 0; y < items_; ++y)
    if (past.taken[y] == 0) largest = std::max(largest, s[y] + e[y]);
  for (std::uint32_t y = 0; y < items_; ++y)
    if (past.taken[y] == 0) sum += std::exp(s[y] + e[y] - largest);
  for (std::uint32_t y = 0; y < items_; ++y)
    if (past.taken[y] == 0) out[y] += weight * std::exp(s[y] + e[y] - largest) / sum;
}

}  // namespace recommender
