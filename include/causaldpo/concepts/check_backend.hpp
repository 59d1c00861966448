// SPDX-License-Identifier: Apache-2.0
// What a type lacks to be a backend, one sentence for each missing piece. A failed concept says this too, but between
// many lines about templates; put the check under your class and read it there.
#pragma once

#include <type_traits>

#include "causaldpo/concepts/backend.hpp"

namespace causaldpo {
namespace detail {

/// The checks that need `B::space`; they would all fail for want of it.
template <class B>
constexpr void check_backend_members() {
  using S = typename B::space;
  using element = archetype_element;
  static_assert(
      requires(B const& b) {
        { b.name() } -> std::convertible_to<char const*>;
      },
      "causaldpo backend: needs `char const* name() const`");

  static_assert(
      requires(B & b, index_t n) { b.template allocate<float>(n); },
      "causaldpo backend: needs `template <class T> S allocate(index_t n)`, which returns scratch of n elements");
  if constexpr (requires(B & b, index_t n) { b.template allocate<float>(n); }) {
    using scratch = decltype(std::declval<B&>().template allocate<float>(index_t{}));
    static_assert(
        requires(scratch const& s, index_t n) {
          { s.data() } -> std::same_as<float*>;
          { s.vector() } -> std::same_as<view<float, 1, S>>;
          { s.matrix(n, n) } -> std::same_as<view<float, 2, S>>;
        },
        "causaldpo backend: what `allocate<T>(n)` returns needs `T* data() const`, `view<T, 1, space> vector() const` and "
        "`view<T, 2, space> matrix(index_t rows, index_t cols) const`");
    static_assert(
        std::is_move_constructible_v<scratch> && std::is_destructible_v<scratch>,
        "causaldpo backend: what `allocate<T>(n)` returns owns its memory: it needs a move constructor and a destructor");
  }
  static_assert(
      requires(B const& b) {
        { b.allocations() } -> std::convertible_to<std::size_t>;
      },
      "causaldpo backend: needs `std::size_t allocations() const`, how often scratch was taken from the system");
  static_assert(
      requires(B & b) {
        { b.scratch_peak() } -> std::convertible_to<std::size_t>;
        b.reset_scratch_peak();
      },
      "causaldpo backend: needs `std::size_t scratch_peak() const`, the most bytes in use at a time, and "
      "`void reset_scratch_peak()`");

  static_assert(
      requires(B & b, view<float, 1, S> v, view<double, 2, S> m) {
        b.copy(v, view<float const, 1, S>(v));
        b.copy(m, view<double const, 2, S>(m));
      },
      "causaldpo backend: needs `copy(view<T, R, space> to, view<T const, R, space> from)` for R = 1 and 2");
  static_assert(
      requires(B & b, view<float, 1, S> v, view<double, 2, S> m, view<float, 1> host_v, view<double, 2> host_m) {
        b.copy(v, view<float const, 1>(host_v));
        b.copy(m, view<double const, 2>(host_m));
        b.copy(host_v, view<float const, 1, S>(v));
        b.copy(host_m, view<double const, 2, S>(m));
      },
      "causaldpo backend: needs `copy(to, from)` between its memory and the host's too, in both directions");

  static_assert(
      requires(B & b, index_t n) { b.launch(n, element{}); },
      "causaldpo backend: needs `launch(index_t n, F f)`, which calls f(i) for i < n");
  static_assert(
      requires(B & b, index_t n) { b.launch_2d(n, n, archetype_cell{}); },
      "causaldpo backend: needs `launch_2d(index_t rows, index_t cols, F f)`, which calls f(i, j)");
  static_assert(
      requires(B & b, index_t n) {
        b.launch(n, archetype_lanes{});
        b.launch_2d(n, n, archetype_lanes{});
      },
      "causaldpo backend: `launch` and `launch_2d` must hand a lane in place of the last index to a functor with "
      "`lane_scalar`; `call_at` (core/lane.hpp) does it");

  using out_view = view<float, 1, S>;
  static_assert(
      requires(B & b, index_t n, out_view out) { b.reduce(n, archetype_map{}, sum_fold<>{}, out); },
      "causaldpo backend: needs `reduce(index_t n, Map map, Fold fold, view<U, 1, space> out)`, which sets out[0]");
  static_assert(
      requires(B & b, index_t n, out_view out) { b.reduce_rows(n, n, archetype_map_2d{}, log_sum_exp_fold{}, out); },
      "causaldpo backend: needs `reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out)`, one result "
      "a row");
  static_assert(
      requires(B & b, index_t n, out_view out) { b.reduce_cols(n, n, archetype_map_2d{}, max_fold<float>{}, out); },
      "causaldpo backend: needs `reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out)`, one result "
      "a column");

  static_assert(
      has_gemm<B>,
      "causaldpo backend: needs `gemm(transpose ta, transpose tb, T alpha, view<T const, 2, space> a, view<T const, 2, space> b, "
      "T beta, view<T, 2, space> c)` for T = float and double");
  static_assert(
      requires(B & b, watched_operation operation) {
        { b.open_watch(operation) } -> std::same_as<nan_watch>;
      },
      "causaldpo backend: needs `nan_watch open_watch(watched_operation const&)`");
  static_assert(
      requires(B & b, nan_watch w) {
        b.close_watch(w);
        b.drop_watch(w);
      },
      "causaldpo backend: needs `close_watch(nan_watch)`, which throws what was noted, and `drop_watch(nan_watch)`");
  static_assert(
      requires(B & b) { b.synchronize(); }, "causaldpo backend: needs `void synchronize()`");
}

}  // namespace detail

/// Whether B models `backend`; where it does not, a compile error with a sentence for each missing piece:
///
///     static_assert(causaldpo::check_backend<my_backend>());
template <class B>
constexpr bool check_backend() {
  static_assert(
      requires { typename B::space; },
      "causaldpo backend: needs `using space = ...`, the memory its views point into; "
      "host_space for memory that the host can read");
  if constexpr (requires { typename B::space; }) {
    static_assert(memory_space<typename B::space>,
                  "causaldpo backend: its `space` needs `static constexpr bool host_accessible`");
    if constexpr (memory_space<typename B::space>) detail::check_backend_members<B>();
  }
  return backend<B>;
}

}  // namespace causaldpo
