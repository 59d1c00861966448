// SPDX-License-Identifier: Apache-2.0
// Kernels as code for a block of threads, in phases. One source runs on the device, where a phase is what each thread
// does between two barriers, and on the host, where a phase is a loop over the threads; so the arithmetic, the indices
// and the use of shared memory of every kernel are tested on machines without a device.
//
// A kernel is a trivially copyable struct with
//   static constexpr int threads;      a power of two
//   struct shared { ... };             memory of the block; starts uninitialised, trivially copyable members
//   template <class Block> CAUSALDPO_HD void operator()(Block const& block, shared& s) const;
// In it, `block.index` is the block's number and `block.each(f)` runs f(t) for every thread t and then waits for all of
// them. What a thread keeps from one phase to the next is a `typename Block::template own<T>`, read as `x[t]`. Calls of
// `each` must be reached by the whole block.
#pragma once

#include <cstring>

#include "causaldpo/backends/cuda/status.hpp"
#include "causaldpo/core/config.hpp"

#if !defined(__CUDACC__) && !defined(CAUSALDPO_CUDA_ON_HOST)
#error \
    "causaldpo/backends/cuda.cuh needs nvcc; with a plain C++ compiler include causaldpo/backends/cuda.hpp and link libcausaldpo-cuda"
#endif

/// Before a loop over a thread's own array: unrolled, the array stays in registers.
#if defined(__CUDA_ARCH__)
#define CAUSALDPO_UNROLL _Pragma("unroll")
#else
#define CAUSALDPO_UNROLL
#endif

namespace causaldpo::detail {

/// The shared memory of a kernel that needs none.
struct nothing_shared {};

#if defined(__CUDACC__)

/// A block on the device.
template <int Threads>
struct device_block {
  index_t index;
  template <class T>
  struct own {
    T value;
    CAUSALDPO_HD T& operator[](int) { return value; }
  };
  template <class F>
  __device__ void each(F const& f) const {
    f(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
};

template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads) run_block(Kernel const kernel) {
  __shared__ alignas(16) unsigned char memory[sizeof(typename Kernel::shared)];
  kernel(device_block<Kernel::threads>{static_cast<index_t>(blockIdx.x)}, *reinterpret_cast<typename Kernel::shared*>(memory));
}

/// Starts `blocks` blocks of a kernel.
template <class Kernel>
void launch_blocks(cudaStream_t stream, index_t blocks, Kernel const& kernel) {
  if (blocks <= 0) return;
  if (blocks > 0x7fffffff)
    throw backend_error("cuda_backend: launch: a kernel needs more than 2^31 - 1 blocks",
                        static_cast<int>(cudaErrorInvalidConfiguration));
  // The launch's own status: cudaGetLastError would also report what the caller's code left behind.
  void* arguments[] = {const_cast<Kernel*>(&kernel)};
  expect_cuda(cudaLaunchKernel(reinterpret_cast<void const*>(&run_block<Kernel>), dim3(static_cast<unsigned>(blocks)),
                               dim3(Kernel::threads), arguments, 0, stream),
              "launch");
}

#else

/// The order in which the host runs the threads of a phase and the blocks of a kernel. Results may not depend on it.
inline bool& threads_run_backwards() {
  static bool backwards = false;
  return backwards;
}

/// A block on the host.
template <int Threads>
struct host_block {
  index_t index;
  template <class T>
  struct own {
    T values[Threads];
    T& operator[](int t) { return values[t]; }
  };
  template <class F>
  void each(F const& f) const {
    if (threads_run_backwards())
      for (int t = Threads - 1; t >= 0; --t) f(t);
    else
      for (int t = 0; t < Threads; ++t) f(t);
  }
};

/// How many kernels the host has run: what an operation costs beside its work.
inline index_t& kernels_launched() {
  static index_t count = 0;
  return count;
}

/// Notes the stream of a kernel; whoever stands in for the runtime defines it.
void note_kernel(cudaStream_t stream);

template <class Kernel>
void launch_blocks(cudaStream_t stream, index_t blocks, Kernel const& kernel) {
  if (blocks > 0) ++kernels_launched(), note_kernel(stream);
  alignas(16) static thread_local unsigned char memory[sizeof(typename Kernel::shared)];
  auto& shared = *reinterpret_cast<typename Kernel::shared*>(memory);
  for (index_t b = 0; b < blocks; ++b) {
    std::memset(memory, 0xff, sizeof(memory));  // as on a device: nothing of the block before, and NaN where it is read too early
    kernel(host_block<Kernel::threads>{threads_run_backwards() ? blocks - 1 - b : b}, shared);
  }
}

#endif

/// Blocks of a kernel whose work is cut into `parts`: enough to fill every device, few enough for a grid.
constexpr index_t blocks_for(index_t parts) { return parts < 65536 ? parts : 65536; }
CAUSALDPO_HD constexpr index_t parts_of(index_t n, index_t size) { return (n + size - 1) / size; }

/// s[0] = fold of s[0], ..., s[Threads - 1] in this order, in log2(Threads) phases; s is the block's memory.
template <int Threads, class Block, class V, class Fold>
CAUSALDPO_HD void fold_threads(Block const& block, V* s, Fold const& fold) {
  for (int step = 1; step < Threads; step *= 2)
    block.each([&](int t) {
      if (t % (2 * step) == 0) s[t] = fold(s[t], s[t + step]);
    });
}

}  // namespace causaldpo::detail
