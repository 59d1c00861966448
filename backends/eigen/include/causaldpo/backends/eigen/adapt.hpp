// SPDX-License-Identifier: Apache-2.0
// How Eigen's matrices, maps and blocks become views, without a copy. What has no view is refused by a static
// assertion that says what to do instead. An `Eigen::Ref` is never formed here, because forming one may copy.
#pragma once

#include <concepts>
#include <type_traits>

#include "causaldpo/backends/eigen/config.hpp"
#include "causaldpo/core/adapt.hpp"

namespace causaldpo {

namespace detail {
/// Any dense type of Eigen: Matrix, Array, Map, Block, VectorBlock, Transpose, ..., and expressions of them.
template <class D>
void from_dense_base(Eigen::DenseBase<D> const&);
template <class X>
concept eigen_dense = requires(X const& x) {
  from_dense_base(x);
};

/// The element type of an Eigen object as it may be accessed: const unless it can be assigned to.
template <class X>
using eigen_element =
    std::conditional_t<(static_cast<int>(X::Flags) & static_cast<int>(Eigen::LvalueBit)) != 0 && !std::is_const_v<X>,
                       typename X::Scalar, typename X::Scalar const>;
}  // namespace detail

/// | Eigen type | view |
/// |---|---|
/// | vector or array of either orientation, its `segment`, a row of a row-major matrix, a column of a column-major one | rank 1 |
/// | row-major matrix, array or map (inner stride 1), its blocks, `transpose()` of a column-major one | rank 2, ld = outer stride
/// |
///
/// Refused, with advice: a column-major matrix, a vector with an inner stride (a column of a row-major matrix), an
/// expression that is not memory (`a + b`).
template <detail::eigen_dense X>
struct adapt<X> {
  static constexpr int rank = X::IsVectorAtCompileTime ? 1 : 2;

  template <class Y>
  requires std::same_as<std::remove_const_t<Y>, X>
  static causaldpo::view<detail::eigen_element<Y>, rank> view(Y& x) {
    constexpr bool is_memory = (static_cast<int>(X::Flags) & static_cast<int>(Eigen::DirectAccessBit)) != 0;
    static_assert(is_memory,
                  "causaldpo: an Eigen expression is not memory; evaluate it into a matrix of your own first: "
                  "Eigen::Matrix<T, -1, -1, Eigen::RowMajor> m = expression;");
    if constexpr (is_memory) {
      constexpr bool dense_inside = static_cast<int>(X::InnerStrideAtCompileTime) == 1;
      if constexpr (rank == 1) {
        static_assert(dense_inside,
                      "causaldpo: this Eigen vector has an inner stride (a column of a row-major matrix, or a map with a "
                      "stride) and a view has none; copy it into a vector, or store the matrix transposed and take a row");
        return {x.data(), static_cast<index_t>(x.size())};
      } else {
        static_assert(X::IsRowMajor,
                      "causaldpo: this Eigen matrix is column-major (Eigen's default) and a view is row-major; declare it "
                      "Eigen::Matrix<T, -1, -1, Eigen::RowMajor>, or map row-major memory with Eigen::Map<Eigen::Matrix<T, -1, "
                      "-1, Eigen::RowMajor>>; causaldpo never copies");
        static_assert(!X::IsRowMajor || dense_inside,
                      "causaldpo: the elements of a row of this Eigen matrix are not next to one another; map it with "
                      "Eigen::OuterStride<> alone");
        return {x.data(), static_cast<index_t>(x.rows()), static_cast<index_t>(x.cols()), static_cast<index_t>(x.outerStride())};
      }
    } else {
      return {};
    }
  }
};

}  // namespace causaldpo
