// SPDX-License-Identifier: Apache-2.0
// A block's share of products of matrices: two operands in shared memory, a small square of the result in the registers of
// each thread. For kernels whose tiles never go through global memory; what does belongs to cuBLAS.
#pragma once

#include "causaldpo/backends/cuda/block.cuh"
#include "causaldpo/backends/cuda/device_space.hpp"
#include "causaldpo/core/view.hpp"

namespace causaldpo::detail {

/// Tiles of `extent` x `extent` results, 16 x 16 threads with `per` x `per` of them each; operands come `depth` terms at a time.
template <class T, int Per>
struct product_tiles {
  static constexpr int threads = 256, per = Per, depth = 16, extent = 16 * per, ld = extent + 4;

  /// What a thread keeps: results (first_row(t) + r, first_col(t) + c).
  struct square {
    T at[per][per];
  };
  /// Terms of one operand: [term][row of the tile].
  struct operand {
    alignas(16) T at[depth][ld];
  };
  CAUSALDPO_HD static int first_row(int t) { return per * (t / 16); }
  CAUSALDPO_HD static int first_col(int t) { return per * (t % 16); }

  /// Thread t's part of loading an operand: f(row, term) for the rows of the tile, neighbouring threads at neighbouring terms.
  template <class F>
  CAUSALDPO_HD static void load_rows(int t, operand& to, F const& f) {
    for (int e = t; e < depth * extent; e += threads) to.at[e % depth][e / depth] = f(e / depth, e % depth);
  }
  /// The same with neighbouring threads at neighbouring rows, for operands that lie transposed in memory.
  template <class F>
  CAUSALDPO_HD static void load_cols(int t, operand& to, F const& f) {
    for (int e = t; e < depth * extent; e += threads) to.at[e / extent][e % extent] = f(e % extent, e / extent);
  }

  /// f(r, c) for the results of a thread.
  template <int Cols = per, class F>
  CAUSALDPO_HD static void each_result(F const& f) {
    CAUSALDPO_UNROLL for (int r = 0; r < per; ++r) { CAUSALDPO_UNROLL for (int c = 0; c < Cols; ++c) f(r, c); }
  }
  CAUSALDPO_HD static void clear(square& s) {
    each_result([&](int r, int c) { s.at[r][c] = T(0); });
  }
  /// s += `depth` terms of left' right. With Cols = per the thread has its square; with Cols = 1 column t % 16 of the first 16.
  template <int Cols = per>
  CAUSALDPO_HD static void add(int t, square& s, T const (*left)[ld], T const (*right)[ld]) {
    for (int q = 0; q < depth; ++q) {
      T const* const l = left[q] + first_row(t);
      T const* const r = right[q] + Cols * (t % 16);
      each_result<Cols>([&](int i, int j) { s.at[i][j] += l[i] * r[j]; });
    }
  }

  /// sums = a b', from rows of `a` and `b` that need not fill the tile (0 beyond).
  template <class Block, class S, class Own>
  CAUSALDPO_HD static void rows_by_rows(Block const& block, view<T const, 2, S> a, view<T const, 2, S> b, operand& left,
                                        operand& right, Own& sums) {
    block.each([&](int t) { clear(sums[t]); });
    for (index_t first = 0; first < a.cols(); first += depth) {
      block.each([&](int t) {
        auto const entry_of = [first](view<T const, 2, S> const& m) {
          return [&m, first](int row, int term) {
            return row < m.rows() && first + term < m.cols() ? m.at(row, first + term) : T(0);
          };
        };
        load_rows(t, left, entry_of(a));
        load_rows(t, right, entry_of(b));
      });
      block.each([&](int t) { add(t, sums[t], left.at, right.at); });
    }
  }

  /// out (+)= tile' in, for a tile in shared memory, [term][row], that is 0 beyond its terms.
  template <class Block, class S>
  CAUSALDPO_HD static void tile_by_matrix(Block const& block, T const (*tile)[ld], view<T const, 2, S> in, operand& right,
                                          view<T, 2, S> out, bool anew) {
    typename Block::template own<square> sums;
    for (index_t left = 0; left < in.cols();) {
      bool const narrow = in.cols() - left <= 16;
      block.each([&](int t) { clear(sums[t]); });
      for (index_t first = 0; first < in.rows(); first += depth) {
        block.each([&](int t) {
          load_cols(t, right, [&](int col, int term) {
            return first + term < in.rows() && left + col < in.cols() ? in.at(first + term, left + col) : T(0);
          });
        });
        block.each([&](int t) {
          if (narrow)
            add<1>(t, sums[t], tile + first, right.at);
          else
            add<per>(t, sums[t], tile + first, right.at);
        });
      }
      block.each([&](int t) {
        int const cols = narrow ? 1 : per, first_col = cols * (t % 16);
        each_result([&](int r, int c) {
          index_t const i = first_row(t) + r, j = left + first_col + c;
          if (c < cols && i < out.rows() && j < out.cols()) out.at(i, j) = (anew ? T(0) : out.at(i, j)) + sums[t].at[r][c];
        });
      });
      left += narrow ? 16 : extent;
    }
  }
};

/// f(i, j): the segments of one sum, in their order.
template <class T>
struct join_segments {
  view<T const, 2, device_space> parts;  // [segments * rows, .]
  index_t segments;
  view<T, 2, device_space> out;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const {
    accumulator sum = 0;
    for (index_t s = 0; s < segments; ++s) sum += static_cast<accumulator>(parts.at(s * out.rows() + i, j));
    out.at(i, j) = static_cast<T>(sum);
  }
};

}  // namespace causaldpo::detail
