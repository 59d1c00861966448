// SPDX-License-Identifier: Apache-2.0
// Squared distances between all pairs of rows on a device, a tile in the registers of a block at a time, and the passes over
// them from which the median is found: one launch for each of its digits, where the generic body starts three kernels for
// each tile.
#pragma once

#include "causaldpo/backends/cuda/reduce.cuh"
#include "causaldpo/backends/cuda/tiles.cuh"
#include "causaldpo/invariance/bandwidths.hpp"

namespace causaldpo::detail {

/// Squared distances of two blocks of rows, formed as everywhere: products, and differences where these would cancel, so that
/// equal rows are exactly 0 apart. The same for (i, j) as for (j, i), and the same bits every time.
template <class T>
struct cuda_distances {
  using S = device_space;
  using tiles = product_tiles<T, sizeof(T) == 4 ? 4 : 2>;
  static constexpr int extent = tiles::extent;
  struct shared {
    typename tiles::operand left, right;
    alignas(16) T tile[extent][tiles::ld];  // [column][row]
  };
  view<T const, 2, S> x;  // [B,D] centred
  view<accumulator const, 1, S> norms;

  CAUSALDPO_HD index_t blocks() const { return parts_of(x.rows(), extent); }
  CAUSALDPO_HD index_t rows_in(index_t block) const {
    return x.rows() - block * extent < extent ? x.rows() - block * extent : extent;
  }
  template <class U>
  CAUSALDPO_HD view<U, 2, S> rows_of(view<U, 2, S> m, index_t block) const {
    return m.row_block(block * extent, rows_in(block));
  }
  /// f(row, col, element of the thread's square) for the positions of a thread that lie in the tile.
  template <class F>
  CAUSALDPO_HD void each_position(int t, index_t top, index_t left, F const& f) const {
    tiles::each_result([&](int r, int c) {
      int const i = tiles::first_row(t) + r, j = tiles::first_col(t) + c;
      if (i < rows_in(top) && j < rows_in(left)) f(i, j, r, c);
    });
  }
  /// Distances of the rows of block `top` to those of block `left`, each in the square of its thread.
  template <class Block, class Own>
  CAUSALDPO_HD void fill(Block const& block, shared& s, index_t top, index_t left, Own& distances) const {
    view<T const, 2, S> const a = rows_of(x, top), b = rows_of(x, left);
    tiles::rows_by_rows(block, a, b, s.left, s.right, distances);
    block.each([&](int t) {
      each_position(t, top, left, [&](int i, int j, int r, int c) {
        T distance = distances[t].at[r][c];
        view<T, 2, S> const one(&distance, 1, 1);
        refine_distance<T, S>{a.row_block(i, 1), b.row_block(j, 1), norms.part(top * extent + i, 1),
                              norms.part(left * extent + j, 1), one}(0, 0);
        distances[t].at[r][c] = distance;
      });
    });
  }
};

/// The pairs of blocks {I, J}, each once: I = n mod blocks, J = I + n / blocks, around the circle.
template <class T, class Body>
CAUSALDPO_HD void each_pair_of_blocks(cuda_distances<T> const& d, index_t first, index_t step, Body const& body) {
  index_t const n = d.blocks();
  for (index_t pair = first; pair < n * (n + 1) / 2; pair += step) body(pair % n, (pair % n + pair / n) % n);
}

/// Adds to a counter in shared memory; sums of integers do not depend on the order.
CAUSALDPO_HD inline void count_more(unsigned& counter, unsigned count) {
#if defined(__CUDA_ARCH__)
  atomicAdd(&counter, count);
#else
  counter += count;
#endif
}

/// count_digits over all pairs; a histogram for each block.
template <class T>
struct cuda_count_kernel {
  static constexpr int threads = cuda_distances<T>::tiles::threads;
  struct shared {
    typename cuda_distances<T>::shared distances;
    unsigned counts[256];
  };
  cuda_distances<T> x;
  int shift;
  view<selection const, 1, device_space> state;
  view<std::int64_t, 2, device_space> histograms;  // [blocks,256]

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    typename Block::template own<typename cuda_distances<T>::tiles::square> distances;
    std::uint64_t const prefix = state.at(0).prefix;
    block.each([&](int t) { s.counts[t] = 0; });
    each_pair_of_blocks(x, block.index, histograms.rows(), [&](index_t top, index_t left) {
      x.fill(block, s.distances, top, left, distances);
      block.each([&](int t) {
        // neighbouring distances mostly share a digit: one addition for a run of them
        int run = -1;
        unsigned length = 0;
        x.each_position(t, top, left, [&](int i, int j, int r, int c) {
          if (top == left && j <= i) return;
          int const digit = digit_after(prefix, distances[t].at[r][c], shift);
          if (digit != run) {
            if (run >= 0) count_more(s.counts[run], length);
            run = digit;
            length = 0;
          }
          ++length;
        });
        if (run >= 0) count_more(s.counts[run], length);
      });
    });
    block.each([&](int t) { histograms.at(block.index, t) = static_cast<std::int64_t>(s.counts[t]); });
  }
};

/// sum_and_next over all pairs; two numbers for each block.
template <class T>
struct cuda_sum_kernel {
  static constexpr int threads = cuda_distances<T>::tiles::threads;
  struct shared {
    typename cuda_distances<T>::shared distances;
    accumulator sums[threads], nexts[threads];
  };
  cuda_distances<T> x;
  view<selection const, 1, device_space> state;
  view<accumulator, 1, device_space> sums, nexts;  // [blocks]

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    typename Block::template own<typename cuda_distances<T>::tiles::square> distances;
    T const selected = from_ordered_bits<T>(state.at(0).prefix);
    block.each([&](int t) {
      s.sums[t] = 0;
      s.nexts[t] = math::infinity<accumulator>();
    });
    each_pair_of_blocks(x, block.index, sums.size(), [&](index_t top, index_t left) {
      x.fill(block, s.distances, top, left, distances);
      block.each([&](int t) {
        x.each_position(t, top, left, [&](int i, int j, int r, int c) {
          if (top == left && j <= i) return;
          T const d = distances[t].at[r][c];
          s.sums[t] += static_cast<accumulator>(d);
          if (d > selected) s.nexts[t] = math::min(static_cast<accumulator>(d), s.nexts[t]);
        });
      });
    });
    fold_threads<threads>(block, s.sums, sum_fold<>{});
    fold_threads<threads>(block, s.nexts, min_fold<accumulator>{});
    block.each([&](int t) {
      if (t == 0) sums.at(block.index) = s.sums[0];
      if (t == 0) nexts.at(block.index) = s.nexts[0];
    });
  }
};

}  // namespace causaldpo::detail
