// SPDX-License-Identifier: Apache-2.0
// Builds an interaction log row by row: numbering of ids, checks of numbers, reports of malformed lines, and the clean-up at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/interaction_log.hpp"

namespace recommender {

/// Numbers strings in order of first occurrence.
class id_table {
 public:
  /// The number of `id`, a new one if it has none. Throws `data_error` beyond 2^31 - 1 ids.
  std::int32_t number(const std::string& id);

  std::vector<std::string> take_ids() { return std::move(ids_); }

 private:
  std::unordered_map<std::string, std::int32_t> numbers_;
  std::vector<std::string> ids_;
};

/// Collects the rows of one file. The readers call `row` for each line that has the right fields and `problem` for each that has not;
/// `finish` applies the rules of `read_log` (minimum rating, duplicates, milliseconds) and gives the log away.
class log_builder {
 public:
  /// `options` must outlive the builder. `has_rating`, `has_time`: whether `row` gets these fields; `covariates`: the names of the extra ones.
  log_builder(const read_options& options, std::string source, bool has_rating, bool has_time, std::vector<std::string> covariates);

  /// Makes an id known although no row may have it (the rows and columns of a rating matrix).
  void know_user(const std::string& id) { users_.number(id); }
  void know_item(const std::string& id) { items_.number(id); }

  /// One line: fields as text, `extra` in the order of the covariate names. A rating is a number in [0, 1e9], a time one in [0, 1e14], an id is not
  /// empty; otherwise the line is malformed. Fields that the log does not have are ignored.
  void row(std::size_t line, const std::string& user, const std::string& item, std::string_view rating, std::string_view timestamp,
           const std::vector<std::string>& extra);

  /// Counts the line as malformed and reports "source:line: what"; throws it as `data_error` under `strict`.
  void problem(std::size_t line, const std::string& what);

  /// Counts a data line; the readers call it once for each, before `row` or `problem`.
  void count_line() { ++log_.lines; }

  /// The finished log. `rating_may_be_constant` false: ratings that are all equal are no ratings (`user item 1`).
  /// Throws `data_error` when nothing is left.
  interaction_log finish(bool rating_may_be_constant);

 private:
  void drop_low_ratings();
  void drop_duplicates();
  void keep(const std::vector<char>& kept);
  void convert_milliseconds();
  void finish_covariates();

  const read_options& options_;
  interaction_log log_;
  id_table users_, items_;
  std::vector<std::string> names_;
  std::vector<id_table> levels_;                  // one per covariate
  std::vector<std::vector<std::int32_t>> codes_;  // one per covariate, one entry per row
  std::string first_problem_;
};

}  // namespace recommender
