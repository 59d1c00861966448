// SPDX-License-Identifier: Apache-2.0
// The NaN watch of a device. Each operation that has run on the backend owns a row of slots for good, so opening a watch
// touches no memory, a captured graph notes where its first run did, and one copy at `synchronize` reads them all.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "causaldpo/backends/cuda/status.hpp"
#include "causaldpo/core/watch.hpp"

namespace causaldpo::detail {

class watch_table {
 public:
  explicit watch_table(cudaStream_t stream) : stream_(stream) {
    expect_cuda(cudaMallocHost(reinterpret_cast<void**>(&host_), bytes(capacity)), "allocate");
    std::fill_n(host_, capacity * nan_watch::max_slots, nan_watch::clear);
    cudaError_t status = cudaMallocAsync(reinterpret_cast<void**>(&device_), bytes(capacity), stream_);
    if (status == cudaSuccess) status = cudaMemcpyAsync(device_, host_, bytes(capacity), cudaMemcpyHostToDevice, stream_);
    if (status == cudaSuccess) return;
    release();
    expect_cuda(status, "allocate");
  }
  watch_table(watch_table const&) = delete;
  watch_table& operator=(watch_table const&) = delete;
  ~watch_table() { release(); }

  /// The slots of an operation, known by its name and those of its inputs.
  nan_watch open(watched_operation const& operation) {
    auto const same = [&operation](row const& r) {
      return r.operation == operation.name &&
             std::equal(r.inputs.begin(), r.inputs.end(), operation.inputs, operation.inputs + operation.count);
    };
    auto found = std::find_if(rows_.begin(), rows_.end(), same);
    if (found == rows_.end()) {
      if (rows_.size() == capacity) throw error("cuda_backend: more than 256 different operations were watched");
      rows_.push_back({operation.name, std::vector<std::string>(operation.inputs, operation.inputs + operation.count)});
      found = rows_.end() - 1;
    }
    return nan_watch{device_ + (found - rows_.begin()) * nan_watch::max_slots};
  }

  /// Waits for the stream; throws value_error for the first operation that noted something since the last call.
  void synchronize() {
    if (!rows_.empty())
      expect_cuda(cudaMemcpyAsync(host_, device_, bytes(rows_.size()), cudaMemcpyDeviceToHost, stream_), "synchronize");
    expect_cuda(cudaStreamSynchronize(stream_), "synchronize");
    for (std::size_t r = 0; r < rows_.size(); ++r)
      for (std::size_t slot = 0; slot < rows_[r].inputs.size(); ++slot) {
        std::int64_t const position = host_[r * nan_watch::max_slots + slot];
        if (position == nan_watch::clear) continue;
        std::fill_n(host_, rows_.size() * nan_watch::max_slots, nan_watch::clear);
        expect_cuda(cudaMemcpyAsync(device_, host_, bytes(rows_.size()), cudaMemcpyHostToDevice, stream_), "synchronize");
        expect_cuda(cudaStreamSynchronize(stream_), "synchronize");
        throw value_error(watch_message(rows_[r].operation.c_str(), rows_[r].inputs[slot], position));
      }
  }

 private:
  struct row {
    std::string operation;
    std::vector<std::string> inputs;
  };
  static constexpr std::size_t capacity = 256;
  static constexpr std::size_t bytes(std::size_t rows) { return rows * nan_watch::max_slots * sizeof(std::int64_t); }
  void release() noexcept {
    if (device_) static_cast<void>(cudaFreeAsync(device_, stream_));
    static_cast<void>(cudaStreamSynchronize(stream_));  // the copy may still read host_
    static_cast<void>(cudaFreeHost(host_));
  }

  cudaStream_t stream_;
  std::int64_t* host_ = nullptr;  // page-locked, so that copies are ordered by the stream
  std::int64_t* device_ = nullptr;
  std::vector<row> rows_;
};

}  // namespace causaldpo::detail
