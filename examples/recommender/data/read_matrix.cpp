// SPDX-License-Identifier: Apache-2.0
// Reader of rating matrices.
#include <algorithm>

#include "data/log_builder.hpp"
#include "data/readers.hpp"

namespace recommender {

interaction_log read_matrix(std::string_view text, const column_layout& layout, const read_options& options, const std::string& source) {
  log_builder builder(options, source, true, false, {});
  std::vector<std::string> items;
  for (std::size_t i = 1; i <= layout.width; ++i) {
    items.push_back(std::to_string(i));
    builder.know_item(items.back());
  }

  line_reader lines(text);
  std::string_view line;
  std::vector<std::string> fields;
  std::string error;
  for (std::size_t user = 1; lines.next(line); ++user) {
    builder.count_line();
    const std::string id = std::to_string(user);
    builder.know_user(id);
    if (!split_fields(line, layout.separator, fields, error)) {
      builder.problem(lines.number(), error);
      continue;
    }
    if (fields.size() != layout.width) {
      builder.problem(lines.number(), std::to_string(fields.size()) + " ratings instead of " + std::to_string(layout.width));
      continue;
    }
    double value = 0;
    const auto wrong = std::find_if(fields.begin(), fields.end(), [&](const std::string& f) { return !parse_number(f, value) || value < 0 || value > 1e9; });
    if (wrong != fields.end()) {
      builder.problem(lines.number(), "rating " + in_quotes(*wrong) + " of item " + std::to_string(wrong - fields.begin() + 1) + " is not a number from 0 to 1e9");
      continue;
    }
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (parse_number(fields[i], value) && value != 0) builder.row(lines.number(), id, items[i], fields[i], {}, {});
  }
  return builder.finish(true);
}

}  // namespace recommender
