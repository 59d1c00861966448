// SPDX-License-Identifier: Apache-2.0
// ranking_metrics: how well scores over the whole catalogue place each user's target, by counting, without a sort.
#pragma once

#include <type_traits>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/evaluation/ranking_kernels.hpp"

namespace causaldpo {

/// Options of ranking_metrics.
struct ranking_options {
  short_list<index_t> ks{10, 20};  ///< lengths of the list, each >= 1, at most 16 of them; "ks" below is their number
  index_t n_item_groups = 0;       ///< G, with item_groups
  index_t n_envs = 0;              ///< E, with env_ids
};

/// Outputs of ranking_metrics; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct ranking_results {
  view<index_t, 1, S> ranks{};             ///< [U] 0-based place of the target; -1: no target, or the target is excluded
  view<T, 1, S> hit_rate{};                ///< [ks]
  view<T, 1, S> ndcg{};                    ///< [ks]
  view<T, 1, S> mrr{};                     ///< [ks]
  view<T, 1, S> or_ratio{};                ///< [ks] share of the k U places that the three most frequent items hold
  view<T, 1, S> coverage{};                ///< [ks] distinct listed items / I
  view<T, 2, S> item_group_hit_rate{};     ///< [G,ks] over the users whose target is in the group
  view<T, 2, S> item_group_ndcg{};         ///< [G,ks]
  view<index_t, 1, S> item_group_count{};  ///< [G] users
  view<T, 2, S> env_hit_rate{};            ///< [E,ks] over the users of the environment
  view<T, 2, S> env_ndcg{};                ///< [E,ks]
  view<index_t, 1, S> env_count{};         ///< [E] users
  view<T, 1, S> worst_env_hit_rate{};      ///< [ks] smallest over the environments that have a user
  view<T, 1, S> worst_env_ndcg{};          ///< [ks]
};

namespace detail {

template <class T, class S>
struct ranking_args {
  view<T const, 2, S> scores;
  index_view<S> targets, item_groups, env_ids;
  ranking_results<T, S> out;
  nan_watch watch;  // slots: 0 scores, 1 targets, 2 item_groups, 3 env_ids
};

/// Metrics of groups of users: means, counts, and the worst mean; each output optional.
template <backend B, class T, class S>
void group_metrics(B& be, view<index_t const, 1, S> ranks, group_of<S> group, index_t groups, short_list<index_t> const& ks,
                   view<T, 2, S> hit_rate, view<T, 2, S> ndcg, view<index_t, 1, S> count, view<T, 1, S> worst_hit_rate,
                   view<T, 1, S> worst_ndcg) {
  index_t const users = ranks.size(), k_count = ks.size();
  auto counts = be.template allocate<index_t>(groups);
  auto sums = be.template allocate<accumulator>(groups * k_count);
  be.reduce_rows(groups, users, group_count_map<S>{group}, sum_fold<index_t>{}, counts.vector());
  if (count.given()) be.copy(count, view<index_t const, 1, S>(counts.vector()));
  for (gain const kind : {gain::hit, gain::discounted}) {
    view<T, 2, S> const mean = kind == gain::hit ? hit_rate : ndcg;
    view<T, 1, S> const worst = kind == gain::hit ? worst_hit_rate : worst_ndcg;
    if (!mean.given() && !worst.given()) continue;
    be.reduce_rows(groups * k_count, users, group_gain_map<S>{ranks, ks, {kind}, group}, sum_fold<>{}, sums.vector());
    view<accumulator const, 2, S> const table = sums.matrix(groups, k_count);
    if (mean.given()) be.launch_2d(groups, k_count, divide_gains<T, S>{table, counts.vector(), 0, mean});
    if (worst.given()) be.launch(k_count, worst_group<T, S>{table, counts.vector(), worst});
  }
}

/// Length of the lists that serve every cutoff: the largest k, at most the number of items.
inline index_t list_length(short_list<index_t> const& ks, index_t items) {
  index_t longest = 0;
  for (index_t k : ks) longest = k > longest ? k : longest;
  return longest < items ? longest : items;
}
inline void expect_cutoffs(char const* op, short_list<index_t> const& ks) {
  for (index_t k : ks) expect_option(op, "ks", k >= 1, k, ">= 1 each");
}

}  // namespace detail

