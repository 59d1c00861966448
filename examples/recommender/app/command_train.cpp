// SPDX-License-Identifier: Apache-2.0
// recommender train: supervised next item, frozen reference, preference alignment.
#include <iostream>
#include <memory>
#include <sstream>

#include "app/commands.hpp"
#include "app/engine_arguments.hpp"
#include "app/judge.hpp"
#include "app/training_run.hpp"
#include "causaldpo/version.hpp"

namespace recommender {
namespace {

struct train_arguments {
  std::string method = "causaldpo", output, test, environments = "auto", negatives = "uniform", start;
  std::vector<std::string> covariates;
  std::optional<double> smoothing, strength;
  bool quiet = false;
  engine_arguments compute;
  log_options log;
  train_options options;
};

void add_arguments(CLI::App& app, train_arguments& a) {
  add_log_options(app, a.log);
  app.add_option("--method", a.method, "sft: supervised only; dpo; sdpo: several rejected items; causaldpo: margins freed from exposure")
      ->check(CLI::IsMember({"sft", "dpo", "sdpo", "causaldpo"}))->capture_default_str();
  app.add_option("--output", a.output, "the model folder to write")->required();
  app.add_option("--test", a.test, "judge on these interactions later; otherwise the last interaction of each user is held out");
  app.add_option("--start", a.start, "begin from the supervised stage of this model instead of training one (trained on the same log and seed)");
  app.add_option("--covariates", a.covariates, "where environments are looked for: time, or columns of the log (default: time, if the log has it)")->delimiter(',');
  app.add_option("--environments", a.environments, "how many along a numeric covariate: auto (by the held-out exposure gain) or a number; 1: none")->capture_default_str();
  app.add_option("--smoothing", a.smoothing, "Dirichlet mass of the exposure model (default: chosen together with the environments)")->check(CLI::NonNegativeNumber);
  auto& align = a.options.alignment;
  auto& sft = a.options.supervised;
  app.add_option("--beta", align.beta, "of the preference loss")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--negatives", a.negatives, "rejected items are drawn uniformly, or in proportion to popularity")
      ->check(CLI::IsMember({"uniform", "popularity"}))->capture_default_str();
  app.add_option("--rejected", align.rejected, "rejected items of each example (default: 1, for sdpo 5)")->check(CLI::Range(1, 1024));
  app.add_option("--strength", a.strength, "of the offset in place of 1 + beta - s (0: plain dpo)")->check(CLI::NonNegativeNumber);
  app.add_option("--epochs", align.epochs, "of the alignment stage; 0: 2, and more on a small log")->check(CLI::Range(0, 10000))->capture_default_str();
  app.add_option("--learning-rate", align.learning_rate, "of the alignment stage")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--sft-epochs", sft.epochs, "of the supervised stage; 0: 10, and more on a small log")->check(CLI::Range(0, 10000))->capture_default_str();
  app.add_option("--sft-learning-rate", sft.learning_rate, "of the supervised stage; 0: 0.002, or 0.003 on a small log")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--dim", a.options.dim, "width of the model")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--blocks", a.options.blocks, "attention blocks")->check(CLI::Range(0, 64))->capture_default_str();
  app.add_option("--heads", a.options.heads, "attention heads; must divide --dim")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--feed-forward", a.options.feed_forward, "inner width of the feed-forward layers")->check(CLI::Range(1, 65536))->capture_default_str();
  app.add_option("--max-length", a.options.max_length, "how many items the model looks back")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--windows", a.options.windows_per_user, "training windows of a user with a long history, for each epoch")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--dropout", a.options.dropout, "on the input")->check(CLI::Range(0.0, 0.95))->capture_default_str();
  app.add_option("--batch", a.options.batch_sequences, "sequences in a step")->check(CLI::Range(1, 65536))->capture_default_str();
  a.compute.add(app);
  app.add_option("--seed", a.options.seed, "of everything that is drawn: the same seed, backend and threads give the same model")->capture_default_str();
  app.add_flag("--quiet", a.quiet, "no progress");
}

