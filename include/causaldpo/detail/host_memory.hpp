// SPDX-License-Identifier: Apache-2.0
// What every backend in host memory needs and no algorithm sees: a pool of scratch blocks that are reused between
// calls, with counters, and the slots of the NaN watch. A backend of your own may inherit `host_memory`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <string>

#include "causaldpo/core/error.hpp"
#include "causaldpo/core/view.hpp"
#include "causaldpo/core/watch.hpp"
#include "causaldpo/detail/scratch_pool.hpp"

namespace causaldpo::detail {

/// Host memory, aligned to a cache line.
struct aligned_memory {
  static constexpr std::align_val_t alignment{64};
  void* take(std::size_t bytes) { return ::operator new(bytes, alignment); }
  void give(void* data) noexcept { ::operator delete(data, alignment); }
};
using scratch_pool = scratch_pool_of<aligned_memory>;
template <class T>
using host_scratch = pooled_scratch<T, host_space, scratch_pool>;

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
