// SPDX-License-Identifier: Apache-2.0
// How a NaN in an input is noticed in the pass that reads it and reported by name and index, with no extra pass.
// Functors carry a `nan_watch` and note what they see; the front door holds a `nan_guard` and calls `finish()` last.
#pragma once

#include <atomic>
#include <initializer_list>
#include <sstream>
#include <string>

#include "causaldpo/core/config.hpp"
#include "causaldpo/core/math.hpp"

namespace causaldpo {

/// The smallest flat position at which each input of the running operation was seen to be NaN.
/// Lives in the backend's memory; copied into functors by value.
struct nan_watch {
  static constexpr int max_slots = 16;
  static constexpr std::int64_t clear = INT64_MAX;

  std::int64_t* first = nullptr;

  /// Records position `i` of input `slot`; the smallest wins, whatever the order of the calls.
  CAUSALDPO_HD void note(int slot, index_t i) const {
#if defined(__CUDA_ARCH__)
    atomicMin(reinterpret_cast<long long*>(first + slot), static_cast<long long>(i));
#else
    std::atomic_ref<std::int64_t> cell(first[slot]);
    std::int64_t seen = cell.load(std::memory_order_relaxed);
    while (i < seen && !cell.compare_exchange_weak(seen, i, std::memory_order_relaxed)) {
    }
#endif
  }
  /// Passes `x` through and notes it when it is NaN.
  template <class T> CAUSALDPO_HD T checked(T x, int slot, index_t i) const {
    if (math::is_nan(x)) note(slot, i);
    return x;
  }
};

/// The operation that opens a watch, and which input each slot stands for. The strings are literals: they outlive it.
struct watched_operation {
  char const* name;
  char const* const* inputs;
  int count;
};

namespace detail {

/// What a backend says of slot `name`: "op: x holds a NaN at flat position 3 ...". A name of the form
/// "targets|is outside [0, V)" stands for another complaint: "op: targets at flat position 3 (row-major) is ...".
inline std::string watch_message(char const* operation, std::string const& name, index_t position) {
  std::size_t const bar = name.find('|');
  std::ostringstream text;
  text << operation << ": " << name.substr(0, bar);
  if (bar == std::string::npos)
    text << " holds a NaN at flat position " << position << " (row-major) and must hold numbers where it is used";
  else text << " at flat position " << position << " (row-major) " << name.substr(bar + 1);
  return text.str();
}

/// Opens a watch for one call of an operation and closes it. `names[slot]` is the argument that a slot stands for.
/// `finish()` throws value_error when something was noted (a device backend: at its next `synchronize`).
template <class Backend>
class nan_guard {
 public:
  nan_guard(Backend& backend, char const* operation, std::initializer_list<char const*> names)
      : backend_(backend) {
    int count = 0;
    for (char const* name : names) names_[count++] = name;
    watch_ = backend.open_watch(watched_operation{operation, names_, count});
  }
  nan_guard(nan_guard const&) = delete;
  nan_guard& operator=(nan_guard const&) = delete;
  ~nan_guard() {
    if (open_) backend_.drop_watch(watch_);
  }
  nan_watch watch() const { return watch_; }
  void finish() {
    open_ = false;
    backend_.close_watch(watch_);
  }

 private:
  Backend& backend_;
  char const* names_[nan_watch::max_slots] = {};
  nan_watch watch_;
  bool open_ = true;
};

}  // namespace detail
}  // namespace causaldpo
