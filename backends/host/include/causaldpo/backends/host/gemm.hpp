// SPDX-License-Identifier: Apache-2.0
// A matrix product split over a team by rows or columns of the result; what multiplies the parts is the backend's.
#pragma once

#include "causaldpo/backends/host/threads.hpp"
#include "causaldpo/concepts/backend.hpp"

namespace causaldpo::detail {

/// c = alpha op(a) op(b) + beta c on a team where the product is large enough; `product` does the same on the calling
/// thread. The parts depend on the extents and on the number of threads asked for, not on how many were free, so that a
/// given number of threads gives the same bits every time.
template <class T, class Product>
void split_product(thread_team const& team, Product const& product, transpose ta, transpose tb, T alpha, view<T const, 2> a,
                   view<T const, 2> b, T beta, view<T, 2> c) {
  index_t const rows = c.rows(), cols = c.cols(), inner = ta == transpose::no ? a.cols() : a.rows();
  double const work = 2.0 * static_cast<double>(rows) * static_cast<double>(cols) * static_cast<double>(inner);
  constexpr double enough = 2e6;  // some 30 microseconds on one core: below that a team costs more than it gives
  bool const by_rows = rows >= cols;
  index_t const extent = by_rows ? rows : cols, grain = 16;
  index_t const parts = std::min<index_t>(team.size(), extent / grain);
  if (work < enough || parts < 2) return product(ta, tb, alpha, a, b, beta, c);
  index_t const step = (extent / parts + grain - 1) / grain * grain;
  team.split(0, (extent + step - 1) / step, [&](index_t part) {
    index_t const first = part * step, count = std::min(step, extent - first);
    if (by_rows)
      product(ta, tb, alpha, ta == transpose::no ? a.row_block(first, count) : a.col_block(first, count), b, beta,
              c.row_block(first, count));
    else
      product(ta, tb, alpha, a, tb == transpose::no ? b.col_block(first, count) : b.row_block(first, count), beta,
              c.col_block(first, count));
  });
}

}  // namespace causaldpo::detail
