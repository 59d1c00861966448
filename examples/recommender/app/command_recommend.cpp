// SPDX-License-Identifier: Apache-2.0
// recommender recommend: the best items for one user.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <numeric>

#include "app/engine_arguments.hpp"
#include "app/judge.hpp"
#include "app/serving_arguments.hpp"

namespace recommender {
namespace {

/// What a user did so far, and what is known of the request.
struct situation {
  std::vector<std::int32_t> history;
  double now = 0;
  std::string circumstances;
};

/// As the log of the training left it.
situation stored_situation(saved_model const& model, std::string const& user) {
  auto const found = std::find(model.user_ids.begin(), model.user_ids.end(), user);
  if (found == model.user_ids.end()) throw data_error("user " + user + " is not in the log that the model was trained on (--data LOG names another)");
  auto const u = static_cast<std::size_t>(found - model.user_ids.begin());
  return {model.histories[u], model.now, model.circumstances[u]};
}

/// As a newer log says.
situation read_situation(saved_model const& model, log_options const& options, std::string const& user) {
  std::size_t unknown_items = 0;
  interaction_log const log = align(read_and_report(options), model.item_ids, model.user_ids, unknown_items);
  if (unknown_items) std::cerr << unknown_items << " interactions with items that the model was never trained on are left out\n";
  auto const found = std::find(log.user_ids.begin(), log.user_ids.end(), user);
  if (found == log.user_ids.end()) throw data_error("user " + user + " is not in " + log.source);
  auto const u = static_cast<std::size_t>(found - log.user_ids.begin());
  user_states const states = states_of(model.environments, log);
  return {histories_without(log, {})[u], states.now, states.circumstances[u]};
}

}  // namespace

command add_recommend(CLI::App& program) {
  struct options {
    std::string model, user, json;
    std::size_t top = 10;
    log_options log;
    serving_arguments serving;
    engine_arguments compute;
  };
  auto o = std::make_shared<options>();
  CLI::App* app = program.add_subcommand("recommend", "the best items for one user, those he has seen left out");
  app->add_option("--model", o->model, "a model folder written by train")->required();
  add_log_options(*app, o->log);
  app->get_option("--data")->required(false)->description("a log that holds the user's history (default: the one the model was trained on)");
  app->add_option("--user", o->user, "the user's id in the log")->required();
  app->add_option("--top", o->top, "how many items")->check(CLI::PositiveNumber)->capture_default_str();
  app->add_option("--json", o->json, "write the list here as JSON");
  o->serving.add(*app);
  o->compute.add(*app);
  return [o] {
    std::unique_ptr<engine> const on = o->compute.make();
    saved_model const model = load(o->model);
    situation const at = o->log.path.empty() ? stored_situation(model, o->user) : read_situation(model, o->log, o->user);
    std::vector<std::int32_t> const& taken = at.history;
    if (taken.empty()) throw data_error("user " + o->user + " has no history with items that the model knows: there is nothing to go by");
    serving_options const serving = o->serving.resolve(model, o->log.columns);
    std::vector<std::vector<std::vector<float>>> const request{request_memberships(model.environments, at.now, at.circumstances)};
    std::vector<float> scores(model.environments.items());
    std::span<std::int32_t const> const history(taken);
    served_scores(*on, model).score(std::span(&history, 1), serving, request, scores);
    std::vector<std::int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    for (std::int32_t y : taken) scores[static_cast<std::size_t>(y)] = -std::numeric_limits<float>::infinity();
    auto const before = [&](std::int32_t a, std::int32_t b) {
      float const x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
      return x > y || (x == y && a < b);
    };
    auto const candidates = static_cast<std::size_t>(std::count_if(scores.begin(), scores.end(), [](float s) { return s > -std::numeric_limits<float>::infinity(); }));
    std::size_t const top = std::min(o->top, candidates);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(), before);
    nlohmann::json list = nlohmann::json::array();
    std::cout << "user " << o->user << ", " << taken.size() << " items of history, " << model.method << ", serve " << o->serving.mode << ", kappa "
              << kappa_of(serving, model.serving()) << '\n';
    for (std::size_t i = 0; i < top; ++i) {
      auto const y = static_cast<std::size_t>(order[i]);
      std::string const title = y < model.item_titles.size() ? model.item_titles[y] : "";
      std::cout << std::setw(4) << i + 1 << "  " << std::left << std::setw(12) << model.item_ids[y] << std::right << std::setw(10) << std::fixed
                << std::setprecision(3) << scores[y] << "  " << title << '\n';
      list.push_back({{"item", model.item_ids[y]}, {"title", title}, {"score", scores[y]}});
    }
    if (top < o->top) std::cerr << "only " << top << " items are left that the model knows and user " << o->user << " has not seen\n";
    if (!o->json.empty()) write_file_atomically(o->json, nlohmann::json{{"user", o->user}, {"items", list}}.dump(2) + "\n");
  };
}

}  // namespace recommender
