// SPDX-License-Identifier: Apache-2.0
// A model against held-out interactions of a log, or against the exact tests of a simulation, under any way of serving.
#pragma once

#include <span>
#include <vector>

#include "app/engine.hpp"
#include "app/held_out.hpp"
#include "app/metrics.hpp"
#include "app/saved_model.hpp"
#include "data/exact_tests.hpp"

namespace recommender {

/// Per user, the items he took, oldest first (as in the file for a log without time), without the given rows.
std::vector<std::vector<std::int32_t>> histories_without(interaction_log const& log, std::span<held_out_row const> hidden);

/// Scores with the exposure term of a way of serving added; -inf for items that were never trained on.
class served_scores {
 public:
  served_scores(engine& on, saved_model const& model) : model_(model), scorer_(on.scorer(model.net)) {}

  /// scores [histories, V]; `memberships[i]` of history i (one vector for each axis), read for `today` only.
  void score(std::span<std::span<std::int32_t const> const> histories, serving_options const& serving,
             std::span<std::vector<std::vector<float>> const> memberships, std::span<float> scores);

 private:
  saved_model const& model_;
  std::unique_ptr<catalogue_scorer> scorer_;
};

/// The memberships of a request: its time, and the values of the other covariates in `circumstances` (tab-separated).
std::vector<std::vector<float>> request_memberships(environment_model const& model, double timestamp, std::string const& circumstances);
/// What `circumstances` of a held-out row must be: the values of the model's covariates other than time at an interaction.
std::string circumstances_of(environment_model const& model, interaction_log const& log, std::int32_t interaction);

/// Where the log leaves its users: the latest time in it, and the circumstances of each user's last interaction.
struct user_states {
  double now = 0;
  std::vector<std::string> circumstances;
};
user_states states_of(environment_model const& model, interaction_log const& log);

/// Ranks the rows over the full catalogue. The user's history, and his other rows among them, are no candidates.
evaluation_result judge_rows(engine& on, saved_model const& model, interaction_log const& log,
                             std::span<std::vector<std::int32_t> const> histories, std::span<held_out_row const> rows, serving_options const& serving);

/// HR and NDCG at 10 and 20 and MRR as expectations under exact probabilities.
struct exact_result {
  part_metrics in_distribution, uniform, shifted;
};
exact_result judge_exact(engine& on, saved_model const& model, interaction_log const& log,
                         std::span<std::vector<std::int32_t> const> histories, exact_tests const& tests, serving_options const& serving,
                         std::span<held_out_row const> requests);

}  // namespace recommender
