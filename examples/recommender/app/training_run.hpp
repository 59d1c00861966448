// SPDX-License-Identifier: Apache-2.0
// One run of `train`: what is held out, which environments there are, the three stages, and what is kept of them.
#pragma once

#include <string>

#include "app/engine.hpp"
#include "app/environment_model.hpp"
#include "app/held_out.hpp"
#include "app/saved_model.hpp"
#include "training/options.hpp"
#include "training/training_log.hpp"

namespace recommender {

/// A log divided for training. Positions of `sequences` are numbered user by user; `rows` maps each to its interaction.
struct training_data {
  training_log sequences;
  std::vector<std::int32_t> rows;
  held_out_rows held_out;
};

/// Leave-last-out, or, with a test file, the last interaction of each user for validation only.
training_data divide(interaction_log const& log, std::string const& test_file, std::string const& columns, std::uint64_t seed);

/// The offsets of every training position as the trainer wants them: the tables log p(y|e_k) of all axes and, last, log p(y),
/// with the memberships of each position and 1 - their sum as weights.
exposure_table exposure_of(fitted_environments const& fitted, std::span<std::int32_t const> rows);

/// Tells how training goes, one progress line for each stage.
class training_reporter {
 public:
  explicit training_reporter(bool quiet);
  ~training_reporter();
  training_reporter(training_reporter const&) = delete;
  training_reporter& operator=(training_reporter const&) = delete;
  void operator()(training_progress const& p);
  /// Seconds and last smoothed loss of each stage, for model.json.
  nlohmann::json summary() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// The kappa of {0, 0.15, 0.3, 0.4, 0.5, 0.75, 1} with the best NDCG@10 on the validation interactions when today's exposure is
/// put back: plain validation is the right criterion for today's traffic, and for nothing else.
double choose_kappa(engine& on, saved_model& model, interaction_log const& log, training_data const& data);

}  // namespace recommender
