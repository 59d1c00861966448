// SPDX-License-Identifier: Apache-2.0
// The reference backend: plain loops on one thread, sums in double, no dependency. It is the oracle that every
// other backend is held against, and the place to start when writing one of your own (docs/backends.md).
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/detail/host_memory.hpp"

namespace causaldpo {

/// A backend in host memory that does everything in the order in which it is written down.
/// Scratch and the NaN watch come from `detail::host_memory`; what follows are the remaining primitives.
class reference_backend : public detail::host_memory {
 public:
  static constexpr char const* name() { return "reference"; }

  template <class T>
  void copy(view<T, 1> destination, view<T const, 1> source) {
    for (index_t i = 0; i < source.size(); ++i) destination(i) = source(i);
  }
  template <class T>
  void copy(view<T, 2> destination, view<T const, 2> source) {
    for (index_t i = 0; i < source.rows(); ++i)
      for (index_t j = 0; j < source.cols(); ++j) destination(i, j) = source(i, j);
  }

  template <class F>
  void launch(index_t n, F f) {
    for (index_t i = 0; i < n; ++i) call_at(f, i);
  }
  template <class F>
  void launch_2d(index_t rows, index_t cols, F f) {
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < cols; ++j) call_at(f, i, j);
  }

  template <class Map, class Fold, class U>
  void reduce(index_t n, Map map, Fold fold, view<U, 1> out) {
    using carried = typename Fold::value_type;
    carried sum = Fold::identity();
    for (index_t i = 0; i < n; ++i) sum = fold(sum, static_cast<carried>(map(i)));
    out(0) = static_cast<U>(sum);
  }
  template <class Map, class Fold, class U>
  void reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    using carried = typename Fold::value_type;
    for (index_t i = 0; i < rows; ++i) {
      carried sum = Fold::identity();
      for (index_t j = 0; j < cols; ++j) sum = fold(sum, static_cast<carried>(map(i, j)));
      out(i) = static_cast<U>(sum);
    }
  }
  template <class Map, class Fold, class U>
  void reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    using carried = typename Fold::value_type;
    for (index_t j = 0; j < cols; ++j) {
      carried sum = Fold::identity();
      for (index_t i = 0; i < rows; ++i) sum = fold(sum, static_cast<carried>(map(i, j)));
      out(j) = static_cast<U>(sum);
    }
  }

  template <real_scalar T>
  void gemm(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
    index_t const inner = ta == transpose::no ? a.cols() : a.rows();
    for (index_t i = 0; i < c.rows(); ++i)
      for (index_t j = 0; j < c.cols(); ++j) {
        accumulator sum = 0;
        for (index_t k = 0; k < inner; ++k)
          sum += static_cast<accumulator>(ta == transpose::no ? a(i, k) : a(k, i)) *
                 static_cast<accumulator>(tb == transpose::no ? b(k, j) : b(j, k));
        accumulator const kept = beta == T(0) ? 0 : static_cast<accumulator>(beta) * static_cast<accumulator>(c(i, j));
        c(i, j) = static_cast<T>(static_cast<accumulator>(alpha) * sum + kept);
      }
  }
};

static_assert(backend<reference_backend>);

#if defined(CAUSALDPO_REFERENCE_COMPILED)
template <>
inline constexpr bool detail::compiled_apart<reference_backend> = true;
#endif

}  // namespace causaldpo
