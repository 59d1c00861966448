// SPDX-License-Identifier: Apache-2.0
// recommender: simulate a log, train a generative recommender on one, judge it, ask it.
#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <utility>
#include <vector>

#include "app/commands.hpp"
#include "app/engine.hpp"
#include "causaldpo/version.hpp"

int main(int argc, char** argv) {
  CLI::App program{"A generative recommender trained with CausalDPO: recommendations that survive a change of exposure."};
  program.set_version_flag("--version", std::string("recommender ") + causaldpo::version + ", backends " + recommender::engine_list() + " (default " + recommender::default_engine() + ")");
  program.require_subcommand(1);
  std::vector<std::pair<CLI::App*, recommender::command>> commands;
  auto const add = [&](recommender::command (*adder)(CLI::App&)) {
    recommender::command run = adder(program);
    commands.emplace_back(program.get_subcommands([](CLI::App*) { return true; }).back(), std::move(run));
  };
  add(recommender::add_simulate);
  add(recommender::add_train);
  add(recommender::add_evaluate);
  add(recommender::add_recommend);
  CLI11_PARSE(program, argc, argv);
  try {
    for (auto const& [app, run] : commands)
      if (app->parsed()) run();
  } catch (std::exception const& problem) {
    std::cerr << "recommender: " << problem.what() << '\n';
    return 1;
  }
  return 0;
}
