// SPDX-License-Identifier: Apache-2.0
// The stand-in for the CUDA runtime and cuBLAS of runtime.hpp, as the functions that the backend links against.
#include "support/cuda_on_host/runtime.hpp"

#include <cublas_v2.h>

#include <cstdlib>
#include <cstring>
#include <set>

#include "causaldpo/core/half.hpp"

namespace causaldpo::detail {
void note_kernel(cudaStream_t stream);  // causaldpo/backends/cuda/block.cuh
}

namespace causaldpo::test {
namespace {
std::set<cudaStream_t> streams;
std::size_t fail_in = 0;
bool capturing = false;

cudaError_t take(void** data, std::size_t bytes) {
  if (fail_in > 0 && --fail_in == 0) return cudaErrorMemoryAllocation;
  *data = std::aligned_alloc(256, (bytes + 256) / 256 * 256);  // aligned as the runtime aligns
  if (*data == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*data, 0xff, bytes);  // every float and double a NaN: what is read before it is written shows
  ++cuda_on_host().allocations;
  ++cuda_on_host().live;
  return cudaSuccess;
}
cudaError_t give(void* data) {
  if (data != nullptr) --cuda_on_host().live;
  std::free(data);
  return cudaSuccess;
}
}  // namespace

cuda_on_host_counts& cuda_on_host() {
  static cuda_on_host_counts counts;
  return counts;
}
bool cuda_on_host_used(cudaStream_t stream) { return streams.count(stream) > 0; }
void cuda_on_host_forget_streams() { streams.clear(); }
void cuda_on_host_fail_allocation(std::size_t n) { fail_in = n; }
void cuda_on_host_capture(bool on) { capturing = on; }

}  // namespace causaldpo::test

void causaldpo::detail::note_kernel(cudaStream_t stream) { causaldpo::test::streams.insert(stream); }

using namespace causaldpo::test;

