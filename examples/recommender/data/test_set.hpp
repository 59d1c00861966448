// SPDX-License-Identifier: Apache-2.0
// A test that comes as a file of its own, in the numbers of the log that was trained on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/interaction_log.hpp"

namespace recommender {

struct test_set {
  std::vector<std::vector<std::int32_t>> items;  ///< per user of the log, item numbers of the log; in time order, or as in the file
  std::vector<std::vector<double>> timestamps;   ///< per user, of each of `items`; empty when the file has no time
  std::size_t interactions = 0;                  ///< sum of the sizes of `items`
  std::size_t unknown_user = 0;                  ///< rows left out because the log has no such user
  std::size_t unknown_item = 0;                  ///< rows left out because the log has the user but no such item
  std::size_t already_taken = 0;                 ///< rows left out because the user took the item in the log: such items are no candidates
  std::string source;
  std::vector<std::string> warnings;             ///< the three counts above, where not 0, and those of the reader
};

/// Reads a test file in any format of `read_log`, with the same options (`covariates` excepted, which are not read), and maps its ids onto the log's.
/// Throws `data_error` as `read_log` does, and when no row is left.
test_set read_test(const std::filesystem::path& path, const interaction_log& log, const read_options& options = {});

}  // namespace recommender
