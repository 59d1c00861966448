// SPDX-License-Identifier: Apache-2.0
// A simulation on disk: the folder that `recommender simulate` writes and other commands read.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/simulate.hpp"

namespace recommender {

/// Writes a simulation to a folder that appears complete or not at all (`output_folder`; an earlier simulation there is replaced):
///   log.csv            user,item,timestamp; ids from 0, rows user by user in the order of the clicks
///   hidden.csv         the same rows with season,market,campaign ("none": no campaign was running)
///   new_log.csv        user,item,timestamp of the clicks in the new environment
///   tests.safetensors  float32 `id`, `uniform`, `new` [test_users, items]; int64 `users` [test_users] and `items` [items], the ids of rows and columns
///   simulation.json    variant, seed, sizes, strengths, versions, "period" (a simulated year in seconds) and the oracle's NDCG@10 of each test
///   checksums.sha256
/// Throws `store_error` when it cannot be written.
void write_simulation(const simulation& drawn, const std::filesystem::path& folder, const std::string& library_version);

/// The period after which time repeats itself, in seconds, as a `simulation.json` beside the log says it; nothing when there is none, or it names none.
/// `log_file` is `interaction_log::source`. Throws `store_error` for a `simulation.json` that is no JSON.
std::optional<double> declared_period(const std::filesystem::path& log_file);

/// The share of the period that has passed, in [0, 1): the time as a covariate when seasons repeat.
double phase_of(double timestamp, double period);

}  // namespace recommender
