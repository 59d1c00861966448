// SPDX-License-Identifier: Apache-2.0
// The interactions that a model was not trained on, stored with it by id, so that an evaluation judges what training has
// not seen, and a log that is read again is put into the model's numbers.
#pragma once

#include <string>
#include <vector>

#include "data/interaction_log.hpp"
#include "data/test_set.hpp"

namespace recommender {

/// One held-out interaction, in the numbers of the log.
struct held_out_row {
  std::int32_t user = 0, item = 0;
  double timestamp = 0;
  std::int32_t interaction = -1;  ///< its number in the log that is trained on; -1 for one that comes from elsewhere
  std::string circumstances{};  ///< the values of the model's covariates other than time, separated by tabs
};

/// What is kept from training: for the choice of kappa, and for the test.
struct held_out_rows {
  std::vector<held_out_row> validation, test;
};

/// The rows of a test file. Without times of its own they are as late as the log's last interaction.
std::vector<held_out_row> rows_of_test(test_set const& test, interaction_log const& log);

/// "part,user,item,timestamp,circumstances" with a header, ids as in the log, quoted where needed.
std::string held_out_to_csv(interaction_log const& log, held_out_rows const& rows);
/// Reads it back, mapping ids onto the log's. Rows whose user or item the log lacks are left out and counted in `missing`.
held_out_rows held_out_from_csv(std::string const& csv, interaction_log const& log, std::size_t& missing);

/// One id (and title) a line; tabs and line ends inside are written as spaces.
std::string ids_to_text(std::vector<std::string> const& ids, std::vector<std::string> const& titles = {});
void ids_from_text(std::string const& text, std::vector<std::string>& ids, std::vector<std::string>& titles);

/// The log in the numbers of a model: its items and users come first and in the model's order, users that the model has not
/// seen follow, interactions with items that were never trained on are dropped and counted in `unknown_items`.
interaction_log align(interaction_log const& log, std::vector<std::string> const& item_ids, std::vector<std::string> const& user_ids,
                      std::size_t& unknown_items);

}  // namespace recommender
