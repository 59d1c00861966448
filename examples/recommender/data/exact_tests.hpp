// SPDX-License-Identifier: Apache-2.0
// The tests of a simulation, in the numbers of a log that was read from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/interaction_log.hpp"

namespace recommender {

/// Exact click probabilities. Row r belongs to the user `users[r]` of the log, whose history is all his interactions in time order but the last; column c is
/// the item `items[c]`. With rank_c the place of column c (from 1) in a model's ranking of the columns that the history does not hold,
/// the expected NDCG@n is the mean over rows of sum_c p[r, c] [rank_c <= n] / log2(rank_c + 1).
struct exact_tests {
  std::vector<std::int32_t> users;  ///< per row
  std::vector<std::int32_t> items;  ///< per column; -1: nobody in the log took this item, so no model knows it
  std::vector<float> id, uniform, shifted;  ///< [rows, columns] row-major

  std::size_t rows() const { return users.size(); }
  std::size_t columns() const { return items.size(); }
};

/// Reads `tests.safetensors` (the file, or the folder that holds it). Throws `store_error` when it is damaged or lacks an array, `data_error` when the log
/// lacks one of its users.
exact_tests read_exact_tests(const std::filesystem::path& path, const interaction_log& log);

}  // namespace recommender
