// SPDX-License-Identifier: Apache-2.0
// The subcommands of the program: each adds its options to the parser and returns what to run when it was chosen.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

#include "data/interaction_log.hpp"

namespace recommender {

using command = std::function<void()>;

command add_simulate(CLI::App& program);
command add_train(CLI::App& program);
command add_evaluate(CLI::App& program);
command add_recommend(CLI::App& program);

/// Options that say how a log is read, shared by the commands that read one.
struct log_options {
  std::string path;
  std::string columns;
  std::optional<double> min_rating;
  bool strict = false;
};
/// --data, --columns, --min-rating, --strict.
void add_log_options(CLI::App& app, log_options& options);
/// Reads the log, prints what was read and each problem to standard error.
interaction_log read_and_report(log_options const& options);

}  // namespace recommender
