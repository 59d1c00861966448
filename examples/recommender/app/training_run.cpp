// SPDX-License-Identifier: Apache-2.0
// Division of a log into training and held-out rows, the tables of exposure, and the choice of kappa.
#include "app/training_run.hpp"

#include <algorithm>
#include <memory>
#include <sstream>

#include "app/judge.hpp"
#include "data/split.hpp"
#include "data/test_set.hpp"
#include "store/progress.hpp"

namespace recommender {
namespace {

constexpr double kappa_grid[] = {0, 0.15, 0.3, 0.4, 0.5, 0.75, 1};
constexpr std::size_t most_validation_users = 1500;

held_out_row row_of(interaction_log const& log, std::int32_t interaction) {
  auto const& r = log.interactions[static_cast<std::size_t>(interaction)];
  return {r.user, r.item, r.timestamp, interaction};
}

}  // namespace

training_data divide(interaction_log const& log, std::string const& test_file, std::string const& columns, std::uint64_t seed) {
  split const parts = leave_last_out(log, {.seed = seed, .hold_test = test_file.empty()});
  training_data data;
  data.sequences.items = static_cast<index_t>(log.items());
  data.sequences.ordered = log.has_time;
  for (auto const& user : parts.train) {
    data.sequences.sequences.emplace_back();
    for (std::int32_t r : user) {
      data.sequences.sequences.back().push_back(log.interactions[static_cast<std::size_t>(r)].item);
      data.rows.push_back(r);
    }
  }
  for (std::int32_t r : parts.validation)
    if (r >= 0) data.held_out.validation.push_back(row_of(log, r));
  for (std::int32_t r : parts.test)
    if (r >= 0) data.held_out.test.push_back(row_of(log, r));
  if (!test_file.empty()) {
    data.held_out.test = rows_of_test(read_test(test_file, log, {.columns = columns}), log);
  }
  return data;
}

exposure_table exposure_of(fitted_environments const& fitted, std::span<std::int32_t const> rows) {
  environment_model const& model = fitted.model;
  exposure_table t;
  std::size_t k_count = 1;
  for (exposure_axis const& e : model.axes) {
    k_count += e.axis.environments();
    t.table.insert(t.table.end(), e.log_conditional.begin(), e.log_conditional.end());
  }
  t.table.insert(t.table.end(), model.log_marginal.begin(), model.log_marginal.end());
  t.environments = static_cast<index_t>(k_count);
  t.weights.resize(rows.size() * k_count);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    float* const w = &t.weights[i * k_count];
    float rest = 1;
    std::size_t next = 0;
    for (std::size_t a = 0; a < model.axes.size(); ++a) {
      std::size_t const k = model.axes[a].axis.environments();
      for (std::size_t c = 0; c < k; ++c) rest -= w[next++] = fitted.memberships[a][static_cast<std::size_t>(rows[i]) * k + c];
    }
    w[next] = std::abs(rest) < 1e-6F ? 0.0F : rest;
  }
  return t;
}

struct training_reporter::state {
  bool quiet;
  std::unique_ptr<progress> line;
  training_stage stage = training_stage::supervised;
  double smoothed = 0;
  nlohmann::json summary = nlohmann::json::object();
};

training_reporter::training_reporter(bool quiet) : state_(std::make_unique<state>()) { state_->quiet = quiet; }
training_reporter::~training_reporter() = default;

void training_reporter::operator()(training_progress const& p) {
  bool const supervised = p.stage == training_stage::supervised;
  char const* const name = supervised ? "supervised stage" : "alignment stage";
  if (!state_->line || state_->stage != p.stage) {
    state_->stage = p.stage;
    state_->smoothed = p.loss;
    progress_options how;
    how.quiet = state_->quiet;
    state_->line = std::make_unique<progress>(name, static_cast<std::uint64_t>(p.steps), how);
  }
  state_->smoothed += 0.02 * (p.loss - state_->smoothed);
  std::ostringstream note;
  note.precision(4);
  note << "loss " << state_->smoothed;
  if (!supervised) note << ", pairs right " << static_cast<int>(100 * p.accuracy) << " %, margin " << p.margin;
  if (p.step == p.steps) {
    state_->line->finish(note.str());
    state_->summary[name] = {{"steps", p.steps}, {"epochs", p.epochs}, {"seconds", p.seconds}, {"loss", state_->smoothed}};
  } else {
    state_->line->update(static_cast<std::uint64_t>(p.step), note.str());
  }
}

nlohmann::json training_reporter::summary() const { return state_->summary; }

double choose_kappa(engine& on, saved_model& model, interaction_log const& log, training_data const& data) {
  std::vector<held_out_row> rows = data.held_out.validation;
  if (rows.size() > most_validation_users) rows.resize(most_validation_users);
  if (rows.empty()) return 0;
  std::vector<held_out_row> hidden = data.held_out.validation;
  hidden.insert(hidden.end(), data.held_out.test.begin(), data.held_out.test.end());
  auto const histories = histories_without(log, hidden);
  double best = 0, best_ndcg = -1;
  for (double kappa : kappa_grid) {
    serving_options serving;
    serving.mode = serve_mode::today;
    serving.kappa = kappa;
    double const ndcg = judge_rows(on, model, log, histories, rows, serving).all.ndcg_10;
    if (ndcg > best_ndcg) {
      best = kappa;
      best_ndcg = ndcg;
    }
  }
  model.training["validation"] = {{"users", rows.size()}, {"kappa", best}, {"ndcg@10", best_ndcg}};
  return best;
}

}  // namespace recommender
