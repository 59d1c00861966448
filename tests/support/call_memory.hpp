// SPDX-License-Identifier: Apache-2.0
// The memory of one call of an operation: inputs that are watched for changes, and outputs filled with a mark, both with
// as many unused columns at the end of each row as is asked for. The unused ones of inputs hold NaN.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <limits>

#include "causaldpo/concepts/tensor.hpp"
#include "causaldpo/core/indices.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// Inputs are the same numbers whatever `pad` is. T: the scalar; S: the space of the views, whose memory is the host's.
template <class T, class S = host_space>
class call_memory {
 public:
  explicit call_memory(index_t pad = 0, std::uint64_t seed = 11) : pad_(pad), random_(seed) {}
  call_memory(call_memory const&) = delete;
  call_memory& operator=(call_memory const&) = delete;

  // ---- Inputs
  view<T const, 1, S> vector(index_t n, double scale = 1, double mean = 0) {
    return in_vector<T>(n, [&] { return rounded(mean + scale * random_.normal()); });
  }
  view<T const, 2, S> matrix(index_t rows, index_t cols, double scale = 1, double mean = 0) {
    return in_matrix<T>(rows, cols, [&] { return rounded(mean + scale * random_.normal()); });
  }
  /// Numbers of a half type.
  template <half_scalar X>
  view<X const, 2, S> half_matrix(index_t rows, index_t cols) {
    return in_matrix<X>(rows, cols, [&] { return X(static_cast<float>(random_.normal())); });
  }
  /// Numbers in (0.1, 1).
  view<T const, 1, S> positive(index_t n) {
    return in_vector<T>(n, [&] { return rounded(random_.uniform(0.1, 1)); });
  }
  view<T const, 2, S> positive(index_t rows, index_t cols) {
    return in_matrix<T>(rows, cols, [&] { return rounded(random_.uniform(0.1, 1)); });
  }
  /// Rows that sum to 1.
  view<T const, 2, S> memberships(index_t rows, index_t cols) {
    std::vector<T> const q = random_.memberships<T>(rows, cols);
    auto next = q.begin();
    return in_matrix<T>(rows, cols, [&] { return *next++; });
  }
  /// Three of four bytes are 1.
  view<std::uint8_t const, 2, S> mask(index_t rows, index_t cols) {
    return in_matrix<std::uint8_t>(rows, cols, [&] { return static_cast<std::uint8_t>(random_.below(4) == 0 ? 0 : 1); });
  }
  /// Positions in [0, below); `none` where there are no positions.
  index_view<S> indices(index_t n, index_t below, std::int64_t none = 0) {
    return in_vector<std::int64_t>(n, [&] { return below > 0 ? std::int64_t{random_.below(below)} : none; });
  }
  index_view<S> indices(std::vector<std::int64_t> const& values) {
    auto next = values.begin();
    return in_vector<std::int64_t>(static_cast<index_t>(values.size()), [&] { return *next++; });
  }
  /// A square matrix that is positive definite, or several of them below one another.
  template <class U>
  view<U const, 2, S> filled(index_t rows, index_t cols, std::function<U(index_t, index_t)> const& element) {
    index_t e = 0;
    return in_matrix<U>(rows, cols, [&] { return std::exchange(e, e + 1), element((e - 1) / cols, (e - 1) % cols); });
  }

  // ---- Outputs
  template <class U = T>
  view<U, 1, S> out(index_t n) {
    buffer& b = add<U>(1, n, n, true);
    return {reinterpret_cast<U*>(b.now.data()), n};
  }
  template <class U = T>
  view<U, 2, S> out(index_t rows, index_t cols) {
    buffer& b = add<U>(rows, cols, cols + pad_, true);
    return {reinterpret_cast<U*>(b.now.data()), rows, cols, cols + pad_};
  }
  /// What a call returned rather than wrote.
  void returned(std::vector<double> values) { returned_ = std::move(values); }

