// SPDX-License-Identifier: Apache-2.0
// The primitives of a backend in host memory that computes on a team of threads and in SIMD packs. What differs from one
// such backend to the next is its arithmetic: the pack type, and who multiplies matrices.
#pragma once

#include <algorithm>
#include <concepts>

#include "causaldpo/backends/host/gemm.hpp"
#include "causaldpo/backends/host/lane.hpp"
#include "causaldpo/backends/host/threads.hpp"
#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/host_memory.hpp"

namespace causaldpo::detail {

/// Base of the backends on threads of the host. `Arithmetic` has `pack<T>`, a type with `lane_math` and `pack_traits`, and
/// `product<T>(ta, tb, alpha, a, b, beta, c)`: a matrix product on the calling thread, the same bits for the same
/// arguments whoever calls it.
/// Work is cut into blocks that depend on the extents alone; a team is formed only where the work is long enough to pay
/// for it, and never inside a parallel region of the caller. Everything but `gemm`, and what is built on products
/// (fused_linear_logps, the mixtures), gives the same bits for every number of threads; these for a fixed number.
template <class Arithmetic>
class parallel_host : public host_memory {
 public:
  using arithmetic = Arithmetic;

  /// 0 threads: as many as OpenMP would use.
  explicit parallel_host(int threads) : team_(threads) {}

  int threads() const { return team_.size(); }
  /// The team, for replacements of whole algorithms.
  thread_team const& team() const { return team_; }
  /// A product on the calling thread, for replacements that have split their work already.
  template <real_scalar T>
  static void product(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
    Arithmetic::template product<T>(ta, tb, alpha, a, b, beta, c);
  }

  template <class T>
  void copy(view<T, 1> destination, view<T const, 1> source) {
    index_t const n = source.size();
    team_.for_each(ceil_div(n, copy_block), [&](index_t b) {
      index_t const first = b * copy_block;
      std::copy_n(source.data() + first, std::min(copy_block, n - first), destination.data() + first);
    });
  }
  template <class T>
  void copy(view<T, 2> destination, view<T const, 2> source) {
    index_t const rows = source.rows(), cols = source.cols(),
                  step = std::max<index_t>(1, copy_block / std::max<index_t>(1, cols));
    team_.for_each(ceil_div(rows, step), [&](index_t b) {
      for (index_t i = b * step; i < std::min(rows, (b + 1) * step); ++i)
        std::copy_n(source.data() + i * source.ld(), cols, destination.data() + i * destination.ld());
    });
  }

  template <class F>
  void launch(index_t n, F f) {
    index_t const step = block_of(n, wants_lanes<F> ? 256 : 1);
    if (n <= step) return each_position<Arithmetic>(f, 0, n);
    team_.for_each(ceil_div(n, step), [&](index_t b) { each_position<Arithmetic>(f, b * step, std::min(n, (b + 1) * step)); });
  }
  template <class F>
  void launch_2d(index_t rows, index_t cols, F f) {
    if (rows <= 0 || cols <= 0) return;
    index_t const wide = std::min(cols, cell_block), tall = std::max<index_t>(1, cell_block / wide);
    index_t const across = ceil_div(cols, wide);
    team_.for_each(ceil_div(rows, tall) * across, [&](index_t b) {
      index_t const top = b / across * tall, left = b % across * wide;
      for (index_t i = top; i < std::min(rows, top + tall); ++i)
        each_position_of_row<Arithmetic>(f, i, left, std::min(cols, left + wide));
    });
  }

