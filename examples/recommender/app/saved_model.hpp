// SPDX-License-Identifier: Apache-2.0
// A trained recommender as it lies on disk: weights, exposure, ids and the interactions that were held out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/environment_model.hpp"
#include "app/serving.hpp"
#include "store/model_folder.hpp"
#include "training/options.hpp"

namespace recommender {

struct saved_model {
  trained_model<float> net;
  std::string method;           ///< sft, dpo, sdpo, causaldpo
  double beta = 1;              ///< of the alignment
  double kappa_today = 0;       ///< best on the validation interactions
  environment_model environments;
  std::vector<std::int64_t> item_counts;  ///< [V] training interactions; an item with none is never recommended
  std::vector<std::string> item_ids, item_titles, user_ids;
  std::string held_out;         ///< CSV, see held_out.hpp
  std::vector<std::vector<std::int32_t>> histories;  ///< per user, all his items in the log of the training, oldest first
  std::vector<std::string> circumstances;            ///< per user, of his last interaction
  double now = 0;                                    ///< the latest time in that log
  nlohmann::json training;      ///< options and results of the run, for the reader

  bool conditional() const { return method == "causaldpo"; }
  serving_context serving() const { return {conditional(), method == "sft" ? 1 : 1 + 1 / beta, kappa_today, &environments}; }
};

/// Fills and commits the folder; its arrays are the parameters by name, `log_marginal` and `log_conditional.<axis>`.
void save(output_folder& folder, saved_model const& model);
/// Throws store_error for a folder that is none, is damaged, or comes from another format.
saved_model load(std::filesystem::path const& folder);

}  // namespace recommender
