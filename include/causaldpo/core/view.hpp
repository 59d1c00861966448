// SPDX-License-Identifier: Apache-2.0
// The view: a pointer, extents and, for a matrix, the distance between rows. It owns nothing and is passed by value.
// Algorithms know no other tensor type; foreign tensors become views through `adapt` (core/adapt.hpp).
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "causaldpo/core/config.hpp"

namespace causaldpo {

/// Memory that the host can read and write.
struct host_space {
  static constexpr bool host_accessible = true;
};

/// The `rank` of what becomes a vector or a matrix, whichever is asked for, because its number of dimensions is known only
/// at run time.
inline constexpr int any_rank = 0;

/// Says how a foreign type becomes a view. A specialisation has `static auto view(X& x)`. See core/adapt.hpp.
template <class X> struct adapt;

template <class T, int Rank, class Space = host_space> class view;

namespace detail {
template <class X> struct is_view : std::false_type {};
template <class T, int R, class S> struct is_view<view<T, R, S>> : std::true_type {};

/// X has an `adapt` specialisation whose view converts to View.
template <class X, class View>
concept adaptable_to = !is_view<std::remove_cvref_t<X>>::value && requires(X& x) {
  { adapt<std::remove_cvref_t<X>>::view(x) } -> std::convertible_to<View>;
};
}  // namespace detail

/// A vector: `size()` elements of T next to one another in Space. A default-constructed view means "not given".
template <class T, class Space>
class view<T, 1, Space> {
 public:
  using value_type = T;
  using space = Space;
  static constexpr int rank = 1;

  view() = default;
  CAUSALDPO_HD constexpr view(T* data, index_t size) : data_(data), size_(size) {}
  /// Adds const; never removes it, never changes the space.
  template <class U>
    requires(!std::is_same_v<U, T> && std::is_convertible_v<U (*)[], T (*)[]>)
  CAUSALDPO_HD constexpr view(view<U, 1, Space> other) : data_(other.data()), size_(other.size()) {}
  /// From any adapted type that outlives the call (std::vector, std::span, Eigen vectors, ...).
  template <class X>
    requires detail::adaptable_to<X, view<T, 1, Space>>
  constexpr view(X&& x) : view(adapt<std::remove_cvref_t<X>>::view(x)) {}

  CAUSALDPO_HD constexpr T* data() const { return data_; }
  CAUSALDPO_HD constexpr index_t size() const { return size_; }
  /// False for a view that was left out.
  CAUSALDPO_HD constexpr bool given() const { return data_ != nullptr; }
  /// Element access for code that runs in Space (unchecked).
  CAUSALDPO_HD constexpr T& at(index_t i) const { return data_[i]; }
  /// Element access on the host; does not exist for memory that the host cannot read.
  constexpr T& operator()(index_t i) const
    requires Space::host_accessible
  {
    return data_[i];
  }
  CAUSALDPO_HD constexpr view part(index_t first, index_t count) const { return {data_ + first, count}; }

 private:
  T* data_ = nullptr;
  index_t size_ = 0;
};

/// A row-major matrix: element (i, j) lies at `data() + i * ld() + j`, with `ld() >= cols()`.
template <class T, class Space>
class view<T, 2, Space> {
 public:
  using value_type = T;
  using space = Space;
  static constexpr int rank = 2;

  view() = default;
  CAUSALDPO_HD constexpr view(T* data, index_t rows, index_t cols) : view(data, rows, cols, cols) {}
  CAUSALDPO_HD constexpr view(T* data, index_t rows, index_t cols, index_t ld)
      : data_(data), rows_(rows), cols_(cols), ld_(ld) {}
  template <class U>
    requires(!std::is_same_v<U, T> && std::is_convertible_v<U (*)[], T (*)[]>)
  CAUSALDPO_HD constexpr view(view<U, 2, Space> other)
      : data_(other.data()), rows_(other.rows()), cols_(other.cols()), ld_(other.ld()) {}
  template <class X>
    requires detail::adaptable_to<X, view<T, 2, Space>>
  constexpr view(X&& x) : view(adapt<std::remove_cvref_t<X>>::view(x)) {}

  CAUSALDPO_HD constexpr T* data() const { return data_; }
  CAUSALDPO_HD constexpr index_t rows() const { return rows_; }
  CAUSALDPO_HD constexpr index_t cols() const { return cols_; }
  CAUSALDPO_HD constexpr index_t ld() const { return ld_; }
  CAUSALDPO_HD constexpr bool given() const { return data_ != nullptr; }
  CAUSALDPO_HD constexpr T& at(index_t i, index_t j) const { return data_[i * ld_ + j]; }
  constexpr T& operator()(index_t i, index_t j) const
    requires Space::host_accessible
  {
    return data_[i * ld_ + j];
  }
  CAUSALDPO_HD constexpr view<T, 1, Space> row(index_t i) const { return {data_ + i * ld_, cols_}; }
  CAUSALDPO_HD constexpr view row_block(index_t first, index_t count) const { return {data_ + first * ld_, count, cols_, ld_}; }
  CAUSALDPO_HD constexpr view col_block(index_t first, index_t count) const { return {data_ + first, rows_, count, ld_}; }

 private:
  T* data_ = nullptr;
  index_t rows_ = 0;
  index_t cols_ = 0;
  index_t ld_ = 0;
};

/// A host matrix over memory that the caller owns; `ld` is the distance between rows (default: dense).
template <class T> constexpr view<T, 2> matrix(T* data, index_t rows, index_t cols) { return {data, rows, cols, cols}; }
template <class T> constexpr view<T, 2> matrix(T* data, index_t rows, index_t cols, index_t ld) { return {data, rows, cols, ld}; }
/// A host vector over memory that the caller owns.
template <class T> constexpr view<T, 1> vector(T* data, index_t size) { return {data, size}; }
/// A host vector of one element: where an operation puts a number.
template <class T> constexpr view<T, 1> scalar(T* value) { return {value, 1}; }

}  // namespace causaldpo