  template <class Map, class Fold, class U>
  void reduce(index_t n, Map map, Fold fold, view<U, 1> out) {
    out(0) = static_cast<U>(fold_all(
        n, [&map](index_t i) { return map(i); }, fold));
  }
  /// Long rows, few of them, are each cut into blocks; otherwise a row is folded from left to right.
  template <class Map, class Fold, class U>
  void reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    if (rows < 8 && cols > 4 * fold_block) {
      for (index_t i = 0; i < rows; ++i)
        out(i) = static_cast<U>(fold_all(
            cols, [&map, i](index_t j) { return map(i, j); }, fold));
      return;
    }
    index_t const step = std::max<index_t>(1, 1024 / std::max<index_t>(1, cols)) * 4;
    team_.for_each(ceil_div(rows, step), [&](index_t b) {
      for (index_t i = b * step; i < std::min(rows, (b + 1) * step); i += 4)
        fold_rows(i, std::min<index_t>(4, rows - i), cols, map, fold, out);
    });
  }
  /// Blocks of rows are folded apart where rows are many and columns few, then joined in order.
  template <class Map, class Fold, class U>
  void reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    using carried = typename Fold::value_type;
    if (cols <= 0) return;
    index_t const tall =
        cols >= 16 * strip || rows <= fold_block ? std::max<index_t>(rows, 1) : std::max(fold_block, ceil_div(rows, 64));
    index_t const down = std::max<index_t>(1, ceil_div(rows, tall)), across = ceil_div(cols, strip);
    auto const partial = allocate<carried>(down > 1 ? down * cols : 0);
    team_.for_each(down * across, [&](index_t b) {
      index_t const top = b / across * tall, left = b % across * strip, wide = std::min(strip, cols - left);
      carried sums[strip];
      for (index_t j = 0; j < wide; ++j) sums[j] = Fold::identity();
      for (index_t i = top; i < std::min(rows, top + tall); ++i)
        for (index_t j = 0; j < wide; ++j) sums[j] = fold(sums[j], static_cast<carried>(map(i, left + j)));
      for (index_t j = 0; j < wide; ++j) {
        if (down > 1)
          partial.data()[b / across * cols + left + j] = sums[j];
        else
          out(left + j) = static_cast<U>(sums[j]);
      }
    });
    if (down == 1) return;
    for (index_t j = 0; j < cols; ++j) {
      carried sum = partial.data()[j];
      for (index_t d = 1; d < down; ++d) sum = fold(sum, partial.data()[d * cols + j]);
      out(j) = static_cast<U>(sum);
    }
  }

  template <real_scalar T>
  void gemm(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
    split_product<T>(team_, product<T>, ta, tb, alpha, a, b, beta, c);
  }

 private:
  static constexpr index_t copy_block = 1 << 15;  // elements of a block of `copy`
  static constexpr index_t cell_block = 2048;     // positions of a block of `launch_2d`
  static constexpr index_t fold_block = 1024;     // terms folded into one partial result
  static constexpr index_t strip = 32;            // columns that reduce_cols keeps in registers and L1

  static constexpr index_t ceil_div(index_t a, index_t b) { return (a + b - 1) / b; }
  /// Positions of a block of `launch`: a multiple of every pack's width, at least `least`, at most 64 blocks of
  /// small work and blocks of 4096 positions for large work.
  static constexpr index_t block_of(index_t n, index_t least) {
    index_t const part = std::clamp<index_t>(ceil_div(n, 64), least, 4096);
    return part < 64 ? part : ceil_div(part, 64) * 64;
  }

  /// Four quarters of [first, last) side by side, so that the fold's latency is hidden, then joined in order.
  template <class Map, class Fold>
  static auto fold_part(index_t first, index_t last, Map const& map, Fold const& fold) {
    using carried = typename Fold::value_type;
    index_t const quarter = (last - first) / 4;
    carried s0 = Fold::identity(), s1 = Fold::identity(), s2 = Fold::identity(), s3 = Fold::identity();
    for (index_t i = first; i < first + quarter; ++i) {
      s0 = fold(s0, static_cast<carried>(map(i)));
      s1 = fold(s1, static_cast<carried>(map(i + quarter)));
      s2 = fold(s2, static_cast<carried>(map(i + 2 * quarter)));
      s3 = fold(s3, static_cast<carried>(map(i + 3 * quarter)));
    }
    for (index_t i = first + 4 * quarter; i < last; ++i) s3 = fold(s3, static_cast<carried>(map(i)));
    return fold(fold(s0, s1), fold(s2, s3));
  }
  template <class Map, class Fold>
  auto fold_all(index_t n, Map const& map, Fold const& fold) {
    using carried = typename Fold::value_type;
    index_t const step = std::max(fold_block, ceil_div(n, 256)), blocks = ceil_div(n, step);
    if (blocks <= 1) return fold_part(0, n, map, fold);
    auto const partial = allocate<carried>(blocks);
    team_.for_each(blocks, [&](index_t b) { partial.data()[b] = fold_part(b * step, std::min(n, (b + 1) * step), map, fold); });
    carried sum = partial.data()[0];
    for (index_t b = 1; b < blocks; ++b) sum = fold(sum, partial.data()[b]);
    return sum;
  }
  template <class Map, class Fold, class U>
  static void fold_rows(index_t i, index_t count, index_t cols, Map const& map, Fold const& fold, view<U, 1> out) {
    using carried = typename Fold::value_type;
    if (count == 4) {
      carried s0 = Fold::identity(), s1 = Fold::identity(), s2 = Fold::identity(), s3 = Fold::identity();
      for (index_t j = 0; j < cols; ++j) {
        s0 = fold(s0, static_cast<carried>(map(i, j)));
        s1 = fold(s1, static_cast<carried>(map(i + 1, j)));
        s2 = fold(s2, static_cast<carried>(map(i + 2, j)));
        s3 = fold(s3, static_cast<carried>(map(i + 3, j)));
      }
      out(i) = static_cast<U>(s0), out(i + 1) = static_cast<U>(s1), out(i + 2) = static_cast<U>(s2),
      out(i + 3) = static_cast<U>(s3);
      return;
    }
    for (index_t r = i; r < i + count; ++r) {
      carried sum = Fold::identity();
      for (index_t j = 0; j < cols; ++j) sum = fold(sum, static_cast<carried>(map(r, j)));
      out(r) = static_cast<U>(sum);
    }
  }

  thread_team team_;
};

/// A backend on threads of the host: what the replacements of this folder serve.
template <class B>
concept parallel_host_backend = std::derived_from<B, parallel_host<typename B::arithmetic>>;

}  // namespace causaldpo::detail
