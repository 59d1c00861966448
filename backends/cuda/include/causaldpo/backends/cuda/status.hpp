// SPDX-License-Identifier: Apache-2.0
// Status codes of CUDA and cuBLAS become exceptions.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <string>

#include "causaldpo/core/error.hpp"

namespace causaldpo::detail {

/// Throws backend_error "cuda_backend: what: the runtime's text" with the native code unless the call succeeded.
inline void expect_cuda(cudaError_t status, char const* what) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // reported here; it must not be found again by somebody else
  throw backend_error(std::string("cuda_backend: ") + what + ": " + cudaGetErrorString(status), static_cast<int>(status));
}
inline void expect_cublas(cublasStatus_t status, char const* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw backend_error(std::string("cuda_backend: ") + what + ": " + cublasGetStatusString(status), static_cast<int>(status));
}

}  // namespace causaldpo::detail
