// SPDX-License-Identifier: Apache-2.0
// recommender evaluate: how well a model ranks, as a whole and in parts, under a way of serving.
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>

#include "app/engine_arguments.hpp"
#include "app/judge.hpp"
#include "app/serving_arguments.hpp"
#include "data/test_set.hpp"

namespace recommender {
namespace {

std::string exact_table(exact_result const& r) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(4) << std::left << std::setw(22) << "exact test" << std::right;
  for (char const* column : {"HR@10", "NDCG@10", "HR@20", "NDCG@20", "MRR@20"}) text << std::setw(10) << column;
  text << '\n';
  for (part_metrics const* p : {&r.in_distribution, &r.uniform, &r.shifted})
    text << std::left << std::setw(22) << p->name << std::right << std::setw(10) << p->hit_rate_10 << std::setw(10) << p->ndcg_10 << std::setw(10)
         << p->hit_rate_20 << std::setw(10) << p->ndcg_20 << std::setw(10) << p->mrr << '\n';
  return text.str();
}

}  // namespace

command add_evaluate(CLI::App& program) {
  struct options {
    std::string model, tests, json, test;
    log_options log;
    serving_arguments serving;
    engine_arguments compute;
  };
  auto o = std::make_shared<options>();
  CLI::App* app = program.add_subcommand("evaluate", "judge a model on the interactions that were held out when it was trained");
  app->add_option("--model", o->model, "a model folder written by train")->required();
  add_log_options(*app, o->log);
  app->add_option("--test", o->test, "judge on these interactions instead (any format of a log)");
  app->add_option("--tests", o->tests, "also judge on the exact tests of a simulation (tests.safetensors or its folder)");
  app->add_option("--json", o->json, "write the results here as JSON");
  o->serving.add(*app);
  o->compute.add(*app);
  return [o] {
    std::unique_ptr<engine> const on = o->compute.make();
    saved_model const model = load(o->model);
    std::size_t unknown_items = 0, missing = 0;
    interaction_log const log = align(read_and_report(o->log), model.item_ids, model.user_ids, unknown_items);
    if (unknown_items) std::cerr << unknown_items << " interactions with items that the model was never trained on are left out\n";
    held_out_rows rows = held_out_from_csv(model.held_out, log, missing);
    if (missing) std::cerr << missing << " held-out interactions are of users or items that this log does not have\n";
    if (!o->test.empty()) {
      test_set const test = read_test(o->test, log, {.columns = o->log.columns});
      for (std::string const& warning : test.warnings) std::cerr << warning << '\n';
      rows.test = rows_of_test(test, log);
    }
    if (rows.test.empty()) throw data_error("there is nothing to judge on: no held-out interaction is in " + log.source);
    serving_options const serving = o->serving.resolve(model, o->log.columns);
    auto const histories = histories_without(log, rows.test);
    evaluation_result const result = judge_rows(*on, model, log, histories, rows.test, serving);
    nlohmann::json report = {{"model", o->model}, {"method", model.method}, {"backend", on->backend()}, {"serve", o->serving.mode}, {"kappa", kappa_of(serving, model.serving())},
                             {"held_out", result.to_json()}};
    std::cout << model.method << ", serve " << o->serving.mode << ", kappa " << kappa_of(serving, model.serving()) << '\n' << result.to_table();
    if (!o->tests.empty()) {
      exact_tests const tests = read_exact_tests(o->tests, log);
      exact_result const exact = judge_exact(*on, model, log, histories, tests, serving, rows.test);
      std::cout << exact_table(exact);
      for (auto const& [name, part] : {std::pair{"id", &exact.in_distribution}, {"uniform", &exact.uniform}, {"new", &exact.shifted}})
        report["exact"][name] = {{"hr@10", part->hit_rate_10}, {"ndcg@10", part->ndcg_10}, {"hr@20", part->hit_rate_20}, {"ndcg@20", part->ndcg_20}, {"mrr@20", part->mrr}};
    }
    if (!o->json.empty()) write_file_atomically(o->json, report.dump(2) + "\n");
  };
}

}  // namespace recommender
