// SPDX-License-Identifier: Apache-2.0
// What the recommender asks of a backend, chosen by name when the program runs. This is the only place where the backend is not a
// type: each call is a whole stage or a whole block of users, and below it everything is compiled for one backend.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "training/options.hpp"
#include "training/training_log.hpp"

namespace recommender {

/// A trained model on a backend, ready to score.
class catalogue_scorer {
 public:
  virtual ~catalogue_scorer() = default;
  /// scores [histories, V] of the whole catalogue, as scorer (training/scoring.hpp) defines them.
  virtual void score(std::span<std::span<std::int32_t const> const> histories, causaldpo::view<float, 2> scores) = 0;
};

/// Expected metrics at 10 and at 20.
struct expected_metrics {
  std::array<float, 2> hit_rate{}, ndcg{}, mrr{};
};

/// A backend at work for the recommender. All data that comes and goes lies in the host's memory.
class engine {
 public:
  virtual ~engine() = default;
  /// The backend's name.
  virtual std::string const& backend() const = 0;
  virtual trained_model<float> train_supervised(training_log const& log, train_options const& options,
                                                progress_callback const& report) = 0;
  virtual trained_model<float> align(training_log const& log, trained_model<float> const& start, train_options const& options,
                                     exposure_table const& exposure, progress_callback const& report) = 0;
  /// The model and the engine outlive the scorer.
  virtual std::unique_ptr<catalogue_scorer> scorer(trained_model<float> const& model) = 0;
  /// ranks_u: how many items of row u of the scores come before its target; -1 for a target that is no candidate.
  virtual void rank(causaldpo::view<float const, 2> scores, std::span<std::int32_t const> targets,
                    std::span<std::int64_t> ranks) = 0;
  /// Over targets drawn from the rows of `probabilities` [users, V].
  virtual expected_metrics expect(causaldpo::view<float const, 2> scores, causaldpo::view<float const, 2> probabilities) = 0;
};

/// Which backend, and how many threads it has.
struct engine_options {
  std::string backend{};  ///< one of engine_names(); empty: the build's default
  int threads = 0;        ///< 0: as many as it would use by itself
};

/// The backends in this program, in alphabetical order.
std::vector<std::string> engine_names();
/// The same as a list in words: "eigen, reference".
std::string engine_list();
/// The backend that is used where none is named.
std::string default_engine();
/// Throws std::invalid_argument for a backend that is not in this program, and for more than one thread of a backend that has
/// none of its own; either says what there is.
std::unique_ptr<engine> make_engine(engine_options const& options = {});

/// Adds a backend to the program; called before main by the translation unit that the build makes for it.
struct engine_entry {
  std::string name;
  bool has_threads;
  std::function<std::unique_ptr<engine>(int threads)> make;
};
void add_engine(engine_entry entry);

}  // namespace recommender
