// SPDX-License-Identifier: Apache-2.0
// Scratch blocks that are kept and handed out again, with counters, whatever memory they are in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "causaldpo/core/view.hpp"

namespace causaldpo::detail {

/// Blocks of memory that a Memory takes from the system: `void* take(bytes)`, `void give(void*) noexcept`. A released
/// block is kept, so that a repeated sequence of requests takes nothing from the second time on.
template <class Memory>
class scratch_pool_of {
 public:
  static constexpr std::size_t alignment = 64;
  explicit scratch_pool_of(Memory memory = {}) : memory_(std::move(memory)) {}
  scratch_pool_of(scratch_pool_of const&) = delete;
  scratch_pool_of& operator=(scratch_pool_of const&) = delete;
  ~scratch_pool_of() {
    for (block const& b : blocks_) memory_.give(b.data);
  }

  void* acquire(std::size_t bytes) {
    bytes = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    block* best = nullptr;
    for (block& b : blocks_)
      if (!b.used && b.bytes >= bytes && (best == nullptr || b.bytes < best->bytes)) best = &b;
    if (best == nullptr) {
      blocks_.reserve(blocks_.size() + 1);  // so that the push below cannot throw and lose the block
      void* data = memory_.take(bytes);
      blocks_.push_back({data, bytes, false});
      best = &blocks_.back();
      ++allocations_;
    }
    best->used = true;
    in_use_ += best->bytes;
    peak_ = std::max(peak_, in_use_);
    return best->data;
  }
  void release(void* data) noexcept {
    for (block& b : blocks_)
      if (b.data == data) {
        b.used = false;
        in_use_ -= b.bytes;
        return;
      }
  }
  std::size_t allocations() const { return allocations_; }
  std::size_t peak() const { return peak_; }
  void reset_peak() { peak_ = in_use_; }

 private:
  struct block {
    void* data;
    std::size_t bytes;
    bool used;
  };
  Memory memory_;
  std::vector<block> blocks_;
  std::size_t allocations_ = 0, in_use_ = 0, peak_ = 0;
};

/// n elements of scratch in Space, given back to the pool by the destructor.
template <class T, class Space, class Pool>
class pooled_scratch {
 public:
  pooled_scratch(Pool& pool, index_t n) : pool_(&pool), size_(n) {
    data_ = static_cast<T*>(pool.acquire(static_cast<std::size_t>(n) * sizeof(T)));
  }
  pooled_scratch(pooled_scratch&& other) noexcept : pool_(other.pool_), data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
  }
  pooled_scratch& operator=(pooled_scratch&&) = delete;
  ~pooled_scratch() {
    if (data_) pool_->release(data_);
  }
  T* data() const { return data_; }
  index_t size() const { return size_; }
  view<T, 1, Space> vector() const { return {data_, size_}; }
  view<T, 2, Space> matrix(index_t rows, index_t cols) const { return {data_, rows, cols, cols}; }

 private:
  Pool* pool_;
  T* data_ = nullptr;
  index_t size_ = 0;
};

}  // namespace causaldpo::detail
