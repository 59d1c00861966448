// SPDX-License-Identifier: Apache-2.0
// Matrix products of row-major views by Eigen, split over the threads by rows or columns of the result.
#pragma once

#include "causaldpo/backends/eigen/config.hpp"
#include "causaldpo/backends/eigen/threads.hpp"
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

/// The same on a team where the product is large enough. The parts depend on the extents and on the number of
/// threads asked for, not on how many were free, so that a given number of threads gives the same bits every time.
template <class T>
void eigen_gemm(thread_team const& team, transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta,
                view<T, 2> c) {
  index_t const rows = c.rows(), cols = c.cols(), inner = ta == transpose::no ? a.cols() : a.rows();
  double const work = 2.0 * static_cast<double>(rows) * static_cast<double>(cols) * static_cast<double>(inner);
  constexpr double enough = 2e6;  // some 30 microseconds on one core: below that a team costs more than it gives
  bool const by_rows = rows >= cols;
  index_t const extent = by_rows ? rows : cols, grain = 16;
  index_t const parts = std::min<index_t>(team.size(), extent / grain);
  if (work < enough || parts < 2) return eigen_product(ta, tb, alpha, a, b, beta, c);
  index_t const step = (extent / parts + grain - 1) / grain * grain;
  team.split(0, (extent + step - 1) / step, [&](index_t part) {
    index_t const first = part * step, count = std::min(step, extent - first);
    if (by_rows)
      eigen_product(ta, tb, alpha, ta == transpose::no ? a.row_block(first, count) : a.col_block(first, count), b, beta,
                    c.row_block(first, count));
    else
      eigen_product(ta, tb, alpha, a, tb == transpose::no ? b.col_block(first, count) : b.row_block(first, count), beta,
                    c.col_block(first, count));
  });
}

}  // namespace causaldpo::detail
