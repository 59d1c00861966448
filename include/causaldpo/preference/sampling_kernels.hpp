// SPDX-License-Identifier: Apache-2.0
// The functors of sample_negatives: where candidates come from, and the draw that avoids what a user is known to like.
#pragma once

#include "causaldpo/core/philox.hpp"
#include "causaldpo/core/watch.hpp"
#include "causaldpo/preference/item_lists.hpp"

namespace causaldpo {

/// Where rejected items come from.
enum class negative_source {
  uniform,          ///< every item of the catalogue alike
  popularity,       ///< r(y) from the first row of a negative_sampler, e.g. p(y)^s
  per_environment,  ///< r(y | e) from the row of the example's environment
  in_batch          ///< the chosen items of the batch, each example alike
};

namespace detail {

/// Candidates 0 .. count - 1 with weights that need not sum to 1.
template <class S>
struct candidates {
  negative_source source;
  index_t count;
  index_view<S> chosen;              // in_batch: candidate c is chosen[c]
  view<double const, 1, S> running;  // popularity, per_environment: weights summed from the first to this one

  CAUSALDPO_HD bool weighted() const {
    return source == negative_source::popularity || source == negative_source::per_environment;
  }
  CAUSALDPO_HD index_t item(index_t c) const { return source == negative_source::in_batch ? chosen.at(c) : c; }
  CAUSALDPO_HD double weight(index_t c) const {
    return !weighted() ? 1 : c == 0 ? running.at(0) : running.at(c) - running.at(c - 1);
  }
  CAUSALDPO_HD bool empty() const { return count == 0 || (weighted() && !(running.at(count - 1) > 0)); }

  /// The candidate of one draw, by the inverse of the distribution function. Never one of weight 0.
  CAUSALDPO_HD index_t draw(random_stream const& random, std::uint64_t name, std::uint32_t number) const {
    if (!weighted()) return static_cast<index_t>(random.below(static_cast<std::uint64_t>(count), name, number));
    double const total = running.at(count - 1), x = random.uniform(name, number) * total;
    // The first one whose sum exceeds x; if rounding made x the total, the first to reach it.
    index_t first = 0, last = count - 1;
    while (first < last) {
      index_t const middle = first + (last - first) / 2;
      if (running.at(middle) > x || running.at(middle) >= total) last = middle;
      else first = middle + 1;
    }
    return first;
  }
};

/// (i, j): the j-th rejected item of example i. A few tries; then, where almost everything is excluded, a draw from the
/// exact conditional distribution, by two passes over the candidates.
template <class S>
struct draw_negative {
  index_view<S> chosen, users, environments, names;
  item_lists<S> known;
  view<double const, 2, S> running;
  negative_source source;
  index_t item_count;
  random_stream random;
  std::uint32_t tries;
  nan_watch watch;  // slots: 0 chosen, 1 users, 2 known.offsets, 3 known.items, 4 environments
  view<index_t, 2, S> items;
  view<std::uint8_t, 2, S> mask;

  CAUSALDPO_HD void operator()(index_t i, index_t j) const {
    index_t first = 0, last = 0;
    bool const sound = list_of(i, j == 0, first, last);
    index_t const at = sound ? search(i, j, first, last) : -1;
    items.at(i, j) = at >= 0 ? at : chosen.at(i);
    if (mask.given()) mask.at(i, j) = at >= 0 ? 1 : 0;
  }

 private:
  /// Checks the example's positions, and finds its list of known items. `whole`: also that the list ascends.
  CAUSALDPO_HD bool list_of(index_t i, bool whole, index_t& first, index_t& last) const {
    bool sound = true;
    if (chosen.at(i) < 0 || (item_count > 0 && chosen.at(i) >= item_count)) {
      watch.note(0, i);
      sound = false;
    }
    if (source == negative_source::per_environment && (environments.at(i) < -1 || environments.at(i) >= running.rows())) {
      watch.note(4, i);
      sound = false;
    }
    if (!known.given()) return sound;
    index_t const user = users.at(i);
    if (user < 0 || user >= known.users()) {
      watch.note(1, i);
      return false;
    }
    first = known.offsets.at(user);
    last = known.offsets.at(user + 1);
    if (first < 0 || last < first || last > known.items.size()) {
      watch.note(2, user);
      return false;
    }
    for (index_t n = first + 1; whole && n < last; ++n)
      if (known.items.at(n) < known.items.at(n - 1)) watch.note(3, n);
    return sound;
  }

  CAUSALDPO_HD bool allowed(index_t i, index_t item, index_t first, index_t last) const {
    return item != chosen.at(i) && !contains(known.items, first, last, item);
  }

  CAUSALDPO_HD index_t search(index_t i, index_t j, index_t first, index_t last) const {
    candidates<S> from{source, source == negative_source::in_batch ? chosen.size() : item_count, chosen, {}};
    if (source == negative_source::popularity) from.running = running.row(0);
    if (source == negative_source::per_environment && environments.at(i) == -1) return -1;
    if (source == negative_source::per_environment) from.running = running.row(environments.at(i));
    if (from.empty()) return -1;
    std::uint64_t const name = static_cast<std::uint64_t>(names.given() ? names.at(i) : i);
    std::uint32_t const begin = static_cast<std::uint32_t>(j) * (tries + 1);
    for (std::uint32_t t = 0; t < tries; ++t) {
      index_t const item = from.item(from.draw(random, name, begin + t));
      if (allowed(i, item, first, last)) return item;
    }
    double total = 0;
    for (index_t c = 0; c < from.count; ++c)
      if (allowed(i, from.item(c), first, last)) total += from.weight(c);
    if (!(total > 0)) return -1;
    double const x = random.uniform(name, begin + tries) * total;
    double sum = 0;
    index_t at = -1;
    for (index_t c = 0; c < from.count && !(sum > x); ++c) {
      if (!(from.weight(c) > 0) || !allowed(i, from.item(c), first, last)) continue;
      sum += from.weight(c);
      at = from.item(c);
    }
    return at;
  }
};

}  // namespace detail
}  // namespace causaldpo
