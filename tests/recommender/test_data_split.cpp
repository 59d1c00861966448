// SPDX-License-Identifier: Apache-2.0
// Tests of the split, of test files and of the random numbers both rest on.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "data/philox.hpp"
#include "data/split.hpp"
#include "data/test_set.hpp"
#include "test_data_folder.hpp"

using namespace recommender;
using recommender_test::scratch_folder;
using numbers = std::vector<std::int32_t>;

namespace {

/// One interaction per entry: the user and the time; items are all different.
interaction_log make_log(const std::vector<std::pair<std::int32_t, double>>& rows, bool has_time, std::size_t users) {
  interaction_log log;
  log.has_time = has_time;
  for (std::size_t u = 0; u < users; ++u) log.user_ids.push_back("u" + std::to_string(u));
  for (const auto& [user, time] : rows) {
    log.interactions.push_back({user, static_cast<std::int32_t>(log.item_ids.size()), time, 1});
    log.item_ids.push_back("i" + std::to_string(log.item_ids.size()));
  }
  return log;
}

}  // namespace

TEST_CASE("data: Philox4x32-10 gives the published words") {
  using words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == words{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U});
  constexpr std::uint32_t f = 0xffffffffU;
  CHECK(philox4x32({f, f, f, f}, {f, f}) == words{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU});
  CHECK(philox4x32({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, {0xa4093822U, 0x299f31d0U}) ==
        words{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U});
}

TEST_CASE("data: uniform, normal and Gumbel draws have their moments") {
  const random_draws draws(7);
  constexpr std::uint32_t n = 40000;
  double u = 0, u2 = 0, z = 0, z2 = 0, g = 0;
  std::array<int, 3> counts{};
  for (std::uint32_t i = 0; i < n; ++i) {
    const double x = draws.uniform(1, i), y = draws.normal(2, i);
    REQUIRE((x > 0 && x < 1));
    u += x / n, u2 += x * x / n, z += y / n, z2 += y * y / n;
    const auto [a, b] = draws.gumbels(3, i, 0, 0);
    g += (a + b) / (2 * n);
    ++counts[draws.below(3, 4, i)];
  }
  CHECK(std::abs(u - 0.5) < 0.006);
  CHECK(std::abs(u2 - 1.0 / 3) < 0.006);
  CHECK(std::abs(z) < 0.02);
  CHECK(std::abs(z2 - 1) < 0.03);
  CHECK(std::abs(g - 0.5772156649) < 0.02);
  for (const int count : counts) CHECK(std::abs(count - static_cast<int>(n) / 3) < 500);
}

TEST_CASE("data: the last interaction is the test and the one before the validation; ties as in the file") {
  const interaction_log log = make_log({{0, 5}, {1, 3}, {0, 2}, {0, 5}, {1, 3}, {0, 1}, {1, 3}, {2, 1}, {2, 2}, {3, 9}}, true, 5);
  const split parts = leave_last_out(log);
  CHECK(parts.train == std::vector<numbers>{{5, 2}, {1}, {7, 8}, {9}, {}});
  CHECK(parts.validation == numbers{0, 4, -1, -1, -1});
  CHECK(parts.test == numbers{3, 6, -1, -1, -1});
  CHECK(parts.kept_whole == 2);

  const split without = leave_last_out(log, {0, false});
  CHECK(without.train == std::vector<numbers>{{5, 2, 0}, {1, 4}, {7}, {9}, {}});
  CHECK(without.validation == numbers{3, 6, 8, -1, -1});
  CHECK(without.test == numbers{-1, -1, -1, -1, -1});
  CHECK(without.kept_whole == 1);
}

TEST_CASE("data: without time the order is random, seeded, and a permutation") {
  std::vector<std::pair<std::int32_t, double>> rows;
  for (int i = 0; i < 200; ++i) rows.emplace_back(i % 4, 0.0);
  const interaction_log log = make_log(rows, false, 4);
  const split one = leave_last_out(log, {1, true}), again = leave_last_out(log, {1, true}), two = leave_last_out(log, {2, true});
  CHECK(one.train == again.train);
  CHECK(one.test == again.test);
  CHECK(one.train != two.train);
  for (std::size_t u = 0; u < 4; ++u) {
    CHECK_FALSE(std::is_sorted(one.train[u].begin(), one.train[u].end()));
    std::set<std::int32_t> mine(one.train[u].begin(), one.train[u].end());
    mine.insert(one.validation[u]);
    mine.insert(one.test[u]);
    CHECK(mine.size() == 50);
    for (const std::int32_t i : mine) CHECK(log.interactions[static_cast<std::size_t>(i)].user == static_cast<std::int32_t>(u));
  }
  // The order of one user does not depend on the others.
  const interaction_log alone = make_log(std::vector<std::pair<std::int32_t, double>>(50, {0, 0.0}), false, 1);
  const split same = leave_last_out(alone, {1, true});
  for (std::size_t i = 0; i < same.train[0].size(); ++i) CHECK(one.train[0][i] == 4 * same.train[0][i]);
}

TEST_CASE("data: a test file is mapped onto the ids of the log, and what cannot be tested is counted") {
  const scratch_folder dir;
  const interaction_log log = read_log(dir.write("train.csv", "user,item,timestamp\na,x,1\na,y,2\nb,z,3\nb,x,9\n"));
  const test_set test = read_test(dir.write("test.csv", "user,item,timestamp\nb,y,7\na,z,5\nc,x,1\nc,w,1\na,w,2\na,x,3\nb,x,4\n"), log);
  CHECK(test.items == std::vector<numbers>{{2}, {1}});
  CHECK(test.interactions == 2);
  CHECK(test.unknown_user == 2);
  CHECK(test.unknown_item == 1);
  CHECK(test.already_taken == 2);
  CHECK(test.warnings.size() == 3);
  CHECK(read_test(dir.write("pairs.txt", "a z 1\nb y 1\n"), log).items == std::vector<numbers>{{2}, {1}});
  CHECK_THROWS_WITH_AS(read_test(dir.write("none.csv", "user,item\nq,x\n"), log), doctest::Contains("none of its 1 interactions can be tested"), data_error);
}
