// SPDX-License-Identifier: Apache-2.0
// Reading of a test file.
#include "data/test_set.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace recommender {

namespace {

/// For each id of `from` its number in `to`, or -1.
std::vector<std::int32_t> mapping(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  std::unordered_map<std::string_view, std::int32_t> numbers;
  for (std::size_t i = 0; i < to.size(); ++i) numbers.emplace(to[i], static_cast<std::int32_t>(i));
  std::vector<std::int32_t> out;
  for (const std::string& id : from) {
    const auto found = numbers.find(id);
    out.push_back(found == numbers.end() ? -1 : found->second);
  }
  return out;
}

std::uint64_t pair_key(std::int32_t user, std::int32_t item) {
  return (static_cast<std::uint64_t>(user) << 32U) | static_cast<std::uint32_t>(item);
}

}  // namespace

test_set read_test(const std::filesystem::path& path, const interaction_log& log, const read_options& options) {
  read_options wanted = options;
  wanted.covariates = std::vector<std::string>();
  const interaction_log read = read_log(path, wanted);
  const std::vector<std::int32_t> users = mapping(read.user_ids, log.user_ids), items = mapping(read.item_ids, log.item_ids);
  std::unordered_set<std::uint64_t> taken;
  for (const interaction& x : log.interactions) taken.insert(pair_key(x.user, x.item));

  std::vector<std::size_t> order(read.interactions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return read.interactions[a].timestamp < read.interactions[b].timestamp; });

  test_set test;
  test.source = read.source;
  test.warnings = read.warnings;
  test.items.resize(log.users());
  if (read.has_time) test.timestamps.resize(log.users());
  for (const std::size_t i : order) {
    const std::int32_t user = users[static_cast<std::size_t>(read.interactions[i].user)];
    const std::int32_t item = items[static_cast<std::size_t>(read.interactions[i].item)];
    if (user < 0) {
      ++test.unknown_user;
    } else if (item < 0) {
      ++test.unknown_item;
    } else if (taken.contains(pair_key(user, item))) {
      ++test.already_taken;
    } else {
      test.items[static_cast<std::size_t>(user)].push_back(item);
      if (read.has_time) test.timestamps[static_cast<std::size_t>(user)].push_back(read.interactions[i].timestamp);
      ++test.interactions;
    }
  }
  const auto warn = [&](std::size_t count, const std::string& why) {
    if (count > 0)
      test.warnings.push_back(std::to_string(count) + " of " + std::to_string(read.interactions.size()) + " test interactions are left out: " + why);
  };
  warn(test.unknown_user, "the user is not in the log");
  warn(test.unknown_item, "the item is not in the log");
  warn(test.already_taken, "the user took the item in the log already");
  if (test.interactions == 0)
    throw data_error(read.source + ": none of its " + std::to_string(read.interactions.size()) + " interactions can be tested (" +
                     std::to_string(test.unknown_user) + " of unknown users, " + std::to_string(test.unknown_item) + " of unknown items, " +
                     std::to_string(test.already_taken) + " already in the log)");
  return test;
}

}  // namespace recommender
