// SPDX-License-Identifier: Apache-2.0
// Scores as they are served, ranks among what a user has not seen, exact tests.
#include "app/judge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>

namespace recommender {
namespace {

using history = std::span<std::int32_t const>;
using memberships = std::vector<std::vector<float>>;

std::vector<std::string> split_tabs(std::string const& text) {
  std::vector<std::string> fields;
  std::istringstream in(text);
  for (std::string field; std::getline(in, field, '\t');) fields.push_back(field);
  return fields;
}

/// The environment with the largest membership along the first axis; -1 without axes or memberships.
std::int32_t dominant(memberships const& q) {
  if (q.empty()) return -1;
  auto const best = std::max_element(q[0].begin(), q[0].end());
  return best == q[0].end() || *best <= 0 ? -1 : static_cast<std::int32_t>(best - q[0].begin());
}

void exclude(std::span<float> scores, history items) {
  for (std::int32_t y : items) scores[static_cast<std::size_t>(y)] = -std::numeric_limits<float>::infinity();
}

}  // namespace

std::vector<std::vector<std::int32_t>> histories_without(interaction_log const& log, std::span<held_out_row const> hidden) {
  std::set<std::pair<std::int32_t, std::int32_t>> left_out;
  for (held_out_row const& r : hidden) left_out.emplace(r.user, r.item);
  std::vector<std::vector<std::int32_t>> rows(log.users());
  for (std::size_t i = 0; i < log.interactions.size(); ++i) {
    interaction const& r = log.interactions[i];
    if (!left_out.contains({r.user, r.item})) rows[static_cast<std::size_t>(r.user)].push_back(static_cast<std::int32_t>(i));
  }
  for (auto& user : rows) {
    if (log.has_time)
      std::stable_sort(user.begin(), user.end(), [&](std::int32_t a, std::int32_t b) {
        return log.interactions[static_cast<std::size_t>(a)].timestamp < log.interactions[static_cast<std::size_t>(b)].timestamp;
      });
    for (std::int32_t& r : user) r = log.interactions[static_cast<std::size_t>(r)].item;
  }
  return rows;
}

void served_scores::score(std::span<history const> histories, serving_options const& serving, std::span<memberships const> requests, std::span<float> scores) {
  auto const n = static_cast<index_t>(histories.size()), v = model_.net.options.items;
  scorer_->score(histories, causaldpo::matrix(scores.data(), n, v));
  for (std::size_t i = 0; i < histories.size(); ++i) {
    serve(scores.subspan(i * static_cast<std::size_t>(v), static_cast<std::size_t>(v)), serving, model_.serving(),
          requests.empty() ? std::span<std::vector<float> const>() : std::span<std::vector<float> const>(requests[i]));
    for (std::size_t y = 0; y < model_.item_counts.size(); ++y)
      if (model_.item_counts[y] == 0) scores[i * static_cast<std::size_t>(v) + y] = -std::numeric_limits<float>::infinity();
  }
}

memberships request_memberships(environment_model const& model, double timestamp, std::string const& circumstances) {
  memberships q;
  std::vector<std::string> const fields = split_tabs(circumstances);
  std::size_t next = 0;
  for (exposure_axis const& e : model.axes) {
    q.emplace_back(e.axis.environments(), 0.0F);
    if (e.axis.covariate == "time") {
      e.axis.memberships(timestamp, q.back());
    } else if (next < fields.size()) {
      std::string const& field = fields[next++];
      if (e.axis.kind == axis_kind::levels) e.axis.memberships(field, q.back());
      else if (!field.empty()) e.axis.memberships(std::stod(field), q.back());
    }
  }
  return q;
}

std::string circumstances_of(environment_model const& model, interaction_log const& log, std::int32_t interaction) {
  std::string text;
  bool first = true;
  for (exposure_axis const& e : model.axes) {
    if (e.axis.covariate == "time") continue;
    if (!first) text += '\t';
    first = false;
    auto const column = log.covariates.find(e.axis.covariate);
    if (column == log.covariates.end()) continue;
    text += column->second.levels[static_cast<std::size_t>(column->second.code[static_cast<std::size_t>(interaction)])];
  }
  return text;
}

user_states states_of(environment_model const& model, interaction_log const& log) {
  user_states states;
  states.circumstances.resize(log.users());
  std::vector<std::int32_t> last(log.users(), -1);
  for (std::size_t i = 0; i < log.interactions.size(); ++i) {
    interaction const& r = log.interactions[i];
    states.now = std::max(states.now, r.timestamp);
    std::int32_t& best = last[static_cast<std::size_t>(r.user)];
    if (best < 0 || r.timestamp >= log.interactions[static_cast<std::size_t>(best)].timestamp) best = static_cast<std::int32_t>(i);
  }
  for (std::size_t u = 0; u < last.size(); ++u)
    if (last[u] >= 0) states.circumstances[u] = circumstances_of(model, log, last[u]);
  return states;
}

evaluation_result judge_rows(engine& on, saved_model const& model, interaction_log const& log,
                             std::span<std::vector<std::int32_t> const> histories, std::span<held_out_row const> rows, serving_options const& serving) {
  auto const items = model.environments.items();
  std::vector<std::vector<std::int32_t>> targets(log.users());
  for (held_out_row const& r : rows) targets[static_cast<std::size_t>(r.user)].push_back(r.item);
  std::vector<test_case> cases;
  std::vector<memberships> requests;
  for (held_out_row const& r : rows) {
    auto const user = static_cast<std::size_t>(r.user);
    requests.push_back(request_memberships(model.environments, r.timestamp, r.circumstances));
    cases.push_back({1 / static_cast<double>(targets[user].size()), r.user, r.item, r.timestamp, static_cast<std::int32_t>(histories[user].size()),
                     dominant(requests.back())});
  }
  std::vector<std::string> names;
  if (!model.environments.axes.empty())
    for (std::size_t k = 0; k < model.environments.axes[0].axis.environments(); ++k) names.push_back(model.environments.axes[0].axis.describe(k));
  served_scores scores(on, model);
  test_case const* const first = cases.data();
  return evaluate_ranking(on, cases, items, model.item_counts, names, log.has_time, [&](std::span<test_case const> part, std::span<float> out) {
    std::vector<history> block;
    for (test_case const& c : part) block.emplace_back(histories[static_cast<std::size_t>(c.user)]);
    scores.score(block, serving, std::span(requests).subspan(static_cast<std::size_t>(part.data() - first), part.size()), out);
    for (std::size_t i = 0; i < part.size(); ++i) {
      auto const user = static_cast<std::size_t>(part[i].user), target = static_cast<std::size_t>(part[i].target);
      auto const row = out.subspan(i * items, items);
      float const kept = row[target];
      exclude(row, histories[user]);
      exclude(row, targets[user]);
      row[target] = kept;
    }
  });
}

exact_result judge_exact(engine& on, saved_model const& model, interaction_log const& log,
                         std::span<std::vector<std::int32_t> const> histories, exact_tests const& tests, serving_options const& serving,
                         std::span<held_out_row const> requests) {
  std::size_t const items = model.environments.items(), rows = tests.rows();
  std::vector<memberships> q(log.users());
  for (held_out_row const& r : requests) q[static_cast<std::size_t>(r.user)] = request_memberships(model.environments, r.timestamp, r.circumstances);
  std::vector<history> block;
  std::vector<memberships> block_q;
  for (std::int32_t user : tests.users) {
    block.emplace_back(histories[static_cast<std::size_t>(user)]);
    block_q.push_back(q[static_cast<std::size_t>(user)].empty() ? request_memberships(model.environments, 0, "") : q[static_cast<std::size_t>(user)]);
  }
  std::vector<float> scores(rows * items), p(rows * items);
  served_scores(on, model).score(block, serving, block_q, scores);
  for (std::size_t r = 0; r < rows; ++r) exclude(std::span(scores).subspan(r * items, items), block[r]);
  auto const n = static_cast<index_t>(rows), v = static_cast<index_t>(items);
  auto const judged = [&](char const* name, std::vector<float> const& probabilities) {
    std::fill(p.begin(), p.end(), 0.0F);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < tests.columns(); ++c)
        if (tests.items[c] >= 0) p[r * items + static_cast<std::size_t>(tests.items[c])] = probabilities[r * tests.columns() + c];
    expected_metrics const e = on.expect(causaldpo::matrix(scores.data(), n, v), causaldpo::matrix(p.data(), n, v));
    part_metrics m;
    m.name = name;
    m.cases = static_cast<std::int64_t>(rows);
    m.weight = static_cast<double>(rows);
    m.hit_rate_10 = static_cast<double>(e.hit_rate[0]);
    m.hit_rate_20 = static_cast<double>(e.hit_rate[1]);
    m.ndcg_10 = static_cast<double>(e.ndcg[0]);
    m.ndcg_20 = static_cast<double>(e.ndcg[1]);
    m.mrr = static_cast<double>(e.mrr[1]);
    return m;
  };
  return {judged("in distribution", tests.id), judged("uniform exposure", tests.uniform), judged("new environment", tests.shifted)};
}

}  // namespace recommender
