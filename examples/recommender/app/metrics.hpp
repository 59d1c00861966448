// SPDX-License-Identifier: Apache-2.0
// Ranking quality over the full catalogue, as a whole and where it matters: by popularity of the target, over time, for
// users with short histories, and in the worst environment. The metrics themselves are the library's.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/engine.hpp"
#include "data/interaction_log.hpp"

namespace recommender {

/// One ranking to be judged. A user with several counts as one: each case weighs `weight` = 1 / cases of its user.
struct test_case {
  double weight = 1;
  std::int32_t user = 0;
  std::int32_t target = 0;           ///< the item that was taken
  double timestamp = 0;              ///< of the held-out interaction
  std::int32_t history = 0;          ///< how many interactions the user had before
  std::int32_t environment = -1;     ///< its dominant environment, -1 without environments
};

/// Means over a part of the test cases.
struct part_metrics {
  std::string name;
  std::int64_t cases = 0;
  double weight = 0;  ///< sum of the cases' weights
  double hit_rate_10 = 0, ndcg_10 = 0, hit_rate_20 = 0, ndcg_20 = 0, mrr = 0;
};

struct evaluation_result {
  part_metrics all;
  std::vector<part_metrics> popularity;    ///< G1 head .. G5 tail: groups of items with equal shares of the training interactions
  std::vector<part_metrics> time;          ///< T1 .. T5: equal spans of the test interactions; empty without time
  part_metrics short_histories;            ///< users with at most five interactions before the test
  std::vector<part_metrics> environments;  ///< by dominant environment; empty with one
  part_metrics worst;                      ///< the lowest NDCG@10 among the environments (or, without them, the time spans)

  nlohmann::json to_json() const;
  std::string to_table() const;
};

/// Popularity group 0 .. 4 of each item: items by falling count, cut where a fifth of the interactions is reached.
std::vector<std::int64_t> popularity_groups(std::span<std::int64_t const> item_counts);

/// Fills scores [cases.size(), V] of a block of cases; items that are no candidates get -inf.
using score_block = std::function<void(std::span<test_case const>, std::span<float>)>;

/// Ranks every case in blocks, so that the scores of all users never lie in memory at once.
evaluation_result evaluate_ranking(engine& on, std::span<test_case const> cases, std::size_t items, std::span<std::int64_t const> item_counts,
                                   std::vector<std::string> const& environment_names, bool has_time, score_block const& score);

}  // namespace recommender
