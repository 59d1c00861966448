// SPDX-License-Identifier: Apache-2.0
// What can be done with data. A backend offers nine primitives and a watch for NaN; every algorithm of the library
// is written on these and on nothing else, so a type that models `backend` runs all of them. A backend may in
// addition replace whole algorithms (detail/dispatch.hpp). `reference_backend` is the worked example.
//
// Rules that hold for all primitives
//  * Work is ordered as called; a primitive may return before its work is done. `synchronize()` waits.
//  * Functors are trivially copyable, are copied, and may be called in any order and at the same time.
//  * Counts and extents of 0 are allowed and do nothing (a reduction then yields the fold's identity).
//  * The result of a reduction must not depend on the number of threads.
#pragma once

#include <concepts>
#include <cstddef>

#include "causaldpo/concepts/tensor.hpp"
#include "causaldpo/core/lane.hpp"
#include "causaldpo/core/watch.hpp"
#include "causaldpo/detail/folds.hpp"

namespace causaldpo {

/// Whether a factor of a product is transposed.
enum class transpose : bool { no, yes };

namespace detail {
// Archetypes: the least that an algorithm hands to a primitive. A concept cannot quantify over functors.
struct archetype_element {
  CAUSALDPO_HD void operator()(index_t) const {}
};
struct archetype_cell {
  CAUSALDPO_HD void operator()(index_t, index_t) const {}
};
struct archetype_lanes {
  using lane_scalar = float;
  template <class L>
  CAUSALDPO_HD void operator()(L const&) const {}
  template <class L>
  CAUSALDPO_HD void operator()(index_t, L const&) const {}
};
struct archetype_map {
  CAUSALDPO_HD double operator()(index_t) const { return 0; }
};
struct archetype_map_2d {
  CAUSALDPO_HD double operator()(index_t, index_t) const { return 0; }
};
}  // namespace detail

/// `typename B::space`, the memory its views point into, and a `name()` for messages and result tables.
template <class B>
concept has_identity = memory_space<typename B::space> && requires(B const& b) {
  { b.name() } -> std::convertible_to<char const*>;
};

/// `allocate<T>(n)`: RAII scratch of n elements in `space`, reused between calls: `data()`, `vector()`,
/// `matrix(rows, cols)`. Not initialised; aligned to 64 bytes; `data()` is not null for n = 0 either (a null view means
/// "not given"). Counters: `allocations()`, `scratch_peak()` in bytes, `reset_scratch_peak()`.
template <class B>
concept has_scratch = requires(B& b, index_t n) {
  { b.template allocate<float>(n).data() } -> std::same_as<float*>;
  { b.template allocate<float>(n).vector() } -> std::same_as<view<float, 1, typename B::space>>;
  { b.template allocate<double>(n).matrix(n, n) } -> std::same_as<view<double, 2, typename B::space>>;
  { b.allocations() } -> std::convertible_to<std::size_t>;
  { b.scratch_peak() } -> std::convertible_to<std::size_t>;
  b.reset_scratch_peak();
};

/// `copy(destination, source)`: same extents, rank 1 or 2, rows may be strided; within `space`, and between `space` and
/// the host. Memory of the host may be read or written until `synchronize()` returns: keep it that long.
template <class B>
concept has_copy = requires(B& b, view<float, 1, typename B::space> v, view<double, 2, typename B::space> m,
                            view<float, 1> host_v, view<double, 2> host_m) {
  b.copy(v, view<float const, 1, typename B::space>(v));
  b.copy(m, view<double const, 2, typename B::space>(m));
  b.copy(v, view<float const, 1>(host_v));
  b.copy(m, view<double const, 2>(host_m));
  b.copy(host_v, view<float const, 1, typename B::space>(v));
  b.copy(host_m, view<double const, 2, typename B::space>(m));
};

/// `launch(n, f)`: f(i) for i < n. `launch_2d(rows, cols, f)`: f(i, j). A functor with `lane_scalar` is handed a
/// lane in place of i (of j in two dimensions) that may cover several neighbouring positions.
template <class B>
concept has_launch = requires(B& b, index_t n) {
  b.launch(n, detail::archetype_element{});
  b.launch(n, detail::archetype_lanes{});
  b.launch_2d(n, n, detail::archetype_cell{});
  b.launch_2d(n, n, detail::archetype_lanes{});
};

/// `reduce(n, map, fold, out)`: out[0] = fold of map(i), i < n.
/// `reduce_rows(n, m, map, fold, out)`: out[i] = fold of map(i, j) over j < m.
/// `reduce_cols(n, m, map, fold, out)`: out[j] = fold of map(i, j) over i < n.
/// The carried type is `fold::value_type`; `out` may have another element type (static_cast).
template <class B>
concept has_reduce = requires(B& b, index_t n, view<float, 1, typename B::space> out) {
  b.reduce(n, detail::archetype_map{}, detail::sum_fold<>{}, out);
  b.reduce_rows(n, n, detail::archetype_map_2d{}, detail::log_sum_exp_fold{}, out);
  b.reduce_cols(n, n, detail::archetype_map_2d{}, detail::max_fold<float>{}, out);
};

/// `gemm(ta, tb, alpha, a, b, beta, c)`: c = alpha op(a) op(b) + beta c, row-major; beta = 0 does not read c.
template <class B>
concept has_gemm = requires(B& b, view<float const, 2, typename B::space> af, view<float, 2, typename B::space> cf,
                            view<double const, 2, typename B::space> ad, view<double, 2, typename B::space> cd) {
  b.template gemm<float>(transpose::no, transpose::yes, 1.0F, af, af, 0.0F, cf);
  b.template gemm<double>(transpose::yes, transpose::no, 1.0, ad, ad, 0.0, cd);
};

/// The watch behind `nan_guard`: `open_watch(operation)` yields its slots, `close_watch(w)` throws value_error if
/// something was noted (a device: its next `synchronize` does), `drop_watch(w)` ends a call that failed otherwise.
/// `operation.inputs` is copied. Nested to a depth of at least 8.
template <class B>
concept has_watch = requires(B& b, nan_watch w, watched_operation operation) {
  { b.open_watch(operation) } -> std::same_as<nan_watch>;
  b.close_watch(w);
  b.drop_watch(w);
};

/// Everything an algorithm may use.
/// Models: reference_backend, eigen_backend, xtensor_backend, cuda_backend. Not: a type without `reduce_cols` (the message names
/// `has_reduce`).
template <class B>
concept backend = has_identity<B> && has_scratch<B> && has_copy<B> && has_launch<B> && has_reduce<B> && has_gemm<B> &&
    has_watch<B> && requires(B& b) {
  b.synchronize();
};

}  // namespace causaldpo
