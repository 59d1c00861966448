// SPDX-License-Identifier: Apache-2.0
// The readers behind `read_log`: one for delimited lines, one for rating matrices, one for titles.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "data/columns.hpp"
#include "data/interaction_log.hpp"

namespace recommender {

/// Lines with one interaction each: `::`, CSV, TSV, pairs. A line must have `layout.width` fields.
interaction_log read_delimited(std::string_view text, const column_layout& layout, const read_options& options, const std::string& source);

/// One line per user, one field per item, 0 where the user did not rate. Ids are the numbers of line and field from 1; a malformed line keeps its
/// user, without interactions. The log has ratings and no time.
interaction_log read_matrix(std::string_view text, const column_layout& layout, const read_options& options, const std::string& source);

/// Fills `item_titles` and `item_genres` of the log from the first of `movies.dat`, `u.item` and `movies.csv` that stands in `folder` and names at
/// least one of the log's items; without one the log stays as it is. Malformed lines are reported, counted in a warning and skipped, or thrown under `strict`.
void read_titles(const std::filesystem::path& folder, const read_options& options, interaction_log& log);

}  // namespace recommender
