// SPDX-License-Identifier: Apache-2.0
// Short ways to look at a log that was read, and at the reason why one was not.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/interaction_log.hpp"

namespace recommender_test {

using recommender::data_error;
using recommender::interaction;
using recommender::interaction_log;
using recommender::read_log;
using recommender::read_options;

using strings = std::vector<std::string>;

/// "user item rating timestamp" of each interaction, ids as in the file.
inline strings rows(const interaction_log& log) {
  strings out;
  for (const interaction& x : log.interactions)
    out.push_back(log.user_ids[static_cast<std::size_t>(x.user)] + " " + log.item_ids[static_cast<std::size_t>(x.item)] + " " +
                  std::to_string(static_cast<int>(x.rating * 10)) + " " + std::to_string(static_cast<long>(x.timestamp)));
  return out;
}

/// The message of the data_error that reading throws, or "" when it throws none.
inline std::string failure(const std::filesystem::path& path, const read_options& options = {}) {
  try {
    read_log(path, options);
  } catch (const data_error& e) {
    return e.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline bool any_contains(const strings& texts, const std::string& part) {
  for (const std::string& text : texts)
    if (contains(text, part)) return true;
  return false;
}

}  // namespace recommender_test
