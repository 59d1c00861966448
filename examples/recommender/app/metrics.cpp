// SPDX-License-Identifier: Apache-2.0
// Accumulation of ranking metrics by part, as JSON and as a table.
#include "app/metrics.hpp"

#include <algorithm>
#include <iomanip>
#include <numeric>
#include <sstream>

#include "causaldpo/evaluation/ranking_metrics.hpp"

namespace recommender {
namespace {

using causaldpo::index_t;

constexpr std::size_t groups = 5;
constexpr std::int32_t short_history = 5;
constexpr std::size_t block_bytes = std::size_t{64} << 20;

/// Adds what a rank is worth (-1: a miss) to the sums of a part.
void add(part_metrics& part, double weight, index_t rank, index_t items) {
  causaldpo::detail::gain_at const hit{causaldpo::detail::gain::hit}, discounted{causaldpo::detail::gain::discounted}, reciprocal{causaldpo::detail::gain::reciprocal};
  ++part.cases;
  part.weight += weight;
  part.hit_rate_10 += weight * hit(rank, 10);
  part.ndcg_10 += weight * discounted(rank, 10);
  part.hit_rate_20 += weight * hit(rank, 20);
  part.ndcg_20 += weight * discounted(rank, 20);
  part.mrr += weight * reciprocal(rank, items);
}

void finish(part_metrics& part) {
  for (double* sum : {&part.hit_rate_10, &part.ndcg_10, &part.hit_rate_20, &part.ndcg_20, &part.mrr}) *sum /= part.weight > 0 ? part.weight : 1;
}

std::vector<part_metrics> named_parts(char letter, std::size_t count) {
  std::vector<part_metrics> parts(count);
  for (std::size_t i = 0; i < count; ++i) parts[i].name = letter + std::to_string(i + 1);
  return parts;
}

nlohmann::json part_json(part_metrics const& p) {
  return {{"name", p.name}, {"cases", p.cases}, {"hr@10", p.hit_rate_10}, {"ndcg@10", p.ndcg_10}, {"hr@20", p.hit_rate_20}, {"ndcg@20", p.ndcg_20}, {"mrr", p.mrr}};
}

}  // namespace

std::vector<std::int64_t> popularity_groups(std::span<std::int64_t const> item_counts) {
  std::vector<std::size_t> order(item_counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return item_counts[a] > item_counts[b]; });
  double const total = static_cast<double>(std::accumulate(item_counts.begin(), item_counts.end(), std::int64_t{0}));
  std::vector<std::int64_t> group(item_counts.size(), groups - 1);
  double before = 0;
  for (std::size_t y : order) {
    if (total > 0) group[y] = std::min<std::int64_t>(groups - 1, static_cast<std::int64_t>(groups * before / total));
    before += static_cast<double>(item_counts[y]);
  }
  return group;
}

evaluation_result evaluate_ranking(engine& on, std::span<test_case const> cases, std::size_t items, std::span<std::int64_t const> item_counts,
                                   std::vector<std::string> const& environment_names, bool has_time, score_block const& score) {
  evaluation_result result;
  result.all.name = "all";
  result.popularity = named_parts('G', groups);
  if (has_time) result.time = named_parts('T', groups);
  for (std::string const& name : environment_names) {
    result.environments.emplace_back();
    result.environments.back().name = name;
  }
  result.short_histories.name = "at most five interactions";
  std::vector<std::int64_t> const group = popularity_groups(item_counts);
  double first = 0, last = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    first = i == 0 ? cases[i].timestamp : std::min(first, cases[i].timestamp);
    last = i == 0 ? cases[i].timestamp : std::max(last, cases[i].timestamp);
  }
  double const span = last > first ? last - first : 1;

  std::size_t const block = std::max<std::size_t>(1, block_bytes / (sizeof(float) * std::max<std::size_t>(items, 1)));
  auto const v = static_cast<index_t>(items);
  std::vector<float> scores;
  for (std::size_t begin = 0; begin < cases.size(); begin += block) {
    auto const part = cases.subspan(begin, std::min(block, cases.size() - begin));
    scores.resize(part.size() * items);
    score(part, scores);
    std::vector<std::int32_t> targets;
    for (test_case const& c : part) targets.push_back(c.target);
    std::vector<std::int64_t> ranks(part.size());
    on.rank(causaldpo::matrix(scores.data(), static_cast<index_t>(part.size()), v), targets, ranks);
    for (std::size_t i = 0; i < part.size(); ++i) {
      test_case const& c = part[i];
      auto const slice = static_cast<std::size_t>(static_cast<double>(groups) * (c.timestamp - first) / span);
      add(result.all, c.weight, ranks[i], v);
      add(result.popularity[static_cast<std::size_t>(group[static_cast<std::size_t>(c.target)])], c.weight, ranks[i], v);
      if (has_time) add(result.time[std::min(groups - 1, slice)], c.weight, ranks[i], v);
      if (c.history <= short_history) add(result.short_histories, c.weight, ranks[i], v);
      if (c.environment >= 0) add(result.environments[static_cast<std::size_t>(c.environment)], c.weight, ranks[i], v);
    }
  }
  finish(result.all);
  finish(result.short_histories);
  for (auto* parts : {&result.popularity, &result.time, &result.environments})
    for (part_metrics& p : *parts) finish(p);
  result.worst = result.all;
  result.worst.name = "none apart";
  bool found = false;
  for (part_metrics const& p : result.environments.empty() ? result.time : result.environments)
    if (p.cases > 0 && (!found || p.ndcg_10 < result.worst.ndcg_10)) {
      result.worst = p;
      found = true;
    }
  return result;
}

nlohmann::json evaluation_result::to_json() const {
  nlohmann::json j = part_json(all);
  for (auto const& [name, parts] : {std::pair{"popularity", &popularity}, {"time", &time}, {"environments", &environments}}) {
    j[name] = nlohmann::json::array();
    for (part_metrics const& p : *parts) j[name].push_back(part_json(p));
  }
  j["short_histories"] = part_json(short_histories);
  j["worst_environment"] = part_json(worst);
  return j;
}

std::string evaluation_result::to_table() const {
  std::ostringstream text;
  text << std::fixed << std::setprecision(4);
  auto const line = [&](part_metrics const& p, std::string const& name) {
    text << std::left << std::setw(34) << name << std::right << std::setw(8) << p.cases << std::setw(10) << p.hit_rate_10 << std::setw(10) << p.ndcg_10
         << std::setw(10) << p.hit_rate_20 << std::setw(10) << p.ndcg_20 << std::setw(10) << p.mrr << '\n';
  };
  text << std::left << std::setw(34) << "" << std::right << std::setw(8) << "cases" << std::setw(10) << "HR@10" << std::setw(10) << "NDCG@10"
       << std::setw(10) << "HR@20" << std::setw(10) << "NDCG@20" << std::setw(10) << "MRR" << '\n';
  line(all, "all");
  for (std::size_t g = 0; g < popularity.size(); ++g) line(popularity[g], popularity[g].name + (g == 0 ? " (head items)" : g + 1 == popularity.size() ? " (tail items)" : ""));
  for (part_metrics const& p : time) line(p, p.name);
  line(short_histories, short_histories.name);
  for (part_metrics const& p : environments) line(p, p.name);
  line(worst, "worst: " + worst.name);
  return text.str();
}

}  // namespace recommender