std::optional<std::size_t> environment_count(std::string const& text) {
  if (text == "auto") return std::nullopt;
  std::size_t end = 0;
  long long n = -1;
  try {
    n = std::stoll(text, &end);
  } catch (std::exception const&) {
  }
  if (end != text.size() || n < 1 || n > 4096) throw std::invalid_argument("--environments is " + text + " and must be auto or a number from 1 to 4096");
  return static_cast<std::size_t>(n);
}

void run(train_arguments a) {
  auto const environments = environment_count(a.environments);
  std::unique_ptr<engine> const on = a.compute.make();
  output_folder folder(a.output);
  interaction_log const log = read_and_report(a.log);
  training_data data = divide(log, a.test, a.log.columns, a.options.seed);

  if (a.covariates.empty() && log.has_time) a.covariates = {"time"};
  fitted_environments fitted = fit_environments(log, data.rows, {.covariates = a.covariates, .environments = environments, .smoothing = a.smoothing, .seed = a.options.seed});
  for (std::string const& why : fitted.model.decisions) std::cout << why << '\n';
  for (std::string const& line : describe_environments(log, fitted, data.rows)) std::cout << "  " << line << '\n';

  a.options.alignment.method = a.method == "dpo" ? alignment_method::dpo : a.method == "sdpo" ? alignment_method::sdpo : alignment_method::causaldpo;
  a.options.alignment.popularity_exponent = a.negatives == "popularity" ? 1 : 0;
  a.options.alignment.strength = a.strength;
  training_reporter report(a.quiet);
  saved_model model;
  if (a.start.empty()) {
    model.net = on->train_supervised(data.sequences, a.options, std::ref(report));
  } else {
    saved_model const start = load(a.start);
    if (start.method != "sft" || start.item_ids != log.item_ids) throw std::invalid_argument("--start " + a.start + " is no supervised model (method sft) of this log");
    model.net = start.net;
  }
  if (a.method != "sft") model.net = on->align(data.sequences, model.net, a.options, exposure_of(fitted, data.rows), std::ref(report));

  model.method = a.method;
  model.beta = a.options.alignment.beta;
  model.environments = std::move(fitted.model);
  model.item_counts.assign(log.items(), 0);
  for (std::int32_t r : data.rows) ++model.item_counts[static_cast<std::size_t>(log.interactions[static_cast<std::size_t>(r)].item)];
  model.item_ids = log.item_ids;
  model.item_titles = log.item_titles;
  model.user_ids = log.user_ids;
  for (auto* rows : {&data.held_out.validation, &data.held_out.test})
    for (held_out_row& r : *rows)
      if (r.interaction >= 0) r.circumstances = circumstances_of(model.environments, log, r.interaction);
  model.histories = histories_without(log, {});
  user_states states = states_of(model.environments, log);
  model.circumstances = std::move(states.circumstances);
  model.now = states.now;
  model.held_out = held_out_to_csv(log, data.held_out);
  model.training = {{"data", log.source}, {"seed", a.options.seed}, {"threads", a.compute.options.threads}, {"backend", on->backend()},
                    {"negatives", a.negatives}, {"tau", a.method == "causaldpo" ? a.options.alignment.tau() : 0}, {"stages", report.summary()}};
  model.kappa_today = choose_kappa(*on, model, log, data);
  auto const& validation = model.training["validation"];
  if (!validation.is_null())
    std::cout << "validation (" << validation["users"] << " users): NDCG@10 " << validation["ndcg@10"] << " when today's exposure is put back at kappa " << model.kappa_today << '\n';
  save(folder, model);
  std::cout << a.output << ": " << a.method << " model written\n";
}

}  // namespace

command add_train(CLI::App& program) {
  auto arguments = std::make_shared<train_arguments>();
  add_arguments(*program.add_subcommand("train", "train a recommender on an interaction log"), *arguments);
  return [arguments] { run(*arguments); };
}

}  // namespace recommender
