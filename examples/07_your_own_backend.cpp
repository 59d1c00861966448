// SPDX-License-Identifier: Apache-2.0
// A backend from nothing: every primitive of concepts/backend.hpp over std::vector and plain loops, with nothing
// inherited, then the whole suite of tests run on it. docs/backends.md explains each piece; start yours from this file
// when its memory is unusual, and from causaldpo/backends/reference.hpp when `detail::host_memory` will do.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "causaldpo/concepts/check_backend.hpp"
#include "causaldpo/core/error.hpp"

using causaldpo::index_t;
using causaldpo::nan_watch;
using causaldpo::transpose;
using causaldpo::view;

class vector_backend {
 public:
  // The memory that views of this backend point into, and a name for messages.
  using space = causaldpo::host_space;
  static constexpr char const* name() { return "vector"; }

  vector_backend() = default;
  vector_backend(vector_backend const&) = delete;  // scratch points back at its backend
  vector_backend& operator=(vector_backend const&) = delete;

  // ---- Scratch: a block is a vector of cache lines, which makes it aligned; it comes from the shelf and returns there.
  struct alignas(64) cache_line {
    unsigned char bytes[64];
  };
  using block = std::vector<cache_line>;

  template <class T>
  class scratch {
   public:
    scratch(vector_backend& owner, index_t n)
        : owner_(&owner), block_(owner.take(static_cast<std::size_t>(n) * sizeof(T))), size_(n) {}
    scratch(scratch&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), block_(std::move(other.block_)), size_(other.size_) {}
    scratch& operator=(scratch&&) = delete;
    ~scratch() {
      if (owner_ != nullptr) owner_->give_back(std::move(block_));
    }
    T* data() const { return reinterpret_cast<T*>(const_cast<cache_line*>(block_.data())); }
    view<T, 1> vector() const { return {data(), size_}; }
    view<T, 2> matrix(index_t rows, index_t cols) const { return {data(), rows, cols}; }

   private:
    vector_backend* owner_;
    block block_;
    index_t size_;
  };
  template <class T>
  scratch<T> allocate(index_t n) {
    return scratch<T>(*this, n);
  }
  // The tests hold an operation to these: its second call must allocate nothing, and stay within its documented bound.
  std::size_t allocations() const { return allocations_; }
  std::size_t scratch_peak() const { return peak_; }
  void reset_scratch_peak() { peak_ = in_use_; }

  // ---- Copies. One memory, so one pair of functions is also the copy to and from the host.
  template <class T>
  void copy(view<T, 1> to, view<T const, 1> from) {
    std::copy_n(from.data(), from.size(), to.data());
  }
  template <class T>
  void copy(view<T, 2> to, view<T const, 2> from) {
    for (index_t i = 0; i < from.rows(); ++i) copy(to.row(i), from.row(i));  // rows may be further apart than they are long
  }

