// SPDX-License-Identifier: Apache-2.0
// Reader of delimited lines with one interaction each.
#include "data/log_builder.hpp"
#include "data/readers.hpp"

namespace recommender {

interaction_log read_delimited(std::string_view text, const column_layout& layout, const read_options& options, const std::string& source) {
  std::vector<std::string> names;
  for (const auto& [name, place] : layout.covariates) names.push_back(name);
  log_builder builder(options, source, layout.rating != no_column, layout.timestamp != no_column, names);

  line_reader lines(text);
  std::string_view line;
  if (layout.header) lines.next(line);
  std::vector<std::string> fields, extra(names.size());
  std::string error;
  while (lines.next(line)) {
    builder.count_line();
    if (!split_fields(line, layout.separator, fields, error)) {
      builder.problem(lines.number(), error);
      continue;
    }
    if (layout.optional_last && fields.size() + 1 == layout.width) fields.emplace_back("1");
    if (fields.size() != layout.width) {
      builder.problem(lines.number(), std::to_string(fields.size()) + " field(s) between " + std::string(delimiter_name(layout.separator)) + " instead of " +
                                          (layout.optional_last ? std::to_string(layout.width - 1) + " or " : "") + std::to_string(layout.width));
      continue;
    }
    for (std::size_t c = 0; c < extra.size(); ++c) extra[c] = fields[layout.covariates[c].second];
    const auto field = [&](std::size_t place) { return place == no_column ? std::string_view() : std::string_view(fields[place]); };
    builder.row(lines.number(), fields[layout.user], fields[layout.item], field(layout.rating), field(layout.timestamp), extra);
  }
  return builder.finish(!layout.optional_last);
}

}  // namespace recommender
