// SPDX-License-Identifier: Apache-2.0
// Leave-last-out split.
#include "data/split.hpp"

#include <algorithm>
#include <utility>

#include "data/philox.hpp"

namespace recommender {

namespace {

constexpr std::uint32_t order_stream = 0x5B117;  // keeps these draws apart from all others of the same seed

/// Puts the interactions of user `u` into a random order.
void shuffle(std::vector<std::int32_t>& mine, std::uint32_t u, const random_draws& draws) {
  std::vector<std::pair<std::uint64_t, std::int32_t>> keyed;
  for (std::size_t i = 0; i < mine.size(); ++i) keyed.emplace_back(draws.bits(order_stream, u, static_cast<std::uint32_t>(i)), mine[i]);
  std::sort(keyed.begin(), keyed.end());
  for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = keyed[i].second;
}

}  // namespace

split leave_last_out(const interaction_log& log, const split_options& options) {
  split parts;
  parts.train.resize(log.users());
  parts.validation.assign(log.users(), -1);
  parts.test.assign(log.users(), -1);
  for (std::size_t i = 0; i < log.interactions.size(); ++i)
    parts.train[static_cast<std::size_t>(log.interactions[i].user)].push_back(static_cast<std::int32_t>(i));

  const random_draws draws(options.seed);
  const auto earlier = [&](std::int32_t a, std::int32_t b) {
    return log.interactions[static_cast<std::size_t>(a)].timestamp < log.interactions[static_cast<std::size_t>(b)].timestamp;
  };
  const std::size_t held = options.hold_test ? 2 : 1;
  for (std::size_t u = 0; u < parts.train.size(); ++u) {
    auto& mine = parts.train[u];
    if (log.has_time) {
      std::stable_sort(mine.begin(), mine.end(), earlier);
    } else {
      shuffle(mine, static_cast<std::uint32_t>(u), draws);
    }
    if (mine.size() <= held) {
      parts.kept_whole += mine.empty() ? 0 : 1;
      continue;
    }
    if (options.hold_test) {
      parts.test[u] = mine.back();
      mine.pop_back();
    }
    parts.validation[u] = mine.back();
    mine.pop_back();
  }
  return parts;
}

}  // namespace recommender
