// SPDX-License-Identifier: Apache-2.0
// The CUDA backend for nvcc: the primitives that run functors on the device, and the kernels of what it replaces.
#pragma once

#if defined(CAUSALDPO_CUDA_WITHOUT_KERNELS)
#error "causaldpo/backends/cuda.hpp was included before causaldpo/backends/cuda.cuh: include the latter alone"
#endif
#define CAUSALDPO_CUDA_KERNELS 1
#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/backends/cuda/fused_linear.cuh"
#include "causaldpo/backends/cuda/launch.cuh"
#include "causaldpo/backends/cuda/preference.cuh"
#include "causaldpo/backends/cuda/reduce.cuh"
#include "causaldpo/backends/cuda/softmax_rows.cuh"

namespace causaldpo {

template <class F>
void cuda_backend::launch(index_t n, F f) {
  detail::cuda_launch(stream_, n, f);
}
template <class F>
void cuda_backend::launch_2d(index_t rows, index_t cols, F f) {
  detail::cuda_launch_2d(stream_, rows, cols, f);
}
template <class Map, class Fold, class U>
void cuda_backend::reduce(index_t n, Map map, Fold fold, view<U, 1, space> out) {
  detail::cuda_reduce_rows(*this, 1, n, detail::as_one_row<Map>{map}, fold, out.data());
}
template <class Map, class Fold, class U>
void cuda_backend::reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out) {
  detail::cuda_reduce_rows(*this, rows, cols, map, fold, out.data());
}
template <class Map, class Fold, class U>
void cuda_backend::reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out) {
  detail::cuda_reduce_cols(*this, rows, cols, map, fold, out.data());
}

}  // namespace causaldpo

#include "causaldpo/backends/cuda/gmm.cuh"
#include "causaldpo/backends/cuda/mmd.cuh"
#include "causaldpo/backends/cuda/small_cholesky.cuh"
