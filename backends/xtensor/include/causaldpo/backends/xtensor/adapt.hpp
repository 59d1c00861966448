// SPDX-License-Identifier: Apache-2.0
// How xtensor's containers, adaptors and views become views of the same memory, without a copy. What has no view is
// refused: by a static assertion where the type says so, by a shape_error where only the object knows.
#pragma once

#include <algorithm>
#include <string>
#include <type_traits>
#include <xtensor/xexpression.hpp>
#include <xtensor/xlayout.hpp>
#include <xtensor/xshape.hpp>

#include "causaldpo/core/adapt.hpp"
#include "causaldpo/core/error.hpp"

namespace causaldpo {

namespace detail {

/// Any expression of xtensor: xtensor, xarray, xtensor_fixed, the results of xt::adapt and xt::view, and functions of them.
template <class D>
void from_xexpression(xt::xexpression<D> const&);
template <class X>
concept xtensor_expression = requires(X const& x) {
  from_xexpression(x);
};
template <class X>
concept xtensor_memory = requires(X& x) {
  x.data() + x.data_offset();
  x.strides();
};

/// The element type of an xtensor object as it may be accessed: const unless it can be assigned to.
template <class X>
struct xtensor_element {
  using type = typename X::value_type const;
};
template <xtensor_memory X>
struct xtensor_element<X> {
  using type = std::remove_pointer_t<decltype(std::declval<X&>().data())>;
};

/// How many dimensions the type of X has; -1 where the object decides (xarray, xt::strided_view).
template <class X>
inline constexpr auto xtensor_rank = xt::static_dimension<typename X::shape_type>::value;

[[noreturn]] inline void refuse_xtensor(std::string const& was, char const* must) {
  throw shape_error("an xtensor object " + was + " and must " + must + "; causaldpo never copies");
}
template <class X>
void expect_dimensions(X const& x, std::size_t wanted) {
  if (x.dimension() != wanted)
    refuse_xtensor("has " + std::to_string(x.dimension()) + " dimensions",
                   wanted == 1 ? "have 1 to be a vector (a row: xt::view(m, i))"
                               : "have 2 to be a matrix (x.reshape({rows, cols}); [B,J,K] enters as [B*J,K])");
}

/// The elements of X as a vector.
template <class T, class X>
view<T, 1> xtensor_vector(X& x) {
  expect_dimensions(x, 1);
  auto const size = static_cast<index_t>(x.shape()[0]), stride = static_cast<index_t>(x.strides()[0]);
  if (size > 1 && stride != 1)
    refuse_xtensor("is a vector whose elements lie " + std::to_string(stride) + " apart",
                   "have neighbouring elements (a column: copy it into a vector, or store the matrix transposed and take a row)");
  return {x.data() + x.data_offset(), size};
}

/// The elements of X as a row-major matrix; rows may be padded. xtensor gives an extent of 1 the stride 0.
template <class T, class X>
view<T, 2> xtensor_matrix(X& x) {
  static_assert(X::static_layout != xt::layout_type::column_major,
                "causaldpo: this xtensor object is column-major and a view is row-major; declare it with "
                "xt::layout_type::row_major, xtensor's default; causaldpo never copies");
  expect_dimensions(x, 2);
  auto const rows = static_cast<index_t>(x.shape()[0]), cols = static_cast<index_t>(x.shape()[1]);
  auto const down = static_cast<index_t>(x.strides()[0]), across = static_cast<index_t>(x.strides()[1]);
  if (rows > 0 && cols > 1 && across != 1)
    refuse_xtensor("is a matrix in whose rows the elements lie " + std::to_string(across) + " apart",
                   "be row-major with neighbouring elements (not column-major, no step inside a row)");
  if (rows > 1 && down < cols)
    refuse_xtensor("is a matrix of " + std::to_string(cols) + " columns whose rows lie " + std::to_string(down) + " apart",
                   "have rows in ascending order that do not overlap");
  return {x.data() + x.data_offset(), rows, cols, rows > 1 ? down : std::max<index_t>(cols, 1)};
}

/// An object whose number of dimensions is known at run time: the vector or the matrix that is asked for.
template <class T, class X>
class xtensor_any_rank {
 public:
  using value_type = T;
  using space = host_space;
  static constexpr int rank = any_rank;

  explicit xtensor_any_rank(X& x) : x_(x) {}
  template <class U>
  requires std::is_convertible_v<T (*)[], U (*)[]>
  operator causaldpo::view<U, 1>() const { return xtensor_vector<T>(x_); }
  template <class U>
  requires std::is_convertible_v<T (*)[], U (*)[]>
  operator causaldpo::view<U, 2>() const { return xtensor_matrix<T>(x_); }

 private:
  X& x_;
};

}  // namespace detail

/// | xtensor type | view |
/// |---|---|
/// | `xt::xtensor<T, 1>`, `xt::xtensor_fixed` and `xt::adapt` of one dimension, `xt::view(m, i)` | rank 1 |
/// | row-major `xt::xtensor<T, 2>`, fixed or adapted, `xt::view(m, range, range)` | rank 2, ld = stride of the rows |
/// | `xt::xarray` and other objects without a static number of dimensions | rank 1 or 2, as is asked for |
///
/// Refused by the compiler, with advice: a column-major matrix, three or more dimensions, an expression that is not
/// memory (`a + b`, a view by `xt::keep`). Refused by shape_error: the same where the type leaves it open, a column,
/// a step inside a row, rows in reverse.
template <detail::xtensor_expression X>
struct adapt<X> {
  template <class Y>
  requires std::same_as<std::remove_const_t<Y>, X>
  static auto view(Y& x) {
    using T = typename detail::xtensor_element<Y>::type;
    constexpr auto rank = detail::xtensor_rank<X>;
    static_assert(detail::xtensor_memory<Y>,
                  "causaldpo: an xtensor expression is not memory; evaluate it into a tensor of your own first: "
                  "xt::xtensor<T, 2> m = expression;");
    static_assert(rank == -1 || rank == 1 || rank == 2,
                  "causaldpo: a view has one dimension or two; x.reshape({B * J, K}) makes [B,J,K] a matrix");
    if constexpr (!detail::xtensor_memory<Y> || (rank != -1 && rank != 1 && rank != 2))
      return causaldpo::view<T, 2>{};  // refused above; without it the compiler would say more than the sentence
    else if constexpr (rank == -1)
      return detail::xtensor_any_rank<T, Y>(x);
    else if constexpr (rank == 1)
      return detail::xtensor_vector<T>(x);
    else
      return detail::xtensor_matrix<T>(x);
  }
};

}  // namespace causaldpo