namespace op {
/// Tag and generic body of ranking_metrics.
struct ranking_metrics {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::ranking_args<T, S>, ranking_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::ranking_args<T, typename B::space> const& a, ranking_options const& o) {
    using S = typename B::space;
    index_t const users = a.scores.rows(), items = a.scores.cols(), k_count = o.ks.size();
    auto const rank_scratch = be.template allocate<index_t>(users);
    view<index_t, 1, S> const ranks = rank_scratch.vector();
    be.reduce_rows(users, items, detail::above_target_map<T, S>{a.scores, a.targets, a.watch}, detail::sum_fold<index_t>{},
                   ranks);
    be.launch(users, detail::finish_rank<T, S>{a.scores, a.targets, a.item_groups, a.env_ids, o.n_item_groups, o.n_envs, a.watch,
                                               ranks, a.out.ranks});
    overall(be, a, o, ranks);
    if (a.out.item_group_hit_rate.given() || a.out.item_group_ndcg.given() || a.out.item_group_count.given())
      detail::group_metrics<B, T, S>(be, ranks, {a.item_groups, a.targets}, o.n_item_groups, o.ks, a.out.item_group_hit_rate,
                                     a.out.item_group_ndcg, a.out.item_group_count, {}, {});
    if (a.out.env_hit_rate.given() || a.out.env_ndcg.given() || a.out.env_count.given() || a.out.worst_env_hit_rate.given() ||
        a.out.worst_env_ndcg.given())
      detail::group_metrics<B, T, S>(be, ranks, {a.env_ids, {}}, o.n_envs, o.ks, a.out.env_hit_rate, a.out.env_ndcg,
                                     a.out.env_count, a.out.worst_env_hit_rate, a.out.worst_env_ndcg);
    if ((a.out.or_ratio.given() || a.out.coverage.given()) && k_count > 0) list_shares(be, a, o);
  }

 private:
  template <class B, class A>
  static void overall(B& be, A const& a, ranking_options const& o, view<index_t const, 1, typename B::space> ranks) {
    using S = typename B::space;
    using T = typename decltype(a.out.hit_rate)::value_type;
    index_t const users = ranks.size(), k_count = o.ks.size();
    auto sums = be.template allocate<accumulator>(k_count);
    for (detail::gain const kind : {detail::gain::hit, detail::gain::discounted, detail::gain::reciprocal}) {
      view<T, 1, S> const out = kind == detail::gain::hit          ? a.out.hit_rate
                                : kind == detail::gain::discounted ? a.out.ndcg
                                                                   : a.out.mrr;
      if (!out.given()) continue;
      be.reduce_cols(users, k_count, detail::gain_map<S>{ranks, o.ks, {kind}}, detail::sum_fold<>{}, sums.vector());
      be.launch_2d(1, k_count, detail::divide_gains<T, S>{sums.matrix(1, k_count), {}, users, {out.data(), 1, k_count}});
    }
  }
  /// Over-recommendation and coverage: the best items of each user, then how often each item is listed.
  template <class B, class A>
  static void list_shares(B& be, A const& a, ranking_options const& o) {
    using S = typename B::space;
    using T = typename decltype(a.out.or_ratio)::value_type;
    index_t const users = a.scores.rows(), items = a.scores.cols(), length = detail::list_length(o.ks, items);
    auto lists = be.template allocate<index_t>(users * length);
    auto listed = be.template allocate<index_t>(items);
    auto counts = be.template allocate<detail::list_counts>(1);
    view<index_t, 2, S> const best = lists.matrix(users, length);
    be.launch(users, detail::best_items<T, S>{a.scores, a.watch, best});
    for (int c = 0; c < o.ks.size(); ++c) {
      be.reduce_cols(users, items, detail::listed_map<T, S>{a.scores, best, o.ks[c]}, detail::sum_fold<index_t>{},
                     listed.vector());
      be.reduce(items, detail::list_counts_map<S>{listed.vector()}, detail::list_counts_fold{}, counts.vector());
      be.launch(1, detail::finish_list_counts<T, S>{counts.vector(), o.ks[c] * users, items, c, a.out.or_ratio, a.out.coverage});
    }
  }
};
}  // namespace op

