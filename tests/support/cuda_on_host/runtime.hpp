// SPDX-License-Identifier: Apache-2.0
// The part of the CUDA runtime and of cuBLAS that the CUDA backend calls, on the host: "device memory" is host memory, a
// stream does everything at once. With it, and with kernels that run their phases as loops (causaldpo/backends/cuda/block.cuh),
// the whole CUDA backend is tested on machines that have the toolkit and no device. It also counts, and it watches.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace causaldpo::test {

/// What has been asked of the runtime since the program began.
struct cuda_on_host_counts {
  std::size_t allocations = 0;  // device and page-locked memory
  std::size_t live = 0;         // blocks that were not given back
  std::size_t synchronizations = 0;
  std::size_t copies = 0;
  std::size_t products = 0;
};
cuda_on_host_counts& cuda_on_host();

/// Streams that calls used, null included; a test that makes one of its own finds whether work strayed to another.
bool cuda_on_host_used(cudaStream_t stream);
void cuda_on_host_forget_streams();

/// The n-th allocation from now fails with cudaErrorMemoryAllocation; 0: none does.
void cuda_on_host_fail_allocation(std::size_t n);

/// Whether streams say that they are being captured into a graph.
void cuda_on_host_capture(bool on);

}  // namespace causaldpo::test
