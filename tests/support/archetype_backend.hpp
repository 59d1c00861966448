// SPDX-License-Identifier: Apache-2.0
// The archetype of a backend: exactly what the concept lists and nothing more, over a memory that the host may not
// read. An algorithm that compiles with it asks for nothing else; one that runs with it never looks at data itself.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/core/error.hpp"

namespace causaldpo::test {

/// A kind of memory of its own: its views do not convert to host views, and `v(i)` does not compile.
struct archetype_space {
  static constexpr bool host_accessible = false;
};

/// Scratch that can be moved and read out, no more.
template <class T>
class archetype_scratch {
 public:
  explicit archetype_scratch(index_t n) : memory_(std::make_unique<T[]>(static_cast<std::size_t>(n))), size_(n) {}
  T* data() const { return memory_.get(); }
  view<T, 1, archetype_space> vector() const { return {memory_.get(), size_}; }
  view<T, 2, archetype_space> matrix(index_t rows, index_t cols) const { return {memory_.get(), rows, cols}; }

 private:
  std::unique_ptr<T[]> memory_;
  index_t size_;
};

class archetype_backend {
  template <class F>
  static constexpr bool may_travel = std::is_trivially_copyable_v<F>;  // to a device

 public:
  using space = archetype_space;
  char const* name() const { return "archetype"; }

  template <class T>
  archetype_scratch<T> allocate(index_t n) {
    ++allocations_;
    return archetype_scratch<T>(n);
  }
  std::size_t allocations() const { return allocations_; }
  std::size_t scratch_peak() const { return 0; }
  void reset_scratch_peak() {}

  template <class T, class To, class From>
  void copy(view<T, 1, To> to, view<T const, 1, From> from) {
    for (index_t i = 0; i < from.size(); ++i) to.at(i) = from.at(i);
  }
  template <class T, class To, class From>
  void copy(view<T, 2, To> to, view<T const, 2, From> from) {
    for (index_t i = 0; i < from.rows(); ++i)
      for (index_t j = 0; j < from.cols(); ++j) to.at(i, j) = from.at(i, j);
  }
  /// From the last position to the first: an algorithm may not count on an order.
  template <class F>
  void launch(index_t n, F f) {
    static_assert(may_travel<F>, "a functor must be trivially copyable");
    for (index_t i = n - 1; i >= 0; --i) call_at(f, i);
  }
  template <class F>
  void launch_2d(index_t rows, index_t cols, F f) {
    static_assert(may_travel<F>, "a functor must be trivially copyable");
    for (index_t j = cols - 1; j >= 0; --j)
      for (index_t i = rows - 1; i >= 0; --i) call_at(f, i, j);
  }
  template <class Map, class Fold, class U>
  void reduce(index_t n, Map map, Fold fold, view<U, 1, space> out) {
    static_assert(may_travel<Map> && may_travel<Fold> && may_travel<typename Fold::value_type>);
    auto sum = Fold::identity();
    for (index_t i = 0; i < n; ++i) sum = fold(sum, static_cast<typename Fold::value_type>(map(i)));
    out.at(0) = static_cast<U>(sum);
  }
  template <class Map, class Fold, class U>
  void reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out) {
    static_assert(may_travel<Map> && may_travel<Fold> && may_travel<typename Fold::value_type>);
    for (index_t i = 0; i < rows; ++i) {
      auto sum = Fold::identity();
      for (index_t j = 0; j < cols; ++j) sum = fold(sum, static_cast<typename Fold::value_type>(map(i, j)));
      out.at(i) = static_cast<U>(sum);
    }
  }
  template <class Map, class Fold, class U>
  void reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out) {
    static_assert(may_travel<Map> && may_travel<Fold> && may_travel<typename Fold::value_type>);
    for (index_t j = 0; j < cols; ++j) {
      auto sum = Fold::identity();
      for (index_t i = 0; i < rows; ++i) sum = fold(sum, static_cast<typename Fold::value_type>(map(i, j)));
      out.at(j) = static_cast<U>(sum);
    }
  }
  template <real_scalar T>
  void gemm(transpose ta, transpose tb, T alpha, view<T const, 2, space> a, view<T const, 2, space> b, T beta,
            view<T, 2, space> c) {
    index_t const inner = ta == transpose::no ? a.cols() : a.rows();
    for (index_t i = 0; i < c.rows(); ++i)
      for (index_t j = 0; j < c.cols(); ++j) {
        double sum = 0;
        for (index_t k = 0; k < inner; ++k)
          sum += static_cast<double>(ta == transpose::no ? a.at(i, k) : a.at(k, i)) *
                 static_cast<double>(tb == transpose::no ? b.at(k, j) : b.at(j, k));
        double const kept = beta == T(0) ? 0 : static_cast<double>(beta) * static_cast<double>(c.at(i, j));
        c.at(i, j) = static_cast<T>(static_cast<double>(alpha) * sum + kept);
      }
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
      if (o->slots[s] != nan_watch::clear) throw value_error(o->operation + ": " + o->inputs[s]);
  }
  void synchronize() {}

 private:
  std::size_t allocations_ = 0;
  struct opened {
    std::int64_t slots[nan_watch::max_slots];
    std::string operation;
    std::vector<std::string> inputs;
  };
  std::vector<std::unique_ptr<opened>> watches_;
};

}  // namespace causaldpo::test
