// SPDX-License-Identifier: Apache-2.0
// The layout of a delimited file: what separates its fields, whether it starts with a header, and which column is what.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/interaction_log.hpp"
#include "data/text.hpp"

namespace recommender {

/// Position of a column that a file does not have.
inline constexpr std::size_t no_column = static_cast<std::size_t>(-1);

/// How to read the lines of one file.
struct column_layout {
  delimiter separator = delimiter::comma;
  bool header = false;         ///< the first line names the columns
  bool matrix = false;         ///< rows are users, columns items, fields ratings, 0 not rated; nothing below then applies but `width`
  std::size_t width = 0;       ///< fields of a line
  bool optional_last = false;  ///< `user item [1]`: the third field may be missing
  std::size_t user = no_column;
  std::size_t item = no_column;
  std::size_t rating = no_column;
  std::size_t timestamp = no_column;
  std::vector<std::pair<std::string, std::size_t>> covariates;  ///< name and position of the extra columns, in file order
  std::vector<std::string> warnings;
};

/// Finds the layout from the first 100 lines that are not blank: delimiter and, without a header, number of fields by majority, so that a few
/// damaged lines do not matter. The first line is a header when it names a user and an item column (`column_role`), when
/// `options.columns` gives names, or when one of the numbers it gives points at a known name.
/// `dense` forces a matrix (files called `*.ascii`); otherwise 5 or more numbers between blanks, without header, are one.
/// Throws `data_error`, starting with `source`: empty text, columns that cannot be told, names or numbers in `options` that the file lacks.
column_layout detect_columns(std::string_view text, const read_options& options, const std::string& source, bool dense);

/// The role that a header name usually has: "user", "item", "rating", "timestamp", or "" for none. Case and punctuation do not count:
/// `User-ID`, `user_id` and `userId` are one name.
std::string_view column_role(std::string_view name);

}  // namespace recommender
