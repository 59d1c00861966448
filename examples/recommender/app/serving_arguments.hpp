// SPDX-License-Identifier: Apache-2.0
// --serve, --kappa, --counts: how the commands that rank are told what to rank for.
#pragma once

#include "app/commands.hpp"
#include "app/saved_model.hpp"

namespace recommender {

struct serving_arguments {
  std::string mode = "none", counts;
  std::optional<double> kappa;

  void add(CLI::App& app);
  /// Reads the forecast's log where one is needed; `columns` is how it is to be read. Throws for a combination that means nothing.
  serving_options resolve(saved_model const& model, std::string const& columns) const;
};

}  // namespace recommender
