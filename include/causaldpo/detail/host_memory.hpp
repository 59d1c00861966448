// SPDX-License-Identifier: Apache-2.0
// What every backend in host memory needs and no algorithm sees: a pool of scratch blocks that are reused between
// calls, with counters, and the slots of the NaN watch. A backend of your own may inherit `host_memory`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "causaldpo/core/error.hpp"
#include "causaldpo/core/view.hpp"
#include "causaldpo/core/watch.hpp"

namespace causaldpo::detail {

/// Blocks of host memory, aligned to 64 bytes. A released block is kept and handed out again, so that a repeated
/// sequence of requests allocates nothing from the second time on.
class scratch_pool {
 public:
  static constexpr std::size_t alignment = 64;
  scratch_pool() = default;
  scratch_pool(scratch_pool const&) = delete;
  scratch_pool& operator=(scratch_pool const&) = delete;
  ~scratch_pool() {
    for (block const& b : blocks_) ::operator delete(b.data, std::align_val_t(alignment));
  }

  void* acquire(std::size_t bytes) {
    bytes = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    block* best = nullptr;
    for (block& b : blocks_)
      if (!b.used && b.bytes >= bytes && (best == nullptr || b.bytes < best->bytes)) best = &b;
    if (best == nullptr) {
      blocks_.reserve(blocks_.size() + 1);  // so that the push below cannot throw and lose the block
      void* data = ::operator new(bytes, std::align_val_t(alignment));
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
  std::vector<block> blocks_;
  std::size_t allocations_ = 0, in_use_ = 0, peak_ = 0;
};

/// n elements of scratch, given back to the pool by the destructor.
template <class T>
class host_scratch {
 public:
  host_scratch(scratch_pool& pool, index_t n) : pool_(&pool), size_(n) {
    data_ = static_cast<T*>(pool.acquire(static_cast<std::size_t>(n) * sizeof(T)));
  }
  host_scratch(host_scratch&& other) noexcept : pool_(other.pool_), data_(other.data_), size_(other.size_) { other.data_ = nullptr; }
  host_scratch& operator=(host_scratch&&) = delete;
  ~host_scratch() {
    if (data_) pool_->release(data_);
  }
  T* data() const { return data_; }
  index_t size() const { return size_; }
  view<T, 1> vector() const { return {data_, size_}; }
  view<T, 2> matrix(index_t rows, index_t cols) const { return {data_, rows, cols, cols}; }

 private:
  scratch_pool* pool_;
  T* data_ = nullptr;
  index_t size_ = 0;
};

/// Base of the backends in host memory: `allocate`, its counters, and the watch.
class host_memory {
 public:
  using space = host_space;

  template <class T> host_scratch<T> allocate(index_t n) { return host_scratch<T>(pool_, n); }
  /// How often scratch had to be taken from the system since construction.
  std::size_t allocations() const { return pool_.allocations(); }
  /// The most bytes of scratch in use at one time since construction or the last reset.
  std::size_t scratch_peak() const { return pool_.peak(); }
  void reset_scratch_peak() { pool_.reset_peak(); }
  void synchronize() {}

  nan_watch open_watch(watched_operation const& operation) {
    if (depth_ == max_depth) throw error("the operations of one call are nested deeper than a backend can watch");
    opened& o = watches_[static_cast<std::size_t>(depth_++)];
    o.slots.fill(nan_watch::clear);
    o.operation = operation.name;
    std::fill(std::copy_n(operation.inputs, operation.count, o.inputs.begin()), o.inputs.end(), nullptr);
    return nan_watch{o.slots.data()};
  }
  void drop_watch(nan_watch) noexcept { --depth_; }
  void close_watch(nan_watch) {
    opened const& o = watches_[static_cast<std::size_t>(--depth_)];
    for (std::size_t slot = 0; slot < o.slots.size() && o.inputs[slot] != nullptr; ++slot)
      if (o.slots[slot] != nan_watch::clear) throw value_error(watch_message(o.operation, o.inputs[slot], o.slots[slot]));
  }

 private:
  struct opened {
    std::array<std::int64_t, nan_watch::max_slots> slots;
    char const* operation;
    std::array<char const*, nan_watch::max_slots> inputs;
  };
  static constexpr int max_depth = 8;
  scratch_pool pool_;
  std::array<opened, max_depth> watches_{};
  int depth_ = 0;
};

}  // namespace causaldpo::detail
