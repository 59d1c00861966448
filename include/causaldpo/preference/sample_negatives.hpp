// SPDX-License-Identifier: Apache-2.0
// sample_negatives: rejected items for a batch of chosen ones, the same on every backend and number of threads.
#pragma once

#include <type_traits>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/preference/sampling_kernels.hpp"

namespace causaldpo {

/// Options of sample_negatives.
struct negative_options {
  negative_source source = negative_source::uniform;
  index_t item_count = 0;    ///< I; needed by `uniform`, otherwise 0 (not known) or the width of the sampler
  std::uint64_t seed = 0;    ///< of the experiment
  std::uint32_t stream = 0;  ///< of the purpose, e.g. the epoch
  int tries = 16;            ///< >= 0 draws before the exact draw among what is allowed
};

/// The examples for which rejected items are drawn.
template <memory_space S = host_space>
struct negative_batch {
  index_view<S> chosen{};        ///< [N] chosen item of each example
  index_view<S> users{};         ///< [N] row of `known`; needed with it
  item_lists<S> known{};         ///< optional: what each user is known to like, in ascending order (known_items)
  index_view<S> environments{};  ///< [N] row of the sampler, or -1: none; needed by `per_environment` (sample_environments)
  index_view<S> names{};  ///< [N] optional: what an example's draws are keyed by (its position in the log); left out: 0 .. N - 1
};

/// Outputs of sample_negatives.
template <memory_space S = host_space>
struct negative_results {
  view<index_t, 2, S> items{};      ///< [N,J] rejected items; where the mask is 0, the chosen item (a safe position)
  view<std::uint8_t, 2, S> mask{};  ///< [N,J] 0 where nothing is allowed; may be left out
};

namespace detail {
template <class S>
struct negative_args {
  negative_batch<S> batch;
  view<double const, 2, S> running;
  negative_results<S> out;
  nan_watch watch;  // slots: 0 chosen, 1 users, 2 known.offsets, 3 known.items, 4 environments
};
}  // namespace detail

namespace op {
/// Tag and generic body of sample_negatives.
struct sample_negatives {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::negative_args<S>, negative_options>>;

  template <backend B>
  static void generic(B& be, detail::negative_args<typename B::space> const& a, negative_options const& o) {
    using S = typename B::space;
    negative_batch<S> const& b = a.batch;
    be.launch_2d(b.chosen.size(), a.out.items.cols(),
                 detail::draw_negative<S>{b.chosen, b.users, b.environments, b.names, b.known, a.running, o.source,
                                          a.running.given() ? a.running.cols() : o.item_count, {o.seed, o.stream},
                                          static_cast<std::uint32_t>(o.tries), a.watch, a.out.items, a.out.mask});
  }
};
}  // namespace op

namespace detail {
inline constexpr bool draws_from_table(negative_source source) {
  return source == negative_source::popularity || source == negative_source::per_environment;
}

/// What sample_negatives refuses for n examples with j rejected items each, whoever draws them.
template <class S>
void check_negative_options(index_t n, index_t j, index_view<S> environments, negative_options const& options,
                            view<double const, 2, S> running) {
  constexpr char const* name = "sample_negatives";
  if (options.source == negative_source::per_environment)
    expect_size(name, "environments", environments, n, "one for each chosen item");
  if (draws_from_table(options.source)) {
    index_t const rows = options.source == negative_source::popularity && running.rows() < 1 ? 1 : running.rows();
    expect_shape(name, "running", running, rows, options.item_count > 0 ? options.item_count : running.cols(),
                 "a row of item_count sums for each environment");
  }
  expect_option(name, "item_count",
                options.source == negative_source::uniform ? options.item_count >= 1 : options.item_count >= 0,
                options.item_count, options.source == negative_source::uniform ? ">= 1 for uniform" : ">= 0");
  expect_option(name, "tries", options.tries >= 0 && options.tries <= 255, options.tries, "in 0 .. 255");
  expect_option(name, "columns of items", j * (options.tries + 1) <= index_t{1} << 24, j, "at most 2^24 / (tries + 1)");
}
}  // namespace detail

/// Draws J rejected items for each of N examples, independently (an item may come twice), from r conditioned on what is
/// allowed: not the example's chosen item, and not an item that its user is known to like.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | batch | | chosen items, users, known items, environments, names of the examples |
/// | running | [K,I] | `running()` of a negative_sampler, for `popularity` (row 0) and `per_environment` |
///
/// Draws come from Philox keyed by the seed and counted by (stream, name of the example, slot j, try), and from integers
/// or double whatever the scalar of the model: the result does not depend on backend, threads, or the order of the batch
/// (`in_batch` does depend on who is in it).
/// Edge cases: after `tries` refusals the item is drawn exactly from what is allowed, by passing over all candidates. If
/// nothing is (everything known, weights 0, no environment, a batch of one for `in_batch`) the mask is 0.
/// Errors: value_error for positions out of range and lists of known items that descend (looked at for the users of the batch).
/// Cost: O(N J (log I + log n)) for lists of n known items, O(I log n) for a slot that ran out of tries. No scratch.
/// Source: Salmon et al., SC 2011 (Philox).
template <backend B>
void sample_negatives(B& be, std::type_identity_t<negative_batch<typename B::space>> const& batch,
                      std::type_identity_t<negative_results<typename B::space>> results, negative_options const& options = {},
                      std::type_identity_t<view<double const, 2, typename B::space>> running = {}) {
  constexpr char const* name = "sample_negatives";
  index_t const n = batch.chosen.size(), j = results.items.cols();
  detail::expect_shape(name, "items", results.items, n, j, "one row for each chosen item");
  detail::expect_shape_if_given(name, "mask", results.mask, n, j, "as items");
  if (batch.known.given()) detail::expect_size(name, "users", batch.users, n, "one for each chosen item, since known is given");
  detail::expect_size_if_given(name, "names", batch.names, n, "one for each chosen item");
  detail::check_negative_options(n, j, batch.environments, options, running);
  detail::nan_guard<B> guard(
      be, name,
      {"chosen|is outside [0, I)", "users|is outside [0, U)", "known.offsets|begins a list that is not inside known.items",
       "known.items|is less than the item before it", "environments|is neither -1 nor in [0, K)"});
  detail::negative_args<typename B::space> const a{
      batch, detail::draws_from_table(options.source) ? running : view<double const, 2, typename B::space>{}, results,
      guard.watch()};
  detail::run<op::sample_negatives>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
