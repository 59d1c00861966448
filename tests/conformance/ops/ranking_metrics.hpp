// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of ranking_metrics.
#pragma once

#include "causaldpo/evaluation/ranking_metrics.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

template <backend B, real_scalar T>
void conform_ranking_metrics(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  auto const& o = in.options();
  ranking_options options;
  if (o.has("ks")) options.ks = {};
  for (index_t k : o.integers("ks")) options.ks.push_back(k);
  options.n_item_groups = o.integer("n_item_groups", 0);
  options.n_envs = o.integer("n_envs", 0);

  auto const scores = in.matrix("scores");
  auto const item_groups = in.indices("item_groups"), env_ids = in.indices("env_ids");
  index_t const ks = options.ks.size(), groups = options.n_item_groups, envs = options.n_envs;
  ranking_results<T, typename B::space> results{.ranks = out.integers("ranks", scores.rows()),
                                                .hit_rate = out.vector("hit_rate", ks),
                                                .ndcg = out.vector("ndcg", ks),
                                                .mrr = out.vector("mrr", ks),
                                                .or_ratio = out.vector("or_ratio", ks),
                                                .coverage = out.vector("coverage", ks)};
  if (item_groups.given()) {
    results.item_group_hit_rate = out.matrix("item_group_hit_rate", groups, ks);
    results.item_group_ndcg = out.matrix("item_group_ndcg", groups, ks);
    results.item_group_count = out.integers("item_group_count", groups);
  }
  if (env_ids.given()) {
    results.env_hit_rate = out.matrix("env_hit_rate", envs, ks);
    results.env_ndcg = out.matrix("env_ndcg", envs, ks);
    results.env_count = out.integers("env_count", envs);
    results.worst_env_hit_rate = out.vector("worst_env_hit_rate", ks);
    results.worst_env_ndcg = out.vector("worst_env_ndcg", ks);
  }
  ranking_metrics(be, scores, in.indices("targets"), results, options, item_groups, env_ids);
}

}  // namespace causaldpo::conformance
