// SPDX-License-Identifier: Apache-2.0
// build_preference_pairs: from interaction histories to the examples of a preference batch.
#pragma once

#include <vector>

#include "causaldpo/preference/sample_negatives.hpp"

namespace causaldpo {

/// Options of build_preference_pairs.
struct pair_options {
  index_t max_history = 0;       ///< at most so many items before the chosen one; 0: all
  negative_options negatives{};  ///< how rejected items are drawn
};

/// Where the examples come from.
template <memory_space S = host_space>
struct pair_inputs {
  item_lists<S> histories{};     ///< each user's items in the order of time
  index_view<S> positions{};     ///< [N] positions in histories.items: the chosen items of this batch
  item_lists<S> known{};         ///< what each user is known to like, in ascending order (known_items); the same users
  index_view<S> environments{};  ///< [N] only with `per_environment`
};

/// Outputs of build_preference_pairs; a member left out is not computed.
template <memory_space S = host_space>
struct pair_results {
  view<index_t, 1, S> users{};               ///< [N]
  view<index_t, 1, S> chosen{};              ///< [N] item
  view<index_t, 1, S> history_begin{};       ///< [N] the history is histories.items[history_begin .. history_end)
  view<index_t, 1, S> history_end{};         ///< [N]
  view<index_t, 2, S> rejected{};            ///< [N,J] items
  view<std::uint8_t, 2, S> rejected_mask{};  ///< [N,J] 1 = use
};

namespace detail {

template <class S>
struct pair_args {
  pair_inputs<S> in;
  view<double const, 2, S> running;
  pair_results<S> out;
  nan_watch watch;  // slots: 0 positions, 1 histories.offsets
};

/// One example: whose it is, what was chosen, and what came before.
template <class S>
struct locate_example {
  item_lists<S> histories;
  index_view<S> positions;
  index_t max_history;
  nan_watch watch;
  view<index_t, 1, S> users, chosen, history_begin, history_end;  // the last two optional
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t p = positions.at(i), user = -1;
    bool sound = p >= 0 && p < histories.items.size();
    if (sound) user = owner_of(histories.offsets, p);
    sound = sound && user >= 0 && user < histories.users();
    if (!sound) {
      watch.note(0, i);
      p = user = 0;
    }
    index_t begin = sound ? histories.offsets.at(user) : 0;
    if (max_history > 0 && p - begin > max_history) begin = p - max_history;
    users.at(i) = user;
    chosen.at(i) = sound ? histories.items.at(p) : 0;
    if (history_begin.given()) history_begin.at(i) = begin;
    if (history_end.given()) history_end.at(i) = p;
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of build_preference_pairs.
struct build_preference_pairs {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::pair_args<S>, pair_options>>;

  template <backend B>
  static void generic(B& be, detail::pair_args<typename B::space> const& a, pair_options const& o) {
    using S = typename B::space;
    index_t const n = a.in.positions.size();
    auto scratch = be.template allocate<index_t>(2 * n);
    view<index_t, 1, S> const users = a.out.users.given() ? a.out.users : view<index_t, 1, S>(scratch.data(), n);
    view<index_t, 1, S> const chosen = a.out.chosen.given() ? a.out.chosen : view<index_t, 1, S>(scratch.data() + n, n);
    be.launch(n, detail::locate_example<S>{a.in.histories, a.in.positions, o.max_history, a.watch, users, chosen,
                                           a.out.history_begin, a.out.history_end});
    if (!a.out.rejected.given()) return;
    causaldpo::sample_negatives(
        be, {view<index_t const, 1, S>(chosen), view<index_t const, 1, S>(users), a.in.known, a.in.environments, a.in.positions},
        {a.out.rejected, a.out.rejected_mask}, o.negatives, a.running);
  }
};
}  // namespace op

/// The examples of a batch: for each position p of a user's history the chosen item is items[p], the history what came
/// before it, and J rejected items are drawn by sample_negatives, whose draws are keyed by p: shuffling the batch shuffles
/// the examples and changes none of them.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | inputs | | histories, positions [N], known items, environments |
/// | running | [K,I] | `running()` of a negative_sampler, for `popularity` and `per_environment` |
///
/// Edge cases: the first item of a user has an empty history (`example_positions` leaves it out by default). A user who
/// is known to like everything has mask 0.
/// Errors: value_error for a position outside the histories, and those of sample_negatives.
/// Cost: O(N log U) and that of sample_negatives. Scratch: 16 N bytes.
template <backend B>
void build_preference_pairs(B& be, std::type_identity_t<pair_inputs<typename B::space>> const& inputs,
                            std::type_identity_t<pair_results<typename B::space>> results, pair_options const& options = {},
                            std::type_identity_t<view<double const, 2, typename B::space>> running = {}) {
  constexpr char const* name = "build_preference_pairs";
  index_t const n = inputs.positions.size(), j = results.rejected.cols();
  if (inputs.known.given())
    detail::expect_size(name, "known.offsets", inputs.known.offsets, inputs.histories.offsets.size(),
                        "as histories.offsets: the same users");
  if (inputs.environments.given()) detail::expect_size(name, "environments", inputs.environments, n, "one for each of positions");
  detail::expect_size_if_given(name, "users", results.users, n, "one for each of positions");
  detail::expect_size_if_given(name, "chosen", results.chosen, n, "one for each of positions");
  detail::expect_size_if_given(name, "history_begin", results.history_begin, n, "one for each of positions");
  detail::expect_size_if_given(name, "history_end", results.history_end, n, "one for each of positions");
  detail::expect_shape_if_given(name, "rejected", results.rejected, n, j, "one row for each of positions");
  if (results.rejected_mask.given()) detail::expect_shape(name, "rejected_mask", results.rejected_mask, n, j, "as rejected");
  detail::expect_option(name, "max_history", options.max_history >= 0, options.max_history, ">= 0");
  if (results.rejected.given()) detail::check_negative_options(n, j, inputs.environments, options.negatives, running);
  detail::nan_guard<B> guard(be, name, {"positions|is not the position of an item in histories"});
  detail::run<op::build_preference_pairs>(be, detail::pair_args<typename B::space>{inputs, running, results, guard.watch()},
                                          options);
  guard.finish();
}

/// Every position with at least `min_history` items of the same user before it, in order: what a training loop shuffles
/// and cuts into batches. Host only.
inline std::vector<std::int64_t> example_positions(index_view<host_space> offsets, index_t min_history = 1) {
  std::vector<std::int64_t> positions;
  for (index_t u = 0; u + 1 < offsets.size(); ++u)
    for (index_t p = offsets.at(u) + min_history; p < offsets.at(u + 1); ++p) positions.push_back(p);
  return positions;
}

}  // namespace causaldpo
