// SPDX-License-Identifier: Apache-2.0
// The sums of an M-step on a device: of the rows and of their deviations, weighted by the responsibilities.
#pragma once

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/backends/cuda/reduce.cuh"
#include "causaldpo/backends/cuda/tiles.cuh"
#include "causaldpo/environment/gmm_pass.hpp"

namespace causaldpo::detail {

/// map(i, k D + d) = r_ik x_id, or r_ik (x_id - mu_kd)^2.
template <class T>
struct weighted_entry_map {
  view<T const, 2, device_space> x;
  view<accumulator const, 2, device_space> r;
  view<accumulator const, 2, device_space> means;  // not given: the entries themselves
  CAUSALDPO_HD accumulator operator()(index_t i, index_t c) const {
    index_t const k = c / x.cols(), d = c % x.cols();
    accumulator const entry = static_cast<accumulator>(x.at(i, d));
    if (!means.given()) return r.at(k, i) * entry;
    accumulator const off = entry - means.at(k, d);
    return r.at(k, i) * (off * off);
  }
};

/// A tile of sum_i r_ik (x_i - mu_k)(x_i - mu_k)' over a segment of the rows, on and below the diagonal; where the covariance is
/// tied over all components too. The deviations are never in memory.
template <class T, int Per>
struct cuda_moments_kernel {
  using tiles = product_tiles<accumulator, Per>;
  static constexpr int threads = tiles::threads;
  struct shared {
    typename tiles::operand left, right;
  };
  gmm_pass_args<T, device_space> a;
  view<accumulator, 2, device_space> parts;  // [segments * rows of the moments, D]
  index_t segments;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    typename Block::template own<typename tiles::square> sums;
    gmm_state<device_space> const& m = a.state;
    bool const tied = m.kind == covariance_kind::tied;
    index_t const matrices = tied ? 1 : m.weights.size(), n = a.x.rows(), d_count = a.x.cols();
    index_t const segment = block.index % segments, matrix = block.index / segments % matrices;
    index_t tile = block.index / segments / matrices, high = 0;
    while (tile > high) tile -= ++high;  // tiles (0, 0), (1, 0), (1, 1), (2, 0), ...
    index_t const top = high * tiles::extent, left = tile * tiles::extent;
    block.each([&](int t) { tiles::clear(sums[t]); });
    for (index_t k = tied ? 0 : matrix; k < (tied ? m.weights.size() : matrix + 1); ++k)
      for (index_t first = segment * n / segments; first < (segment + 1) * n / segments; first += tiles::depth) {
        index_t const last = (segment + 1) * n / segments;
        block.each([&](int t) {
          tiles::load_cols(t, s.left, [&](int d, int term) {
            index_t const i = first + term;
            return i < last && top + d < d_count ? a.r.at(k, i) * deviation(i, k, top + d) : 0;
          });
          tiles::load_cols(t, s.right, [&](int d, int term) {
            index_t const i = first + term;
            return i < last && left + d < d_count ? deviation(i, k, left + d) : 0;
          });
        });
        block.each([&](int t) { tiles::add(t, sums[t], s.left.at, s.right.at); });
      }
    block.each([&](int t) {
      tiles::each_result([&](int r, int c) {
        index_t const i = top + tiles::first_row(t) + r, j = left + tiles::first_col(t) + c;
        if (i < d_count && j < d_count) parts.at((segment * matrices + matrix) * d_count + i, j) = sums[t].at[r][c];
      });
    });
  }

 private:
  CAUSALDPO_HD accumulator deviation(index_t i, index_t k, index_t d) const {
    return static_cast<accumulator>(a.x.at(i, d)) - a.state.means.at(k, d);
  }
};

/// f(i, j): joins the segments of an entry of the lower triangles of the D x D matrices below one another.
struct join_lower {
  join_segments<accumulator> entries;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const {
    if (j <= i % entries.out.cols()) entries(i, j);
  }
};

template <class T>
void cuda_sums(cuda_backend& be, gmm_pass_args<T, device_space> const& a) {
  index_t const cells = a.state.sums.rows() * a.state.sums.cols();
  be.reduce_cols(a.x.rows(), cells, weighted_entry_map<T>{a.x, a.r, {}}, sum_fold<>{},
                 view<accumulator, 1, device_space>(a.state.sums.data(), cells));
}

template <int Per, class T>
void cuda_full_moments(cuda_backend& be, gmm_pass_args<T, device_space> const& a) {
  view<accumulator, 2, device_space> const moments = a.state.moments;
  index_t const d = moments.cols(), across = parts_of(d, product_tiles<accumulator, Per>::extent);
  if (d == 0) return;
  index_t const blocks = moments.rows() / d * (across * (across + 1) / 2), wanted = parts_of(256, blocks),
                possible = parts_of(a.x.rows(), 1024), segments = wanted < possible ? wanted : possible;
  auto const parts = be.template allocate<accumulator>(segments * moments.rows() * d);
  launch_blocks(be.stream(), blocks * segments,
                cuda_moments_kernel<T, Per>{a, parts.matrix(segments * moments.rows(), d), segments});
  be.launch_2d(moments.rows(), d, join_lower{{parts.matrix(segments * moments.rows(), d), segments, moments}});
}

template <class T>
void cuda_moments(cuda_backend& be, gmm_pass_args<T, device_space> const& a) {
  view<accumulator, 2, device_space> const moments = a.state.moments;
  if (a.state.diagonal()) {
    index_t const cells = moments.rows() * moments.cols();
    return be.reduce_cols(a.x.rows(), cells, weighted_entry_map<T>{a.x, a.r, a.state.means}, sum_fold<>{},
                          view<accumulator, 1, device_space>(moments.data(), cells));
  }
  if (moments.cols() <= 16) return cuda_full_moments<1>(be, a);
  if (moments.cols() <= 32) return cuda_full_moments<2>(be, a);
  cuda_full_moments<4>(be, a);
}

}  // namespace causaldpo::detail
