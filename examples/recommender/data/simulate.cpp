// SPDX-License-Identifier: Apache-2.0
// Drawing of a simulated log and of its tests.
#include "data/simulate.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "data/simulated_world.hpp"

namespace recommender {

namespace {

constexpr std::uint32_t fewest_items = clicks_per_user + 30;

void expect(bool good, const std::string& what) {
  if (!good) throw std::invalid_argument("simulate: " + what);
}

void append(std::vector<float>& rows, const std::vector<double>& row) {
  std::transform(row.begin(), row.end(), std::back_inserter(rows), [](double p) { return static_cast<float>(p); });
}

/// The three test rows of a user whose clicks but the last are in `past`; `last` is that click: its time, season, market and campaign are used, not its item.
void append_tests(const simulated_world& world, std::uint32_t user, const click_history& past, const simulated_click& last, simulation& out) {
  const std::size_t items = past.taken.size();
  const std::vector<double> s = world.preference(user, past.last);
  std::vector<double> p(items);
  if ((clicks_per_user - 1) % clicks_per_block != 0) {
    world.add_probabilities(s, world.exposure(last.season, last.market, last.campaign), past, 1, p);
  } else {
    world.add_probabilities(s, world.exposure(last.season, last.market, no_campaign), past, 1 - campaign_probability, p);
    for (std::int32_t c = 0; c < campaign_count; ++c)
      world.add_probabilities(s, world.exposure(last.season, last.market, c), past, campaign_probability / campaign_count, p);
  }
  append(out.id, p);
  p.assign(items, 0);
  world.add_probabilities(s, std::vector<double>(items), past, 1, p);
  append(out.uniform, p);
  p.assign(items, 0);
  world.add_probabilities(s, world.new_exposure(), past, 1, p);
  append(out.shifted, p);
}

/// All clicks of one user, and his tests when he has any. Gives back his history.
click_history simulate_user(const simulated_world& world, std::uint32_t user, simulation& out) {
  click_history past{-1, std::vector<char>(out.options.items)};
  const std::vector<std::int64_t> times = world.times_of(user);
  for (std::uint32_t i = 0; i < clicks_per_user; ++i) {
    simulated_click click{static_cast<std::int32_t>(user), -1, times[i], world.season_at(times[i]), world.market_of(user),
                          world.campaign_of(user, i / clicks_per_block)};
    if (i + 1 == clicks_per_user && user < out.options.test_users) append_tests(world, user, past, click, out);
    click.item = world.click(user, i, past, world.exposure(click.season, click.market, click.campaign), false);
    past.last = click.item;
    past.taken[static_cast<std::size_t>(click.item)] = 1;
    out.clicks.push_back(click);
  }
  return past;
}

}  // namespace

std::string variant_name(simulation_variant variant) {
  switch (variant) {
    case simulation_variant::strong: return "strong";
    case simulation_variant::none: return "none";
    case simulation_variant::standard: break;
  }
  return "default";
}

simulation_variant variant_of(const std::string& name) {
  for (const simulation_variant v : {simulation_variant::standard, simulation_variant::strong, simulation_variant::none})
    if (name == variant_name(v)) return v;
  throw std::invalid_argument("simulate: variant '" + name + "' must be default, strong or none");
}

exposure_strengths strengths_of(simulation_variant variant) {
  switch (variant) {
    case simulation_variant::strong: return {0.5, 1.8, 0.7, 3.0, 6};
    case simulation_variant::none: return {0, 0, 0, 0, 4};
    case simulation_variant::standard: break;
  }
  return {};
}

simulation simulate(const simulation_options& options) {
  expect(options.users >= 1, "users must be at least 1");
  expect(options.test_users <= options.users, "test_users must be at most users");
  const std::uint32_t others = options.test_users < options.users ? options.users - options.test_users : options.users;
  const std::uint32_t first = options.test_users < options.users ? options.test_users : 0;
  const std::uint32_t rounds = (options.new_clicks + others - 1) / others;
  expect(options.items >= fewest_items + rounds, "items must be at least " + std::to_string(fewest_items + rounds));

  const simulated_world world(options);
  simulation out;
  out.options = options;
  std::vector<click_history> continued;
  for (std::uint32_t user = 0; user < options.users; ++user) {
    click_history past = simulate_user(world, user, out);
    if (user >= first) continued.push_back(std::move(past));
  }
  for (std::uint32_t i = 0; i < options.new_clicks; ++i) {
    click_history& past = continued[i % others];
    const std::uint32_t user = first + i % others;
    const std::int32_t item = world.click(user, i / others, past, world.new_exposure(), true);
    past.last = item;
    past.taken[static_cast<std::size_t>(item)] = 1;
    out.new_clicks.push_back({static_cast<std::int32_t>(user), item, 2 * simulated_year + i, -1, -1, -1});
  }
  return out;
}

double oracle_ndcg(const std::vector<float>& probabilities, std::size_t items, std::size_t n) {
  const std::size_t rows = probabilities.size() / items;
  double sum = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    std::vector<float> p(probabilities.begin() + static_cast<std::ptrdiff_t>(r * items), probabilities.begin() + static_cast<std::ptrdiff_t>((r + 1) * items));
    std::sort(p.begin(), p.end(), std::greater<>());
    for (std::size_t i = 0; i < std::min(n, items); ++i) sum += static_cast<double>(p[i]) / std::log2(static_cast<double>(i) + 2);
  }
  return sum / static_cast<double>(rows);
}

}  // namespace recommender
