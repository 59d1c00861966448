// SPDX-License-Identifier: Apache-2.0
// What data looks like. There is no owning tensor type in the library: whatever has a view is a tensor.
#pragma once

#include <concepts>
#include <type_traits>

#include "causaldpo/core/adapt.hpp"
#include "causaldpo/core/half.hpp"
#include "causaldpo/core/view.hpp"

namespace causaldpo {

/// A scalar in which the library computes: float or double.
/// Models: float, double. Not: int, long double, half types (which the heads read, see `head_scalar`).
template <class T>
concept real_scalar = std::same_as<T, float> || std::same_as<T, double>;

/// A scalar of what a head reads: hidden states and weights. It computes and answers in `computed_in<T>`.
/// Models: float, double, bfloat16, float16.
template <class T>
concept head_scalar = real_scalar<T> || half_scalar<T>;

/// A kind of memory, as a type, so that host and device memory cannot be mixed by accident.
/// Requires: a constexpr bool `host_accessible`. Models: host_space. Not: int.
template <class S>
concept memory_space = requires { { S::host_accessible } -> std::convertible_to<bool>; };

/// The view type of anything that has one, const kept: `view_of<std::vector<float>&>` is `view<float, 1>`.
template <class X>
using view_of = decltype(as_view(std::declval<X&>()));

/// A thing with a view of rank 1 or 2, or of either (`any_rank`, e.g. xt::xarray).
/// Requires: `as_view(x)` compiles, in O(1), without a copy. The view is valid while `x` is.
template <class X>
concept tensor = requires { typename view_of<X>::space; };

/// Models: view<T, 1>, std::vector, std::array, std::span, Eigen vectors, xt::xtensor<T, 1>. Not: std::vector<bool>, a list, a matrix,
/// a column of a row-major matrix (its stride is not 1).
template <class X>
concept vector_like = tensor<X> && (view_of<X>::rank == 1 || view_of<X>::rank == any_rank);

/// Models: view<T, 2>, row-major Eigen matrices, maps and blocks of rows, xt::xtensor<T, 2>. Not: a vector, a column-major matrix
/// (Eigen's default: a compile error that says what to do).
template <class X>
concept matrix_like = tensor<X> && (view_of<X>::rank == 2 || view_of<X>::rank == any_rank);

/// The scalar of a tensor without const.
template <class X>
using scalar_of = std::remove_const_t<typename view_of<X>::value_type>;

static_assert(vector_like<std::vector<float>> && vector_like<view<float const, 1>> && !matrix_like<std::vector<float>>);
static_assert(matrix_like<view<double, 2>> && !vector_like<view<double, 2>>);
static_assert(!tensor<int> && !tensor<std::vector<bool>>);

}  // namespace causaldpo
