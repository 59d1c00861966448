// SPDX-License-Identifier: Apache-2.0
// How the standard library's contiguous types become views, without a copy. A tensor library of your own joins by
// specialising `adapt<X>` with one static function `view(X&)`; Eigen's types are adapted in backends/eigen.
#pragma once

#include <array>
#include <span>
#include <type_traits>
#include <vector>

#include "causaldpo/core/view.hpp"

namespace causaldpo {

template <class T, class A> struct adapt<std::vector<T, A>> {
  static constexpr causaldpo::view<T, 1> view(std::vector<T, A>& x) { return {x.data(), static_cast<index_t>(x.size())}; }
  static constexpr causaldpo::view<T const, 1> view(std::vector<T, A> const& x) {
    return {x.data(), static_cast<index_t>(x.size())};
  }
};
/// std::vector<bool> holds bits, not elements: use std::vector<std::uint8_t> for a mask.
template <class A> struct adapt<std::vector<bool, A>>;

template <class T, std::size_t N> struct adapt<std::array<T, N>> {
  static constexpr causaldpo::view<T, 1> view(std::array<T, N>& x) { return {x.data(), static_cast<index_t>(N)}; }
  static constexpr causaldpo::view<T const, 1> view(std::array<T, N> const& x) { return {x.data(), static_cast<index_t>(N)}; }
};

template <class T> struct adapt<std::span<T>> {
  static constexpr causaldpo::view<T, 1> view(std::span<T> const& x) { return {x.data(), static_cast<index_t>(x.size())}; }
};

/// A view is its own view.
template <class T, int R, class S> constexpr view<T, R, S> as_view(view<T, R, S> x) { return x; }

/// The view of anything that has one: `as_view(my_vector)`.
template <class X>
  requires requires(X& x) { adapt<std::remove_cvref_t<X>>::view(x); }
constexpr auto as_view(X&& x) {
  return adapt<std::remove_cvref_t<X>>::view(x);
}

}  // namespace causaldpo
