// SPDX-License-Identifier: Apache-2.0
// A backend with memory and a pace of its own, as a device has: whatever it is told to do is only written down, and done when
// somebody waits for it. A host that reads results, or writes over what was to be copied, before it has waited gets nonsense.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "causaldpo/detail/host_memory.hpp"
#include "support/archetype_backend.hpp"

namespace causaldpo::test {

/// Scratch from a pool that reuses blocks in the order of the calls. Its bytes are all ones at first, a NaN in every scalar.
template <class T>
class queued_scratch {
 public:
  queued_scratch(detail::scratch_pool& pool, index_t n) : memory_(pool, n) {}
  T* data() const { return memory_.data(); }
  view<T, 1, archetype_space> vector() const { return {data(), memory_.size()}; }
  view<T, 2, archetype_space> matrix(index_t rows, index_t cols) const { return {data(), rows, cols}; }

 private:
  detail::host_scratch<T> memory_;
};

class queued_backend {
 public:
  using space = archetype_space;
  char const* name() const { return "queued"; }

  template <class T>
  queued_scratch<T> allocate(index_t n) {
    queued_scratch<T> scratch(pool_, n);
    later([data = static_cast<void*>(scratch.data()), bytes = static_cast<std::size_t>(n) * sizeof(T)] {
      std::memset(data, 0xff, bytes);
    });
    return scratch;
  }
  std::size_t allocations() const { return pool_.allocations(); }
  std::size_t scratch_peak() const { return pool_.peak(); }
  void reset_scratch_peak() { pool_.reset_peak(); }
  /// How often somebody waited.
  std::size_t waits() const { return waits_; }

  template <class T, int Rank, class To, class From>
  void copy(view<T, Rank, To> to, view<T const, Rank, From> from) {
    later([=, this] { at_work_.copy(to, from); });
  }
  template <class F>
  void launch(index_t n, F f) {
    later([=, this] { at_work_.launch(n, f); });
  }
  template <class F>
  void launch_2d(index_t rows, index_t cols, F f) {
    later([=, this] { at_work_.launch_2d(rows, cols, f); });
  }
  template <class Map, class Fold, class U>
  void reduce(index_t n, Map map, Fold fold, view<U, 1, space> out) {
    later([=, this] { at_work_.reduce(n, map, fold, out); });
  }
  template <class Map, class Fold, class U>
  void reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out) {
    later([=, this] { at_work_.reduce_rows(rows, cols, map, fold, out); });
  }
  template <class Map, class Fold, class U>
  void reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out) {
    later([=, this] { at_work_.reduce_cols(rows, cols, map, fold, out); });
  }
  template <real_scalar T>
  void gemm(transpose ta, transpose tb, T alpha, view<T const, 2, space> a, view<T const, 2, space> b, T beta,
            view<T, 2, space> c) {
    later([=, this] { at_work_.gemm(ta, tb, alpha, a, b, beta, c); });
  }

  nan_watch open_watch(watched_operation const& operation) {
    opened& o = watches_.emplace_back();
    std::fill_n(o.slots, nan_watch::max_slots, nan_watch::clear);
    o.operation = operation.name;
    o.inputs.assign(operation.inputs, operation.inputs + operation.count);
    return {o.slots};
  }
  void drop_watch(nan_watch) {}
  /// What was noted is found when the work is done, and thrown by the call that waits.
  void close_watch(nan_watch w) {
    later([w, this] {
      for (opened const& o : watches_)
        for (std::size_t s = 0; o.slots == w.first && s < o.inputs.size(); ++s)
          if (o.slots[s] != nan_watch::clear && complaint_.empty())
            complaint_ = detail::watch_message(o.operation.c_str(), o.inputs[s], o.slots[s]);
    });
  }
  void synchronize() {
    ++waits_;
    for (; !queue_.empty(); queue_.pop_front()) queue_.front()();
    watches_.clear();
    std::string const said = std::exchange(complaint_, "");
    if (!said.empty()) throw value_error(said);
  }

 private:
  struct opened {
    std::int64_t slots[nan_watch::max_slots];
    std::string operation;
    std::vector<std::string> inputs;
  };
  void later(std::function<void()> work) { queue_.push_back(std::move(work)); }

  detail::scratch_pool pool_;
  archetype_backend at_work_;
  std::deque<std::function<void()>> queue_;
  std::deque<opened> watches_;
  std::string complaint_;
  std::size_t waits_ = 0;
};

static_assert(backend<queued_backend>);

}  // namespace causaldpo::test
