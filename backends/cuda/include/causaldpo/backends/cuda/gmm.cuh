// SPDX-License-Identifier: Apache-2.0
// The passes of EM on a device. The generic body goes over tiles of 8192 rows, with a launch for each component and step of a
// tile, and keeps deviations in memory. Here a step is one kernel over all rows, which reads them from the caller's memory;
// parameters and rows are in shared memory while they are used.
#pragma once

#include "causaldpo/backends/cuda/gmm_moments.cuh"
#include "causaldpo/backends/cuda/small_cholesky.cuh"

namespace causaldpo::detail {

/// f(i): column i % D of the inverse of the i / D-th Cholesky factor, from the diagonal down. With it a row's entries of
/// L^-1 (x - mu) do not wait for one another, as those of a forward substitution do.
struct invert_factor {
  view<accumulator const, 2, device_space> factors;
  view<accumulator, 2, device_space> inverses;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const d_count = factors.cols(), first = i / d_count * d_count, c = i % d_count;
    for (index_t d = c; d < d_count; ++d) {
      accumulator sum = d == c ? 1 : 0;
      for (index_t e = c; e < d; ++e) sum -= factors.at(first + d, e) * inverses.at(first + e, c);
      inverses.at(first + d, c) = sum / factors.at(first + d, d);
    }
  }
};

/// r(k, i) = log w_k + log N(x_i; mu_k, C_k): 64 rows and four components at a time, a thread for each pair.
template <class T>
struct cuda_density_kernel {
  static constexpr int threads = 256, rows = 64, group = threads / rows, width = 32, depth = 8;
  struct shared {
    accumulator x[width][rows + 1];  // columns of the rows, from one that is a multiple of `width`
    accumulator mean[group][width];
    accumulator factor[group][width][depth];  // [.][column][entry]; diagonal: [.][column][0]
  };
  gmm_pass_args<T, device_space> a;
  view<accumulator const, 2, device_space> inverses;  // tied, full; below the diagonal only

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    typename Block::template own<accumulator> sums;
    gmm_state<device_space> const& m = a.state;
    index_t const d_count = a.x.cols(), k_count = m.weights.size(), top = block.index * rows;
    index_t held = -1;  // the columns that s.x has; all of them stay where D <= width
    for (index_t k = 0; k < k_count; k += group) {
      block.each([&](int t) { sums[t] = 0; });
      if (m.diagonal())
        for (index_t left = 0; left < d_count; left += width) {
          block.each([&](int t) {
            load(t, s, top, k, left, held);
            for (int e = t; e < group * width; e += threads) {
              index_t const component = k + e / width, d = left + e % width;
              s.factor[e / width][e % width][0] = component < k_count && d < d_count ? m.factors.at(component, d) : 0;
            }
          });
          held = left;
          block.each([&](int t) {
            for (int d = 0; d < width && left + d < d_count; ++d) {
              accumulator const off = (s.x[d][t % rows] - s.mean[t / rows][d]) * s.factor[t / rows][d][0];
              sums[t] += off * off;
            }
          });
        }
      else
        for (index_t entry = 0; entry < d_count; entry += depth) add_entries(block, s, top, k, entry, held, sums);
      block.each([&](int t) {
        index_t const i = top + t % rows, component = k + t / rows;
        if (i < a.x.rows() && component < k_count) a.r.at(component, i) = m.log_norms.at(component) - 0.5 * sums[t];
      });
    }
  }

 private:
  /// Thread t's part of bringing columns [left, left + width) of the rows and of the means of components k, ... into shared
  /// memory; 0 beyond the last.
  CAUSALDPO_HD void load(int t, shared& s, index_t top, index_t k, index_t left, index_t held) const {
    index_t const d_count = a.x.cols();
    if (left != held)
      for (int e = t; e < width * rows; e += threads) {
        index_t const i = top + e / width, d = left + e % width;
        s.x[e % width][e / width] =
            i < a.x.rows() && d < d_count ? finite_row_entry<T, device_space>(a.x, i, d, a.first, a.watch) : 0;
      }
    for (int e = t; e < group * width; e += threads) {
      index_t const component = k + e / width, d = left + e % width;
      s.mean[e / width][e % width] = component < a.state.weights.size() && d < d_count ? a.state.means.at(component, d) : 0;
    }
  }
  /// sums += squares of entries [entry, entry + depth) of L^-1 (x - mu).
  template <class Block, class Own>
  CAUSALDPO_HD void add_entries(Block const& block, shared& s, index_t top, index_t k, index_t entry, index_t& held,
                                Own& sums) const {
    struct entries {
      accumulator at[depth];
    };
    typename Block::template own<entries> z;
    index_t const d_count = a.x.cols(), k_count = a.state.weights.size(),
                  below = a.state.kind == covariance_kind::full ? d_count : 0;
    block.each([&](int t) { CAUSALDPO_UNROLL for (int q = 0; q < depth; ++q) z[t].at[q] = 0; });
    for (index_t left = 0; left < d_count && left < entry + depth; left += width) {
      block.each([&](int t) {
        load(t, s, top, k, left, held);
        for (int e = t; e < group * width * depth; e += threads) {
          int const c = e % width, q = e / width % depth, g = e / width / depth;
          index_t const row = entry + q;
          bool const lower = k + g < k_count && row < d_count && left + c <= row;
          s.factor[g][c][q] = lower ? inverses.at((k + g) * below + row, left + c) : 0;
        }
      });
      held = left;
      block.each([&](int t) {
        for (int c = 0; c < width && left + c < entry + depth; ++c) {
          accumulator const off = s.x[c][t % rows] - s.mean[t / rows][c];
          CAUSALDPO_UNROLL for (int q = 0; q < depth; ++q) z[t].at[q] += s.factor[t / rows][c][q] * off;
        }
      });
    }
    block.each([&](int t) { CAUSALDPO_UNROLL for (int q = 0; q < depth; ++q) sums[t] += z[t].at[q] * z[t].at[q]; });
  }
};

template <class T>
void cuda_densities(cuda_backend& be, gmm_pass_args<T, device_space> const& a) {
  view<accumulator, 2, device_space> const factors = a.state.factors;
  auto const memory = be.template allocate<accumulator>(a.state.diagonal() ? 0 : factors.rows() * factors.cols());
  view<accumulator, 2, device_space> inverses;
  if (!a.state.diagonal()) {
    inverses = memory.matrix(factors.rows(), factors.cols());
    be.launch(factors.rows(), invert_factor{factors, inverses});
  }
  launch_blocks(be.stream(), parts_of(a.x.rows(), cuda_density_kernel<T>::rows), cuda_density_kernel<T>{a, inverses});
  be.launch(a.x.rows(), normalise_densities<device_space>{a.state.weights, a.r, a.log_density});
}

}  // namespace causaldpo::detail

namespace causaldpo {

template <real_scalar T>
void override_for(op::gmm_pass, cuda_backend& be, detail::gmm_pass_args<T, device_space> const& args) {
  if (args.x.rows() == 0) return;
  if (args.steps.densities) detail::cuda_densities(be, args);
  if (args.steps.sums) detail::cuda_sums(be, args);
  if (args.steps.moments) detail::cuda_moments(be, args);
}

}  // namespace causaldpo
