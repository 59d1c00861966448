// SPDX-License-Identifier: Apache-2.0
// recommender simulate: a log with known causes and exact tests.
#include <iostream>
#include <memory>

#include "app/commands.hpp"
#include "causaldpo/version.hpp"
#include "data/simulation_files.hpp"

namespace recommender {

command add_simulate(CLI::App& program) {
  struct options {
    std::string output, variant = "default";
    std::uint64_t seed = 1;
    std::uint32_t users = 3000, items = 800;
  };
  auto o = std::make_shared<options>();
  CLI::App* app = program.add_subcommand("simulate", "write a simulated log with known causes, and its exact tests");
  app->add_option("--output", o->output, "folder to write: log.csv, hidden.csv, new_log.csv, tests.safetensors")->required();
  app->add_option("--variant", o->variant, "default; strong: strong seasons; none: no confounding at all")
      ->check(CLI::IsMember({"default", "strong", "none"}))->capture_default_str();
  app->add_option("--seed", o->seed, "of every draw")->capture_default_str();
  app->add_option("--users", o->users, "users, the first half of whom are tested")->capture_default_str();
  app->add_option("--items", o->items, "items of the catalogue")->capture_default_str();
  return [o] {
    simulation_options how;
    how.variant = variant_of(o->variant);
    how.seed = o->seed;
    how.users = o->users;
    how.items = o->items;
    how.test_users = o->users / 2;
    simulation const drawn = simulate(how);
    write_simulation(drawn, o->output, causaldpo::version);
    std::cout << o->output << ": " << drawn.clicks.size() << " clicks of " << o->users << " users on " << o->items << " items, variant " << o->variant
              << ", seed " << o->seed << '\n';
  };
}

}  // namespace recommender