  // ---- What became of them
  /// An operation wrote into an input, or into the unused columns of one.
  bool inputs_changed() const {
    for (buffer const& b : buffers_)
      if (!b.output && b.now != b.before) return true;
    return false;
  }
  /// An operation wrote into the unused columns of an output.
  bool padding_changed() const {
    for (buffer const& b : buffers_)
      for (index_t i = 0; b.output && i < b.rows; ++i)
        if (std::memcmp(b.at(b.now, i, b.cols), b.at(b.before, i, b.cols), b.bytes_between(b.cols, b.ld)) != 0) return true;
    return false;
  }
  /// No operation wrote anything.
  bool untouched() const {
    for (buffer const& b : buffers_)
      if (b.now != b.before) return false;
    return true;
  }
  /// Elements of outputs that were not written: they still hold the mark.
  index_t unwritten() const {
    index_t count = 0;
    for (buffer const& b : buffers_)
      for (index_t i = 0; b.output && i < b.rows; ++i)
        for (index_t j = 0; j < b.cols; ++j) count += std::memcmp(b.at(b.now, i, j), b.at(b.before, i, j), b.element) == 0;
    return count;
  }
  /// Each output without padding, in the order in which they were asked for; first what a call returned.
  std::vector<std::vector<double>> answers() const {
    std::vector<std::vector<double>> all = {returned_};
    for (buffer const& b : buffers_) {
      if (!b.output) continue;
      all.emplace_back();
      for (index_t i = 0; i < b.rows; ++i)
        for (index_t j = 0; j < b.cols; ++j) all.back().push_back(b.value(b.at(b.now, i, j)));
    }
    return all;
  }
  /// Puts the mark back into every output.
  void forget() {
    for (buffer& b : buffers_)
      if (b.output) std::copy(b.before.begin(), b.before.end(), b.now.begin());
    returned_.clear();
  }

 private:
  struct buffer {
    std::vector<unsigned char> now, before;
    index_t rows, cols, ld;
    std::size_t element;
    bool output;
    double (*value)(unsigned char const*);
    std::size_t bytes_between(index_t a, index_t b) const { return static_cast<std::size_t>(b - a) * element; }
    unsigned char const* at(std::vector<unsigned char> const& bytes, index_t i, index_t j) const {
      return bytes.data() + static_cast<std::size_t>(i * ld + j) * element;
    }
  };

  static T rounded(double x) { return static_cast<T>(static_cast<float>(x)); }  // float and double see the same numbers
  template <class U>
  static constexpr bool is_real = std::is_floating_point_v<U> || half_scalar<U>;
  template <class U>
  static U mark() {
    if constexpr (is_real<U>)
      return static_cast<U>(-7352.5F);
    else
      return static_cast<U>(std::is_same_v<U, std::uint8_t> ? 173 : -7352);
  }
  template <class U>
  static U hole() {  // what unused columns of an input hold
    if constexpr (is_real<U>)
      return static_cast<U>(std::numeric_limits<float>::quiet_NaN());
    else
      return mark<U>();
  }
  template <class U>
  buffer& add(index_t rows, index_t cols, index_t ld, bool output) {
    std::size_t const n = static_cast<std::size_t>(rows * ld);
    std::vector<unsigned char> bytes((n + 1) * sizeof(U));  // one more: an empty one is given, too
    std::vector<U> const fill(n + 1, output ? mark<U>() : hole<U>());
    std::memcpy(bytes.data(), fill.data(), bytes.size());
    buffers_.push_back({bytes, bytes, rows, cols, ld, sizeof(U), output, [](unsigned char const* p) {
                          U u;
                          std::memcpy(&u, p, sizeof(U));
                          return static_cast<double>(u);
                        }});
    return buffers_.back();
  }
  template <class U, class F>
  view<U const, 2, S> in_matrix(index_t rows, index_t cols, F const& next) {
    return fill(add<U>(rows, cols, cols + pad_, false), next, view<U const, 2, S>{});
  }
  template <class U, class F>
  view<U const, 1, S> in_vector(index_t n, F const& next) {
    return fill(add<U>(1, n, n, false), next, view<U const, 2, S>{}).row(0);
  }
  template <class U, class F>
  static view<U const, 2, S> fill(buffer& b, F const& next, view<U const, 2, S>) {
    for (index_t i = 0; i < b.rows; ++i)
      for (index_t j = 0; j < b.cols; ++j) {
        U const u = next();
        std::memcpy(b.now.data() + static_cast<std::size_t>(i * b.ld + j) * sizeof(U), &u, sizeof(U));
      }
    b.before = b.now;
    return {reinterpret_cast<U const*>(b.now.data()), b.rows, b.cols, b.ld};
  }

  index_t pad_;
  random_source random_;
  std::deque<buffer> buffers_;
  std::vector<double> returned_;
};

}  // namespace causaldpo::test
