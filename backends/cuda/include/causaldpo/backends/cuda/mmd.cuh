// SPDX-License-Identifier: Apache-2.0
// mmd_penalty on a device. The generic body starts up to five kernels and products for each tile of 128 x 128: thousands of
// launches at B = 4096, with the tile in memory between them. Here one kernel goes over all tiles, with distances, kernel
// values and weights in registers and shared memory. What is around the tiles is the generic body's.
#pragma once

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/backends/cuda/distances.cuh"

namespace causaldpo::detail {

/// Kx contrasts and H x. A block owns a block of rows and walks over a segment of the columns of the kernel matrix, so that
/// no two blocks add to the same place; the symmetry is not used, because the mirrored tile belongs to another block's rows.
template <class F, class T>
struct cuda_products_kernel {
  using tiles = typename cuda_distances<T>::tiles;
  static constexpr int threads = tiles::threads;
  using shared = typename cuda_distances<T>::shared;
  cuda_distances<T> x;
  mmd_products<F, T, device_space> p;  // kx and hx [segments * B, .]
  index_t segments;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    index_t const n = x.blocks(), top = block.index % n, segment = block.index / n, first = segment * n / segments;
    typename Block::template own<typename tiles::square> distances, slopes, weights;
    for (index_t left = first; left < (segment + 1) * n / segments; ++left) {
      x.fill(block, s, top, left, distances);
      block.each([&](int t) {
        clear(t, s);
        x.each_position(t, top, left, [&](int i, int j, int r, int c) {
          kernel_point<T> const k = p.kernel.template at<T>(distances[t].at[r][c]);
          slopes[t].at[r][c] = k.slope;
          s.tile[j][i] = k.value;
        });
      });
      if (p.kx.given())
        tiles::tile_by_matrix(block, s.tile, x.rows_of(p.contrasts, left), s.right, mine(p.kx, top, segment), left == first);
      if (!p.hx.given()) continue;
      tiles::rows_by_rows(block, x.rows_of(p.u, top), x.rows_of(p.a, left), s.left, s.right, weights);
      block.each([&](int t) {
        clear(t, s);
        x.each_position(t, top, left,
                        [&](int i, int j, int r, int c) { s.tile[j][i] = weights[t].at[r][c] * slopes[t].at[r][c]; });
      });
      tiles::tile_by_matrix(block, s.tile, x.rows_of(p.x, left), s.right, mine(p.hx, top, segment), left == first);
    }
  }

 private:
  /// The thread's positions of the tile, so that what lies beyond the last row or column counts as 0.
  CAUSALDPO_HD static void clear(int t, shared& s) {
    tiles::each_result([&](int r, int c) { s.tile[tiles::first_col(t) + c][tiles::first_row(t) + r] = T(0); });
  }
  CAUSALDPO_HD view<T, 2, device_space> mine(view<T, 2, device_space> m, index_t top, index_t segment) const {
    return x.rows_of(m.row_block(segment * x.x.rows(), x.x.rows()), top);
  }
};

/// The members of mmd_tiles, each over all tiles at once. Scratch: a histogram for each of at most 256 blocks, and three partial
/// results of kx and hx.
template <class T>
class cuda_mmd_tiles {
  using S = device_space;
  using distances = cuda_distances<T>;

 public:
  cuda_mmd_tiles(cuda_backend& be, distance_tiles<cuda_backend, T> const& x) : be_(be), x_{x.centred(), x.norms()} {}

  index_t histograms() const { return sums(); }
  index_t sums() const {
    index_t const pairs = x_.blocks() * (x_.blocks() + 1) / 2;
    return pairs < 256 ? pairs : 256;
  }
  void count(int shift, view<selection const, 1, S> state, view<std::int64_t, 2, S> histograms) const {
    launch_blocks(be_.stream(), histograms.rows(), cuda_count_kernel<T>{x_, shift, state, histograms});
  }
  void sum(view<selection const, 1, S> state, view<accumulator, 1, S> sums, view<accumulator, 1, S> nexts) const {
    launch_blocks(be_.stream(), sums.size(), cuda_sum_kernel<T>{x_, state, sums, nexts});
  }
  template <class F>
  void products(mmd_products<F, T, S> const& p) const {
    index_t const blocks = x_.blocks(), wanted = parts_of(256, blocks < 1 ? 1 : blocks), most = blocks < 3 ? blocks : 3;
    index_t const segments = wanted < most ? wanted : most;
    if (segments <= 1) return launch_blocks(be_.stream(), blocks, cuda_products_kernel<F, T>{x_, p, 1});
    auto const kx = parts(p.kx, segments), hx = parts(p.hx, segments);
    mmd_products<F, T, S> in_parts = p;
    if (p.kx.given()) in_parts.kx = kx.matrix(segments * p.kx.rows(), p.kx.cols());
    if (p.hx.given()) in_parts.hx = hx.matrix(segments * p.hx.rows(), p.hx.cols());
    launch_blocks(be_.stream(), blocks * segments, cuda_products_kernel<F, T>{x_, in_parts, segments});
    be_.launch_2d(p.kx.rows(), p.kx.cols(), join_segments<T>{in_parts.kx, segments, p.kx});
    be_.launch_2d(p.hx.rows(), p.hx.cols(), join_segments<T>{in_parts.hx, segments, p.hx});
  }

 private:
  auto parts(view<T, 2, S> m, index_t segments) const { return be_.template allocate<T>(segments * m.rows() * m.cols()); }

  cuda_backend& be_;
  distances x_;
};

}  // namespace causaldpo::detail

namespace causaldpo {

template <real_scalar T, class F>
void override_for(op::mmd_penalty, cuda_backend& be, detail::mmd_args<T, device_space> const& args,
                  mmd_options_for<F> const& options) {
  op::mmd_penalty::around<detail::cuda_mmd_tiles<T>>(be, args, options);
}

}  // namespace causaldpo
