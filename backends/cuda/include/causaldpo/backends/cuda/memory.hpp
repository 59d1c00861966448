// SPDX-License-Identifier: Apache-2.0
// Device memory taken and given back in the order of a stream, and copies between it and the host.
#pragma once

#include <type_traits>

#include "causaldpo/backends/cuda/device_space.hpp"
#include "causaldpo/backends/cuda/status.hpp"
#include "causaldpo/detail/scratch_pool.hpp"

namespace causaldpo::detail {

/// Where a backend's scratch comes from: the device's stream-ordered pool. Because all work of a backend is on one
/// stream, a block that was released may be handed out again at once.
struct stream_memory {
  cudaStream_t stream;
  void* take(std::size_t bytes) {
    // Memory that is taken while a graph is captured belongs to the graph, not to the pool.
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    expect_cuda(cudaStreamIsCapturing(stream, &capture), "allocate");
    if (capture != cudaStreamCaptureStatusNone)
      throw backend_error(
          "cuda_backend: an operation needs new scratch while its stream is captured: run it once with these sizes before",
          static_cast<int>(cudaErrorStreamCaptureUnsupported));
    void* data = nullptr;
    expect_cuda(cudaMallocAsync(&data, bytes, stream), "allocate");
    return data;
  }
  void give(void* data) noexcept { static_cast<void>(cudaFreeAsync(data, stream)); }
};
using device_pool = scratch_pool_of<stream_memory>;
template <class T>
using device_scratch = pooled_scratch<T, device_space, device_pool>;

template <class To, class From>
constexpr cudaMemcpyKind copy_kind() {
  if constexpr (To::host_accessible)
    return From::host_accessible ? cudaMemcpyHostToHost : cudaMemcpyDeviceToHost;
  else
    return From::host_accessible ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToDevice;
}

template <class T, class To, class From>
void copy_async(cudaStream_t stream, view<T, 1, To> to, view<T const, 1, From> from) {
  if (from.size() <= 0) return;
  expect_cuda(
      cudaMemcpyAsync(to.data(), from.data(), static_cast<std::size_t>(from.size()) * sizeof(T), copy_kind<To, From>(), stream),
      "copy");
}
template <class T, class To, class From>
void copy_async(cudaStream_t stream, view<T, 2, To> to, view<T const, 2, From> from) {
  if (from.rows() <= 0 || from.cols() <= 0) return;
  // One piece where it is one: a pitch may not exceed 2 GiB.
  if (from.rows() == 1 || (from.ld() == from.cols() && to.ld() == to.cols()))
    return copy_async<T>(stream, view<T, 1, To>(to.data(), from.rows() * from.cols()),
                         view<T const, 1, From>(from.data(), from.rows() * from.cols()));
  auto const pitch = [&](index_t ld) { return static_cast<std::size_t>(ld < from.cols() ? from.cols() : ld) * sizeof(T); };
  expect_cuda(cudaMemcpy2DAsync(to.data(), pitch(to.ld()), from.data(), pitch(from.ld()),
                                static_cast<std::size_t>(from.cols()) * sizeof(T), static_cast<std::size_t>(from.rows()),
                                copy_kind<To, From>(), stream),
              "copy");
}

}  // namespace causaldpo::detail
