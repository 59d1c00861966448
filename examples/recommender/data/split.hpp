// SPDX-License-Identifier: Apache-2.0
// What a log is divided into: training sequences, one validation and one test interaction per user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/interaction_log.hpp"

namespace recommender {

/// Indices into `interaction_log::interactions`.
struct split {
  std::vector<std::vector<std::int32_t>> train;  ///< per user, in time order (without time: in the seeded random order)
  std::vector<std::int32_t> validation;          ///< per user, or -1
  std::vector<std::int32_t> test;                ///< per user, or -1
  std::size_t kept_whole = 0;                    ///< users with interactions, but too few to hold any out
};

struct split_options {
  std::uint64_t seed = 0;  ///< of the order of logs without time
  bool hold_test = true;   ///< false: the test comes from elsewhere, only the validation interaction is held out
};

/// Leave-last-out. Each user's interactions are ordered by timestamp, equal ones as in the file; in a log without time each user's order is random, by
/// `options.seed` and the user's number alone. The last interaction is the test, the one before it the validation, the rest the training.
/// A user with fewer than 3 interactions stays wholly in training (fewer than 2 when `hold_test` is false), so that whoever is tested has a history.
split leave_last_out(const interaction_log& log, const split_options& options = {});

}  // namespace recommender
