// SPDX-License-Identifier: Apache-2.0
// --backend and --threads: how the commands that compute are told what to compute on.
#pragma once

#include <CLI/CLI.hpp>

#include "app/engine.hpp"

namespace recommender {

struct engine_arguments {
  engine_options options;

  void add(CLI::App& app) {
    app.add_option("--backend", options.backend, "what to compute on: " + engine_list() + " (default: " + default_engine() + ")");
    app.add_option("--threads", options.threads, "of a backend that has threads; 0: all cores")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
  }
  std::unique_ptr<engine> make() const { return make_engine(options); }
};

}  // namespace recommender
