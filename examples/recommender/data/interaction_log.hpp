// SPDX-License-Identifier: Apache-2.0
// The interaction log: who took which item when, as every later stage of the recommender sees it, and the one function that reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace recommender {

/// A log that cannot be used, or, under `read_options::strict`, a malformed line of it. The message names the file, and the line where there is one.
struct data_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One row of the log. `user` and `item` index `interaction_log::user_ids` and `item_ids`.
struct interaction {
  std::int32_t user = 0;
  std::int32_t item = 0;
  double timestamp = 0;  ///< seconds, at least 0; 0 where the log has no time
  float rating = 0;      ///< as written in the log; 1 where the log has no rating
};

/// An extra named column of the log (market, device, campaign, ...), one entry for each interaction, in the order of `interaction_log::interactions`.
struct covariate_column {
  std::vector<std::string> levels;  ///< distinct fields in order of first occurrence; an empty field is the level ""
  std::vector<std::int32_t> code;   ///< index into `levels`
  std::vector<double> numeric;      ///< the field as a number, when every field of the column is one; otherwise empty
};

/// What was read. Ids are kept as written (leading zeros and all) and numbered in order of first occurrence; for a rating matrix they are
/// the row and column numbers from 1. Users and items of rows dropped by `min_rating` keep their number: they exist, but have no interaction.
struct interaction_log {
  std::vector<interaction> interactions;                ///< in file order; each (user, item) pair once
  std::vector<std::string> user_ids;                    ///< UTF-8
  std::vector<std::string> item_ids;                    ///< UTF-8
  std::vector<std::string> item_titles;                 ///< one per item ("" where unknown), or empty: the data have no titles
  std::vector<std::string> item_genres;                 ///< "Comedy|Drama", one per item, or empty: the data have no genres
  bool has_time = false;                                ///< false: `timestamp` says nothing, and neither does the file order
  bool has_rating = false;                              ///< false: an interaction says only that it happened
  std::map<std::string, covariate_column> covariates;   ///< by the name in the header; only files with a header have any
  std::string source;                                   ///< the file that was read
  std::string format;                                   ///< how it was read, in words
  std::vector<std::string> warnings;                    ///< what a user should know, a sentence each
  std::size_t lines = 0;                                ///< data lines seen (matrix: rows), blank lines and the header not counted
  std::size_t malformed = 0;                            ///< lines skipped because something was wrong with them
  std::size_t duplicates = 0;                           ///< rows dropped because the same user took the same item earlier
  std::size_t below_min_rating = 0;                     ///< rows dropped by `read_options::min_rating`

  std::size_t users() const { return user_ids.size(); }
  std::size_t items() const { return item_ids.size(); }
};

/// How to read. The defaults suit every format that is recognised.
struct read_options {
  bool strict = false;               ///< throw at the first malformed line instead of skipping it
  std::optional<double> min_rating{};  ///< keep rows with at least this rating; an error when the log has no ratings
  /// Which column is what: "user=..,item=..,rating=..,timestamp=..", the values names of the header or numbers from 1; `user` and `item` are
  /// required, the others optional. Empty: found by name in the header, or by position where there is none.
  std::string columns{};
  /// Extra columns to keep, by name; nothing: all of them. A name that the header lacks is an error.
  std::optional<std::vector<std::string>> covariates{};
  /// Called with "file:line: what was wrong" for each malformed line, in order. Not called for the line that `strict` throws for.
  std::function<void(const std::string&)> on_problem{};
};

/// Reads a log from a file, or from a folder in which one is recognised by its name (docs/data-formats.md lists the formats and the order).
///
/// Rows are checked in this order: malformed (reported, counted, skipped), below `min_rating` (counted, dropped), duplicate. Of several rows
/// with the same user and item the earliest in time stays, at its own place in the file; equal times, or no time: the first in the file.
/// Timestamps whose median exceeds 1e11 are milliseconds and are converted to seconds, with a warning.
/// Titles and genres are read from `movies.dat` or `u.item` beside the log; Latin-1 is recognised (the bytes are not UTF-8) and converted.
/// Throws `data_error`: no such file, nothing recognised, no usable line, wrong `columns` or `covariates`, or, under `strict`, a malformed line.
/// Cost: the file is held in memory while it is read.
interaction_log read_log(const std::filesystem::path& path, const read_options& options = {});

}  // namespace recommender
