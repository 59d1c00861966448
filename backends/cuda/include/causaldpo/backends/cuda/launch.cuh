// SPDX-License-Identifier: Apache-2.0
// `launch` and `launch_2d`: one thread to a position, neighbouring threads at neighbouring positions.
#pragma once

#include "causaldpo/backends/cuda/block.cuh"
#include "causaldpo/core/lane.hpp"

namespace causaldpo::detail {

/// f(i) for i < n; block b has the positions b * threads + t, and every `blocks` blocks further.
template <class F>
struct element_kernel {
  static constexpr int threads = 256;
  using shared = nothing_shared;
  F f;
  index_t n, blocks;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared&) const {
    block.each([&](int t) {
      for (index_t i = block.index * threads + t; i < n; i += blocks * threads) call_at(f, i);
    });
  }
};

/// f(i, j) over tiles of 2^log_wide columns; threads run along a row first.
template <class F>
struct cell_kernel {
  static constexpr int threads = 256;
  using shared = nothing_shared;
  F f;
  index_t rows, cols, across, tiles, blocks;
  int log_wide;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared&) const {
    block.each([&](int t) {
      int const wide = 1 << log_wide, tall = threads >> log_wide;
      for (index_t tile = block.index; tile < tiles; tile += blocks) {
        index_t const i = tile / across * tall + (t >> log_wide), j = tile % across * wide + (t & (wide - 1));
        if (i < rows && j < cols) call_at(f, i, j);
      }
    });
  }
};

template <class F>
void cuda_launch(cudaStream_t stream, index_t n, F const& f) {
  index_t const blocks = blocks_for(parts_of(n, element_kernel<F>::threads));
  launch_blocks(stream, blocks, element_kernel<F>{f, n, blocks});
}

/// log2 of the smallest power of two that is not less than n, at most `largest`.
constexpr int log_width(index_t n, int largest) {
  int log = 0;
  while (log < largest && (index_t{1} << log) < n) ++log;
  return log;
}

template <class F>
void cuda_launch_2d(cudaStream_t stream, index_t rows, index_t cols, F const& f) {
  if (rows <= 0 || cols <= 0) return;
  int const log_wide = log_width(cols, 7);
  index_t const across = parts_of(cols, index_t{1} << log_wide),
                tiles = across * parts_of(rows, cell_kernel<F>::threads >> log_wide);
  index_t const blocks = blocks_for(tiles);
  launch_blocks(stream, blocks, cell_kernel<F>{f, rows, cols, across, tiles, blocks, log_wide});
}

}  // namespace causaldpo::detail
