// SPDX-License-Identifier: Apache-2.0
// Cholesky factors on a device: a block a matrix, where the generic body has a thread a matrix, so that a column costs two
// phases in place of D^2 loads one after another. The same sums in the same order, hence the same bits.
#pragma once

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/backends/cuda/block.cuh"

namespace causaldpo::detail {

struct cuda_cholesky_kernel {
  static constexpr int threads = 128;
  struct shared {
    accumulator pivot, log_det;
  };
  factorise<device_space> matrices;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    view<accumulator, 2, device_space> const l = matrices.matrix(block.index);
    index_t const d_count = l.cols();
    block.each([&](int t) {
      if (t == 0) s.log_det = 0;
    });
    for (index_t j = 0; j < d_count; ++j) {
      block.each([&](int t) {
        for (index_t i = j + t; i < d_count; i += threads) {
          accumulator const diagonal = l.at(i, j), left = matrices.remainder(l, i, j);
          l.at(i, j) = left;
          if (i == j) s.pivot = matrices.root(block.index, j, diagonal, left);
        }
      });
      block.each([&](int t) {
        for (index_t i = j + t; i < d_count; i += threads) l.at(i, j) = i == j ? s.pivot : l.at(i, j) / s.pivot;
        if (t == 0) s.log_det += 2 * math::log(s.pivot);
      });
    }
    block.each([&](int t) {
      if (t == 0) matrices.a.log_dets.at(block.index) = s.log_det;
    });
  }
};

}  // namespace causaldpo::detail

namespace causaldpo {

inline void override_for(op::small_cholesky, cuda_backend& be, detail::small_cholesky_args<device_space> const& args) {
  detail::launch_blocks(be.stream(), args.log_dets.size(), detail::cuda_cholesky_kernel{{args}});
}

}  // namespace causaldpo
