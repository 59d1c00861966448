// SPDX-License-Identifier: Apache-2.0
// A device seen as a backend of host memory, for the tests of its primitives: their functors hold views of memory that both
// can read. On a device that is managed memory, which operator new of that program hands out (tests/cuda/managed_memory.cpp);
// where kernels run on the host, all memory is.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/core/error.hpp"

namespace causaldpo::test {

template <class Device>
class unified {
  using S = typename Device::space;
  template <class T>
  static view<T, 1, S> there(view<T, 1> v) {
    return {v.data(), v.size()};
  }
  template <class T>
  static view<T, 2, S> there(view<T, 2> v) {
    return {v.data(), v.rows(), v.cols(), v.ld()};
  }

 public:
  using space = host_space;
  static constexpr char const* name() { return Device::name(); }
  /// The device itself, for tests of what it replaces: its views are of the same memory.
  Device& device() { return device_; }

  /// Scratch of the device behind views of the host.
  template <class T>
  class scratch {
   public:
    scratch(Device& d, index_t n) : memory_(d.template allocate<T>(n)) {}
    T* data() const { return memory_.data(); }
    view<T, 1> vector() const { return {memory_.data(), memory_.size()}; }
    view<T, 2> matrix(index_t rows, index_t cols) const { return {memory_.data(), rows, cols}; }

   private:
    decltype(std::declval<Device&>().template allocate<T>(0)) memory_;
  };
  template <class T>
  scratch<T> allocate(index_t n) {
    return {device_, n};
  }
  std::size_t allocations() const { return device_.allocations(); }
  std::size_t scratch_peak() const { return device_.scratch_peak(); }
  void reset_scratch_peak() { device_.reset_scratch_peak(); }

  template <class T, int Rank>
  void copy(view<T, Rank> to, view<T const, Rank> from) {
    device_.copy(there(to), there(from));
    synchronize();
  }
  template <class F>
  void launch(index_t n, F f) {
    device_.launch(n, f);
    synchronize();
  }
  template <class F>
  void launch_2d(index_t rows, index_t cols, F f) {
    device_.launch_2d(rows, cols, f);
    synchronize();
  }
  template <class Map, class Fold, class U>
  void reduce(index_t n, Map map, Fold fold, view<U, 1> out) {
    into(out, 1, [&](view<U, 1, S> result) { device_.reduce(n, map, fold, result); });
  }
  template <class Map, class Fold, class U>
  void reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    into(out, rows, [&](view<U, 1, S> result) { device_.reduce_rows(rows, cols, map, fold, result); });
  }
  template <class Map, class Fold, class U>
  void reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    into(out, cols, [&](view<U, 1, S> result) { device_.reduce_cols(rows, cols, map, fold, result); });
  }
  template <real_scalar T>
  void gemm(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
    device_.gemm(ta, tb, alpha, there(a), there(b), beta, there(c));
    synchronize();
  }

  nan_watch open_watch(watched_operation const& operation) {
    watches_.push_back(std::make_unique<opened>());
    opened& o = *watches_.back();
    std::fill_n(o.slots, nan_watch::max_slots, nan_watch::clear);
    o.operation = operation.name;
    o.inputs.assign(operation.inputs, operation.inputs + operation.count);
    return {o.slots};
  }
  void drop_watch(nan_watch) { watches_.pop_back(); }
  void close_watch(nan_watch) {
    auto const o = std::move(watches_.back());
    watches_.pop_back();
    for (std::size_t s = 0; s < o->inputs.size(); ++s)
      if (o->slots[s] != nan_watch::clear)
        throw value_error(detail::watch_message(o->operation.c_str(), o->inputs[s], o->slots[s]));
  }
  void synchronize() { device_.synchronize(); }

 private:
  struct opened {
    std::int64_t slots[nan_watch::max_slots];
    std::string operation;
    std::vector<std::string> inputs;
  };
  /// A result may be a local variable of the test, which only the host can write.
  template <class U, class F>
  void into(view<U, 1> out, index_t n, F const& f) {
    auto const memory = device_.template allocate<U>(n);
    f(memory.vector());
    device_.copy(out.size() == n ? out : out.part(0, n), view<U const, 1, S>(memory.vector()));
    synchronize();
  }

  Device device_;
  std::vector<std::unique_ptr<opened>> watches_;
};

}  // namespace causaldpo::test
