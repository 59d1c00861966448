// SPDX-License-Identifier: Apache-2.0
// Matrix products of row-major views by Eigen, on the calling thread.
#pragma once

#include "causaldpo/backends/eigen/config.hpp"
#include "causaldpo/concepts/backend.hpp"

namespace causaldpo::detail {

template <class T>
using eigen_row_major = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A view as an Eigen map.
template <class T>
auto eigen_map(view<T, 2> m) {
  using plain = eigen_row_major<std::remove_const_t<T>>;
  using mapped = std::conditional_t<std::is_const_v<T>, plain const, plain>;
  return Eigen::Map<mapped, 0, Eigen::OuterStride<>>(m.data(), m.rows(), m.cols(),
                                                     Eigen::OuterStride<>(std::max<index_t>(m.ld(), 1)));
}

/// c = alpha op(a) op(b) + beta c on the calling thread. beta = 0 does not read c; an inner extent of 0 gives beta c.
template <class T>
void eigen_product(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
  if (c.rows() == 0 || c.cols() == 0) return;
  auto to = eigen_map(c);
  index_t const inner = ta == transpose::no ? a.cols() : a.rows();
  if (beta == T(0))
    to.setZero();
  else if (beta != T(1))
    to *= beta;
  if (inner == 0) return;
  auto const from = eigen_map(a), by = eigen_map(b);
  if (ta == transpose::no && tb == transpose::no)
    to.noalias() += alpha * from * by;
  else if (ta == transpose::no)
    to.noalias() += alpha * from * by.transpose();
  else if (tb == transpose::no)
    to.noalias() += alpha * from.transpose() * by;
  else
    to.noalias() += alpha * from.transpose() * by.transpose();
}

}  // namespace causaldpo::detail