/// Ranking metrics over the full catalogue. Items are ordered by score, descending, then by id, ascending; items of
/// score -inf are excluded. The rank of a user is the number of items before the target, found by counting.
///   hit_rate = mean [rank < k];  ndcg = mean [rank < k] log 2 / log(rank + 2);  mrr = mean [rank < k] / (rank + 1)
/// over all users: a miss counts 0 and stays in the denominator.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | scores | [U,I] | finite, +inf, or -inf for an excluded item |
/// | targets | [U] | item id, or -1: no target |
/// | item_groups | [I] | optional: group of each item, in [0, n_item_groups) |
/// | env_ids | [U] | optional: environment of each user, in [0, n_envs) |
///
/// Edge cases: a group or environment without users has metrics 0; the worst environment is taken over the others. Lists
/// shorter than k (exclusions, k > I) leave places empty, which count in the k U places. No users: 0 everywhere.
/// Errors: value_error for NaN in scores and for an id outside its range.
/// Cost: O(U I) for the ranks; or_ratio and coverage add O(U I) for each k and scratch of 8 U max(ks) bytes; groups add
/// O(U G ks). Otherwise 8 U bytes of scratch. Deterministic whatever the number of threads.
/// Sources: Krichene and Rendle, "On sampled metrics for item recommendation", KDD 2020 (why the full catalogue);
/// or_ratio: Gao et al., "SPRec", arXiv 2412.09243.
template <backend B, matrix_like M, real_scalar T = scalar_of<M>>
void ranking_metrics(B& be, M const& scores, index_view<typename B::space> targets,
                     std::type_identity_t<ranking_results<T, typename B::space>> results, ranking_options const& options = {},
                     index_view<typename B::space> item_groups = {}, index_view<typename B::space> env_ids = {}) {
  constexpr char const* name = "ranking_metrics";
  detail::ranking_args<T, typename B::space> a{as_view(scores), targets, item_groups, env_ids, results, {}};
  index_t const users = a.scores.rows(), items = a.scores.cols(), ks = options.ks.size(), groups = options.n_item_groups,
                envs = options.n_envs;
  auto const& r = results;
  detail::expect_cutoffs(name, options.ks);
  detail::expect_option(name, "n_item_groups", groups >= 0, groups, ">= 0");
  detail::expect_option(name, "n_envs", envs >= 0, envs, ">= 0");
  detail::expect_shape(name, "scores", a.scores, users, items, "itself");
  detail::expect_size(name, "targets", targets, users, "one for each row of scores");
  if (item_groups.given() || r.item_group_hit_rate.given() || r.item_group_ndcg.given() || r.item_group_count.given())
    detail::expect_size(name, "item_groups", item_groups, items, "one for each column of scores");
  if (env_ids.given() || r.env_hit_rate.given() || r.env_ndcg.given() || r.env_count.given() || r.worst_env_hit_rate.given() ||
      r.worst_env_ndcg.given())
    detail::expect_size(name, "env_ids", env_ids, users, "one for each row of scores");
  detail::expect_size_if_given(name, "ranks", r.ranks, users, "one for each row of scores");
  detail::expect_size_if_given(name, "hit_rate", r.hit_rate, ks, "one for each of ks");
  detail::expect_size_if_given(name, "ndcg", r.ndcg, ks, "one for each of ks");
  detail::expect_size_if_given(name, "mrr", r.mrr, ks, "one for each of ks");
  detail::expect_size_if_given(name, "or_ratio", r.or_ratio, ks, "one for each of ks");
  detail::expect_size_if_given(name, "coverage", r.coverage, ks, "one for each of ks");
  detail::expect_shape_if_given(name, "item_group_hit_rate", r.item_group_hit_rate, groups, ks, "n_item_groups by ks");
  detail::expect_shape_if_given(name, "item_group_ndcg", r.item_group_ndcg, groups, ks, "n_item_groups by ks");
  detail::expect_size_if_given(name, "item_group_count", r.item_group_count, groups, "n_item_groups");
  detail::expect_shape_if_given(name, "env_hit_rate", r.env_hit_rate, envs, ks, "n_envs by ks");
  detail::expect_shape_if_given(name, "env_ndcg", r.env_ndcg, envs, ks, "n_envs by ks");
  detail::expect_size_if_given(name, "env_count", r.env_count, envs, "n_envs");
  detail::expect_size_if_given(name, "worst_env_hit_rate", r.worst_env_hit_rate, ks, "one for each of ks");
  detail::expect_size_if_given(name, "worst_env_ndcg", r.worst_env_ndcg, ks, "one for each of ks");
  detail::nan_guard<B> guard(be, name,
                             {"scores", "targets|is neither -1 nor an item in [0, I)",
                              "item_groups|is outside [0, n_item_groups)", "env_ids|is outside [0, n_envs)"});
  a.watch = guard.watch();
  detail::run<op::ranking_metrics>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
