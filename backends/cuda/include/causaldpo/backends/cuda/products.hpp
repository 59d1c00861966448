// SPDX-License-Identifier: Apache-2.0
// Products by cuBLAS: the handle with a workspace of its own, and row-major products as column-major ones.
#pragma once

#include <algorithm>
#include <type_traits>

#include "causaldpo/backends/cuda/memory.hpp"
#include "causaldpo/concepts/backend.hpp"

namespace causaldpo::detail {

/// A cuBLAS handle on a stream: the caller's, or one of its own with its own workspace, so that a handle on another
/// stream cannot change which algorithm is chosen, and with it the bits.
class cublas_handle {
 public:
  cublas_handle(cudaStream_t stream, cublasHandle_t given) : stream_(stream), handle_(given), owned_(given == nullptr) {
    if (!owned_) {
      cudaStream_t other = nullptr;
      expect_cublas(cublasGetStream(given, &other), "cublas");
      if (other != stream)
        throw option_error("cuda_backend: cublas is set to another stream and must be set to the backend's (cublasSetStream)");
      cublasPointerMode_t mode = CUBLAS_POINTER_MODE_HOST;
      expect_cublas(cublasGetPointerMode(given, &mode), "cublas");
      if (mode != CUBLAS_POINTER_MODE_HOST)
        throw option_error(
            "cuda_backend: cublas reads factors from the device and must read them from the host (CUBLAS_POINTER_MODE_HOST)");
      return;
    }
    expect_cublas(cublasCreate(&handle_), "cublasCreate");
    try {
      expect_cublas(cublasSetStream(handle_, stream_), "cublasSetStream");
      expect_cuda(cudaMallocAsync(&workspace_, workspace_bytes, stream_), "allocate");
      expect_cublas(cublasSetWorkspace(handle_, workspace_, workspace_bytes), "cublasSetWorkspace");
    } catch (...) {
      release();
      throw;
    }
  }
  cublas_handle(cublas_handle const&) = delete;
  cublas_handle& operator=(cublas_handle const&) = delete;
  ~cublas_handle() { release(); }
  cublasHandle_t get() const { return handle_; }

 private:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // what cuBLAS asks for on compute capability 9.0
  void release() noexcept {
    if (!owned_) return;
    if (handle_) static_cast<void>(cublasDestroy(handle_));
    if (workspace_) static_cast<void>(cudaFreeAsync(workspace_, stream_));
  }

  cudaStream_t stream_;
  cublasHandle_t handle_;
  bool owned_;
  void* workspace_ = nullptr;
};

constexpr cublasOperation_t cublas_transpose(transpose t) { return t == transpose::no ? CUBLAS_OP_N : CUBLAS_OP_T; }

/// c = beta c: what is left of a product whose inner extent is 0, whose factors may be null.
template <class T>
void scale_in_place(cublasHandle_t handle, T beta, view<T, 2, device_space> c) {
  if (beta == T(1)) return;
  std::size_t const row = static_cast<std::size_t>(c.cols()) * sizeof(T),
                    pitch = static_cast<std::size_t>(std::max(c.ld(), c.cols())) * sizeof(T);
  cudaStream_t stream = nullptr;
  expect_cublas(cublasGetStream(handle, &stream), "gemm");
  if (beta == T(0))
    return expect_cuda(cudaMemset2DAsync(c.data(), pitch, 0, row, static_cast<std::size_t>(c.rows()), stream), "gemm");
  index_t const ld = std::max(c.ld(), c.cols());
  T const zero = 0;
  if constexpr (std::is_same_v<T, float>)
    expect_cublas(cublasSgeam_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, c.cols(), c.rows(), &beta, c.data(), ld, &zero, c.data(), ld,
                                 c.data(), ld),
                  "gemm");
  else
    expect_cublas(cublasDgeam_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, c.cols(), c.rows(), &beta, c.data(), ld, &zero, c.data(), ld,
                                 c.data(), ld),
                  "gemm");
}

/// c = alpha op(a) op(b) + beta c for `count` matrices that lie `stride_*` elements apart. A row-major matrix is its
/// column-major transpose, and c' = op(b)' op(a)': the factors change places.
template <class T>
void cublas_products(cublasHandle_t handle, transpose ta, transpose tb, T alpha, view<T const, 2, device_space> a,
                     index_t stride_a, view<T const, 2, device_space> b, index_t stride_b, T beta, view<T, 2, device_space> c,
                     index_t stride_c, index_t count) {
  index_t const m = c.rows(), n = c.cols(), inner = ta == transpose::no ? a.cols() : a.rows();
  if (m <= 0 || n <= 0 || count <= 0) return;
  if (inner <= 0) {
    for (index_t i = 0; i < count; ++i) scale_in_place<T>(handle, beta, {c.data() + i * stride_c, m, n, c.ld()});
    return;
  }
  // One row may have any leading dimension; cuBLAS asks for one that is not less than the row.
  auto const ld = [](auto const& x) { return std::max<index_t>({x.ld(), x.cols(), 1}); };
  cublasOperation_t const first = cublas_transpose(tb), second = cublas_transpose(ta);
  cublasStatus_t status;
  if constexpr (std::is_same_v<T, float>) {
    if (count == 1)
      status =
          cublasSgemm_64(handle, first, second, n, m, inner, &alpha, b.data(), ld(b), a.data(), ld(a), &beta, c.data(), ld(c));
    else
      status = cublasSgemmStridedBatched_64(handle, first, second, n, m, inner, &alpha, b.data(), ld(b), stride_b, a.data(),
                                            ld(a), stride_a, &beta, c.data(), ld(c), stride_c, count);
  } else {
    static_assert(std::is_same_v<T, double>);
    if (count == 1)
      status =
          cublasDgemm_64(handle, first, second, n, m, inner, &alpha, b.data(), ld(b), a.data(), ld(a), &beta, c.data(), ld(c));
    else
      status = cublasDgemmStridedBatched_64(handle, first, second, n, m, inner, &alpha, b.data(), ld(b), stride_b, a.data(),
                                            ld(a), stride_a, &beta, c.data(), ld(c), stride_c, count);
  }
  expect_cublas(status, "gemm");
}

/// c = a b' of a half type, added up and stored in float.
template <half_scalar X>
void cublas_half_product(cublasHandle_t handle, view<X const, 2, device_space> a, view<X const, 2, device_space> b,
                         view<float, 2, device_space> c) {
  if (c.rows() <= 0 || c.cols() <= 0) return;
  auto const ld = [](auto const& x) { return std::max<index_t>({x.ld(), x.cols(), 1}); };
  constexpr cudaDataType type = std::is_same_v<X, bfloat16> ? CUDA_R_16BF : CUDA_R_16F;
  float const one = 1, zero = 0;
  expect_cublas(
      cublasGemmEx_64(handle, CUBLAS_OP_T, CUBLAS_OP_N, c.cols(), c.rows(), a.cols(), &one, b.data(), type, ld(b), a.data(), type,
                      ld(a), &zero, c.data(), CUDA_R_32F, ld(c), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
      "gemm of a half type");
}

}  // namespace causaldpo::detail
