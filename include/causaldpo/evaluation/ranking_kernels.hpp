// SPDX-License-Identifier: Apache-2.0
// The functors of the ranking metrics: ranks by counting, the best items of a user, gains at a cutoff.
#pragma once

#include "causaldpo/core/indices.hpp"
#include "causaldpo/core/math.hpp"
#include "causaldpo/core/short_list.hpp"
#include "causaldpo/core/view.hpp"
#include "causaldpo/core/watch.hpp"

namespace causaldpo::detail {

/// Item i with score s comes before item j with score t: the higher score, then the lower id.
template <class T>
CAUSALDPO_HD constexpr bool ranks_before(T s, index_t i, T t, index_t j) { return s > t || (s == t && i < j); }

/// What the list place `rank` (0-based) is worth within the first k: the terms of HR, NDCG and MRR.
enum class gain { hit, discounted, reciprocal };
struct gain_at {
  gain kind;
  CAUSALDPO_HD accumulator operator()(index_t rank, index_t k) const {
    if (rank < 0 || rank >= k) return 0;
    if (kind == gain::hit) return 1;
    accumulator const place = static_cast<accumulator>(rank) + 1;
    if (kind == gain::reciprocal) return 1 / place;
    return accumulator(0.6931471805599453) / math::log1p(place);
  }
};

/// map(u, i) = 1 if item i comes before the target of user u. Notes NaN of the scores in slot 0.
template <class T, class S>
struct above_target_map {
  view<T const, 2, S> scores;
  index_view<S> targets;
  nan_watch watch;
  CAUSALDPO_HD index_t operator()(index_t u, index_t i) const {
    T const s = watch.checked(scores.at(u, i), 0, u * scores.cols() + i);
    index_t const target = targets.at(u);
    if (target < 0 || target >= scores.cols()) return 0;
    return ranks_before(s, i, scores.at(u, target), target) ? 1 : 0;
  }
};

/// One user: -1 for a miss, and the complaints about positions (slots 1 targets, 2 item_groups, 3 env_ids).
template <class T, class S>
struct finish_rank {
  view<T const, 2, S> scores;
  index_view<S> targets, item_groups, env_ids;
  index_t n_item_groups, n_envs;
  nan_watch watch;
  view<index_t, 1, S> ranks;  // in: items before the target
  view<index_t, 1, S> out;    // optional
  CAUSALDPO_HD void operator()(index_t u) const {
    index_t const target = targets.at(u);
    bool const in_range = target >= 0 && target < scores.cols();
    if (!in_range && target != -1) watch.note(1, u);
    if (!in_range || !(scores.at(u, target) > -math::infinity<T>())) ranks.at(u) = -1;
    if (out.given()) out.at(u) = ranks.at(u);
    if (in_range && item_groups.given() && !(item_groups.at(target) >= 0 && item_groups.at(target) < n_item_groups))
      watch.note(2, target);
    if (env_ids.given() && !(env_ids.at(u) >= 0 && env_ids.at(u) < n_envs)) watch.note(3, u);
  }
};

/// The group of a user: the environment, or the group of the target; -1 without one.
template <class S>
struct group_of {
  index_view<S> ids;      // [U] by user, or [I] by item
  index_view<S> targets;  // given: look the target up in ids
  CAUSALDPO_HD index_t operator()(index_t u) const {
    if (!targets.given()) return ids.at(u);
    index_t const target = targets.at(u);
    return target >= 0 && target < ids.size() ? ids.at(target) : -1;
  }
};

/// map(u, c) = gain at cutoff c.
template <class S>
struct gain_map {
  view<index_t const, 1, S> ranks;
  short_list<index_t> ks;
  gain_at worth;
  CAUSALDPO_HD accumulator operator()(index_t u, index_t c) const { return worth(ranks.at(u), ks[static_cast<int>(c)]); }
};

/// map(g * ks + c, u) = gain at cutoff c if the user is in group g.
template <class S>
struct group_gain_map {
  view<index_t const, 1, S> ranks;
  short_list<index_t> ks;
  gain_at worth;
  group_of<S> group;
  CAUSALDPO_HD accumulator operator()(index_t cell, index_t u) const {
    if (group(u) != cell / ks.size()) return 0;
    return worth(ranks.at(u), ks[static_cast<int>(cell % ks.size())]);
  }
};

/// map(g, u) = 1 if the user is in group g.
template <class S>
struct group_count_map {
  group_of<S> group;
  CAUSALDPO_HD index_t operator()(index_t g, index_t u) const { return group(u) == g ? 1 : 0; }
};

/// (g, c): sums over counts, 0 for a group without users. With no counts, every row is divided by `all`.
template <class T, class S>
struct divide_gains {
  view<accumulator const, 2, S> sums;
  view<index_t const, 1, S> counts;
  index_t all;
  view<T, 2, S> out;
  CAUSALDPO_HD void operator()(index_t g, index_t c) const {
    index_t const n = counts.given() ? counts.at(g) : all;
    out.at(g, c) = n > 0 ? static_cast<T>(sums.at(g, c) / static_cast<accumulator>(n)) : T(0);
  }
};

/// One cutoff: the smallest mean over the groups that have a user; 0 if none has.
template <class T, class S>
struct worst_group {
  view<accumulator const, 2, S> sums;
  view<index_t const, 1, S> counts;
  view<T, 1, S> out;
  CAUSALDPO_HD void operator()(index_t c) const {
    accumulator worst = math::infinity<accumulator>();
    for (index_t g = 0; g < counts.size(); ++g)
      if (counts.at(g) > 0) worst = math::min(worst, sums.at(g, c) / static_cast<accumulator>(counts.at(g)));
    out.at(c) = worst < math::infinity<accumulator>() ? static_cast<T>(worst) : T(0);
  }
};

/// One user: the ids of the best items in order, -1 after the last one that is not excluded (score -inf).
/// Notes NaN in slot 0. Insertion into a sorted list: I comparisons and about k log(I / k) insertions.
template <class T, class S>
struct best_items {
  view<T const, 2, S> scores;
  nan_watch watch;
  view<index_t, 2, S> lists;
  CAUSALDPO_HD void operator()(index_t u) const {
    index_t const k = lists.cols();
    index_t found = 0;
    for (index_t i = 0; i < scores.cols(); ++i) {
      T const s = watch.checked(scores.at(u, i), 0, u * scores.cols() + i);
      if (!(s > -math::infinity<T>())) continue;
      if (found == k && (k == 0 || !(s > scores.at(u, lists.at(u, k - 1))))) continue;
      index_t place = found < k ? found++ : k - 1;
      for (; place > 0 && s > scores.at(u, lists.at(u, place - 1)); --place) lists.at(u, place) = lists.at(u, place - 1);
      lists.at(u, place) = i;
    }
    for (; found < k; ++found) lists.at(u, found) = -1;
  }
};

/// map(u, i) = 1 if item i is among the first k of user u, read off the list's place k - 1.
template <class T, class S>
struct listed_map {
  view<T const, 2, S> scores;
  view<index_t const, 2, S> lists;
  index_t k;
  CAUSALDPO_HD index_t operator()(index_t u, index_t i) const {
    T const s = scores.at(u, i);
    if (!(s > -math::infinity<T>())) return 0;
    if (k > lists.cols()) return 1;
    index_t const last = lists.at(u, k - 1);
    return last < 0 || last == i || ranks_before(s, i, scores.at(u, last), last) ? 1 : 0;
  }
};

/// How often the three most frequent items are listed, and how many are listed at all.
struct list_counts {
  index_t first = 0, second = 0, third = 0, distinct = 0;
  CAUSALDPO_HD void take(index_t n) {
    index_t const a = n < first ? n : first, top = n < first ? first : n;
    index_t const b = a < second ? a : second, middle = a < second ? second : a;
    first = top;
    second = middle;
    third = b < third ? third : b;
  }
};
struct list_counts_fold {
  using value_type = list_counts;
  CAUSALDPO_HD static list_counts identity() { return {}; }
  CAUSALDPO_HD list_counts operator()(list_counts a, list_counts const& b) const {
    a.take(b.first);
    a.take(b.second);
    a.take(b.third);
    a.distinct += b.distinct;
    return a;
  }
};
template <class S>
struct list_counts_map {
  view<index_t const, 1, S> counts;
  CAUSALDPO_HD list_counts operator()(index_t i) const { return {counts.at(i), 0, 0, counts.at(i) > 0 ? 1 : 0}; }
};

/// One work item: shares from the counts at one cutoff.
template <class T, class S>
struct finish_list_counts {
  view<list_counts const, 1, S> counts;
  index_t places, items, cutoff;
  view<T, 1, S> or_ratio, coverage;  // optional
  CAUSALDPO_HD void operator()(index_t) const {
    list_counts const c = counts.at(0);
    if (or_ratio.given())
      or_ratio.at(cutoff) =
          places > 0 ? static_cast<T>(static_cast<accumulator>(c.first + c.second + c.third) / static_cast<accumulator>(places))
                     : T(0);
    if (coverage.given())
      coverage.at(cutoff) =
          items > 0 ? static_cast<T>(static_cast<accumulator>(c.distinct) / static_cast<accumulator>(items)) : T(0);
  }
};

/// map(u, c) = expected gain: sum over the first k places of the probability of the item there. Notes NaN in slot 1.
template <class T, class S>
struct expected_gain_map {
  view<T const, 2, S> probabilities;
  view<index_t const, 2, S> lists;
  short_list<index_t> ks;
  gain_at worth;
  nan_watch watch;
  CAUSALDPO_HD accumulator operator()(index_t u, index_t c) const {
    index_t const k = ks[static_cast<int>(c)];
    accumulator sum = 0;
    for (index_t place = 0; place < lists.cols() && place < k && lists.at(u, place) >= 0; ++place) {
      index_t const i = lists.at(u, place);
      sum += worth(place, k) * static_cast<accumulator>(watch.checked(probabilities.at(u, i), 1, u * probabilities.cols() + i));
    }
    return sum;
  }
};

}  // namespace causaldpo::detail