extern "C" {

cudaError_t CUDARTAPI cudaMallocAsync(void** data, size_t bytes, cudaStream_t stream) {
  streams.insert(stream);
  return take(data, bytes);
}
cudaError_t CUDARTAPI cudaFreeAsync(void* data, cudaStream_t stream) {
  streams.insert(stream);
  return give(data);
}
cudaError_t CUDARTAPI cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaMallocHost(void** data, size_t bytes) { return take(data, bytes); }
cudaError_t CUDARTAPI cudaFreeHost(void* data) { return give(data); }
cudaError_t CUDARTAPI cudaMemcpyAsync(void* to, void const* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  streams.insert(stream);
  ++cuda_on_host().copies;
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaMemcpy2DAsync(void* to, size_t to_pitch, void const* from, size_t from_pitch, size_t width,
                                        size_t height, cudaMemcpyKind, cudaStream_t stream) {
  streams.insert(stream);
  ++cuda_on_host().copies;
  if (to_pitch < width || from_pitch < width) return cudaErrorInvalidPitchValue;
  for (size_t i = 0; i < height; ++i)
    std::memcpy(static_cast<char*>(to) + i * to_pitch, static_cast<char const*>(from) + i * from_pitch, width);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaStreamSynchronize(cudaStream_t stream) {
  streams.insert(stream);
  ++cuda_on_host().synchronizations;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaGetLastError() { return cudaSuccess; }
cudaError_t CUDARTAPI cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  *status = capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  streams.insert(stream);
  for (size_t i = 0; i < height; ++i) std::memset(static_cast<char*>(to) + i * pitch, value, width);
  return cudaSuccess;
}
char const* CUDARTAPI cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : error == cudaErrorMemoryAllocation ? "out of memory" : "an error";
}

}  // extern "C"

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace {

/// c = alpha op(a) op(b) + beta c, column-major, as the BLAS defines it: beta 0 does not read c.
template <class T, class X = T>
cublasStatus_t product(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int64_t m, int64_t n, int64_t k,
                       T alpha, X const* a, int64_t lda, X const* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  streams.insert(handle->stream);
  ++cuda_on_host().products;
  if (lda < (ta == CUBLAS_OP_N ? m : k) || ldb < (tb == CUBLAS_OP_N ? k : n) || ldc < m || lda < 1 || ldb < 1 || ldc < 1)
    return CUBLAS_STATUS_INVALID_VALUE;
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += static_cast<double>(ta == CUBLAS_OP_N ? a[i + l * lda] : a[l + i * lda]) *
               static_cast<double>(tb == CUBLAS_OP_N ? b[l + j * ldb] : b[j + l * ldb]);
      double const kept = beta == T(0) ? 0 : static_cast<double>(beta) * static_cast<double>(c[i + j * ldc]);
      c[i + j * ldc] = static_cast<T>(static_cast<double>(alpha) * sum + kept);
    }
  return CUBLAS_STATUS_SUCCESS;
}
template <class T>
cublasStatus_t products(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int64_t m, int64_t n, int64_t k,
                        T alpha, T const* a, int64_t lda, int64_t step_a, T const* b, int64_t ldb, int64_t step_b, T beta, T* c,
                        int64_t ldc, int64_t step_c, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    if (auto const status =
            product<T>(handle, ta, tb, m, n, k, alpha, a + i * step_a, lda, b + i * step_b, ldb, beta, c + i * step_c, ldc);
        status != CUBLAS_STATUS_SUCCESS)
      return status;
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

cublasStatus_t CUBLASWINAPI cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t CUBLASWINAPI cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t CUBLASWINAPI cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t CUBLASWINAPI cublasGetStream(cublasHandle_t handle, cudaStream_t* stream) {
  *stream = handle->stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t CUBLASWINAPI cublasGetPointerMode(cublasHandle_t, cublasPointerMode_t* mode) {
  *mode = CUBLAS_POINTER_MODE_HOST;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t CUBLASWINAPI cublasSetWorkspace(cublasHandle_t, void*, size_t) { return CUBLAS_STATUS_SUCCESS; }
char const* CUBLASWINAPI cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : status == CUBLAS_STATUS_INVALID_VALUE ? "an invalid value" : "a failure";
}
cublasStatus_t CUBLASWINAPI cublasSgemm_64(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int64_t m, int64_t n,
                                           int64_t k, float const* alpha, float const* a, int64_t lda, float const* b,
                                           int64_t ldb, float const* beta, float* c, int64_t ldc) {
  return product<float>(h, ta, tb, m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
}
cublasStatus_t CUBLASWINAPI cublasDgemm_64(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int64_t m, int64_t n,
                                           int64_t k, double const* alpha, double const* a, int64_t lda, double const* b,
                                           int64_t ldb, double const* beta, double* c, int64_t ldc) {
  return product<double>(h, ta, tb, m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
}
cublasStatus_t CUBLASWINAPI cublasSgemmStridedBatched_64(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int64_t m,
                                                         int64_t n, int64_t k, float const* alpha, float const* a, int64_t lda,
                                                         long long step_a, float const* b, int64_t ldb, long long step_b,
                                                         float const* beta, float* c, int64_t ldc, long long step_c,
                                                         int64_t count) {
  return products<float>(h, ta, tb, m, n, k, *alpha, a, lda, step_a, b, ldb, step_b, *beta, c, ldc, step_c, count);
}
cublasStatus_t CUBLASWINAPI cublasDgemmStridedBatched_64(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int64_t m,
                                                         int64_t n, int64_t k, double const* alpha, double const* a, int64_t lda,
                                                         long long step_a, double const* b, int64_t ldb, long long step_b,
                                                         double const* beta, double* c, int64_t ldc, long long step_c,
                                                         int64_t count) {
  return products<double>(h, ta, tb, m, n, k, *alpha, a, lda, step_a, b, ldb, step_b, *beta, c, ldc, step_c, count);
}
cublasStatus_t CUBLASWINAPI cublasGemmEx_64(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int64_t m, int64_t n,
                                            int64_t k, void const* alpha, void const* a, cudaDataType type_a, int64_t lda,
                                            void const* b, cudaDataType type_b, int64_t ldb, void const* beta, void* c,
                                            cudaDataType type_c, int64_t ldc, cublasComputeType_t compute, cublasGemmAlgo_t) {
  if (type_a != type_b || type_c != CUDA_R_32F || compute != CUBLAS_COMPUTE_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  auto const of = [&]<class X>(X const* first, X const* second) {
    return product<float, X>(h, ta, tb, m, n, k, *static_cast<float const*>(alpha), first, lda, second, ldb,
                             *static_cast<float const*>(beta), static_cast<float*>(c), ldc);
  };
  if (type_a == CUDA_R_16BF) return of(static_cast<causaldpo::bfloat16 const*>(a), static_cast<causaldpo::bfloat16 const*>(b));
  if (type_a == CUDA_R_16F) return of(static_cast<causaldpo::float16 const*>(a), static_cast<causaldpo::float16 const*>(b));
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t CUBLASWINAPI cublasSgeam_64(cublasHandle_t h, cublasOperation_t, cublasOperation_t, int64_t m, int64_t n,
                                           float const* alpha, float const* a, int64_t lda, float const* beta, float const* b,
                                           int64_t ldb, float* c, int64_t ldc) {
  streams.insert(h->stream);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) c[i + j * ldc] = *alpha * a[i + j * lda] + (*beta == 0 ? 0 : *beta * b[i + j * ldb]);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t CUBLASWINAPI cublasDgeam_64(cublasHandle_t h, cublasOperation_t, cublasOperation_t, int64_t m, int64_t n,
                                           double const* alpha, double const* a, int64_t lda, double const* beta, double const* b,
                                           int64_t ldb, double* c, int64_t ldc) {
  streams.insert(h->stream);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) c[i + j * ldc] = *alpha * a[i + j * lda] + (*beta == 0 ? 0 : *beta * b[i + j * ldb]);
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