  // ---- Elementwise work. `call_at` hands an index to a functor, or a lane of one position to a functor that asks for lanes.
  template <class F>
  void launch(index_t n, F f) {
    for (index_t i = 0; i < n; ++i) causaldpo::call_at(f, i);
  }
  template <class F>
  void launch_2d(index_t rows, index_t cols, F f) {
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < cols; ++j) causaldpo::call_at(f, i, j);
  }

  // ---- Reductions: start from the identity, carry the fold's own type, join in order, convert once at the end.
  template <class Map, class Fold, class U>
  void reduce(index_t n, Map map, Fold fold, view<U, 1> out) {
    auto total = Fold::identity();
    for (index_t i = 0; i < n; ++i) total = fold(total, static_cast<typename Fold::value_type>(map(i)));
    out(0) = static_cast<U>(total);
  }
  template <class Map, class Fold, class U>
  void reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    for (index_t i = 0; i < rows; ++i)
      reduce(
          cols, [&](index_t j) { return map(i, j); }, fold, out.part(i, 1));
  }
  template <class Map, class Fold, class U>
  void reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1> out) {
    for (index_t j = 0; j < cols; ++j)
      reduce(
          rows, [&](index_t i) { return map(i, j); }, fold, out.part(j, 1));
  }

  // ---- Products: c = alpha op(a) op(b) + beta c. With beta 0, c is not read: it may hold anything.
  template <causaldpo::real_scalar T>
  void gemm(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
    index_t const inner = ta == transpose::no ? a.cols() : a.rows();
    for (index_t i = 0; i < c.rows(); ++i)
      for (index_t j = 0; j < c.cols(); ++j) {
        double sum = 0;
        for (index_t k = 0; k < inner; ++k) {
          T const left = ta == transpose::no ? a(i, k) : a(k, i), right = tb == transpose::no ? b(k, j) : b(j, k);
          sum += static_cast<double>(left) * static_cast<double>(right);
        }
        double const kept = beta == T(0) ? 0 : static_cast<double>(beta) * static_cast<double>(c(i, j));
        c(i, j) = static_cast<T>(static_cast<double>(alpha) * sum + kept);
      }
  }

  // ---- The watch for NaN. Operations call one another, so open watches form a stack; functors note positions in the
  // slots of theirs, and what was noted becomes an exception when the watch is closed.
  nan_watch open_watch(causaldpo::watched_operation const& operation) {
    if (depth_ == watches_.size()) throw causaldpo::error("vector_backend: operations are nested deeper than 8");
    opened& w = watches_[depth_++];
    w.slots.fill(nan_watch::clear);
    w.operation = operation.name;
    w.inputs.assign(operation.inputs, operation.inputs + operation.count);  // the array is the caller's, the strings are literals
    return {w.slots.data()};
  }
  void close_watch(nan_watch) {
    opened const& w = watches_[--depth_];
    for (std::size_t s = 0; s < w.inputs.size(); ++s)
      if (w.slots[s] != nan_watch::clear)
        throw causaldpo::value_error(causaldpo::detail::watch_message(w.operation, w.inputs[s], w.slots[s]));
  }
  void drop_watch(nan_watch) { --depth_; }  // the operation failed for another reason

  // ---- Everything above is done when it returns.
  void synchronize() {}

 private:
  struct opened {
    std::array<std::int64_t, nan_watch::max_slots> slots;
    char const* operation;
    std::vector<char const*> inputs;
  };

  // The smallest free block that is large enough, or a new one.
  block take(std::size_t bytes) {
    std::size_t const lines = std::max<std::size_t>(1, (bytes + sizeof(cache_line) - 1) / sizeof(cache_line));
    auto best = shelf_.end();
    for (auto b = shelf_.begin(); b != shelf_.end(); ++b)
      if (b->size() >= lines && (best == shelf_.end() || b->size() < best->size())) best = b;
    block found;
    if (best == shelf_.end()) {
      shelf_.reserve(allocations_ + 1);  // room for every block at once: giving back never allocates, so it cannot throw
      found = block(lines);
      ++allocations_;
    } else {
      found = std::move(*best);
      shelf_.erase(best);
    }
    in_use_ += found.size() * sizeof(cache_line);
    peak_ = std::max(peak_, in_use_);
    return found;
  }
  void give_back(block b) noexcept {
    in_use_ -= b.size() * sizeof(cache_line);
    shelf_.push_back(std::move(b));
  }

  std::vector<block> shelf_;
  std::size_t allocations_ = 0, in_use_ = 0, peak_ = 0;
  std::array<opened, 8> watches_{};
  std::size_t depth_ = 0;
};

// One sentence for each piece that is missing; nothing here.
static_assert(causaldpo::check_backend<vector_backend>());

// The suite: primitives, every operation, the golden cases. Its `main` is that of this program.
#define CAUSALDPO_TEST_BACKEND vector_backend
#include "causaldpo/testing/backend_suite.hpp"
