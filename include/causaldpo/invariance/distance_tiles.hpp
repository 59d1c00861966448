// SPDX-License-Identifier: Apache-2.0
// Squared distances between the rows of a matrix, a square tile at a time: a matrix product for most of the work, and
// differences where the product would cancel. The B x B matrix never exists.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/folds.hpp"

namespace causaldpo::detail {

/// map(i, d) = x_id; notes what is not finite.
template <class T, class S>
struct finite_entry_map {
  view<T const, 2, S> x;
  nan_watch watch;
  int slot;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t d) const {
    accumulator const v = static_cast<accumulator>(x.at(i, d));
    if (!(v - v == 0)) watch.note(slot, i * x.cols() + d);
    return v;
  }
};

/// f(i, d): x_id less the mean of its column; the column after the last is 1.
template <class T, class S>
struct centre_entry {
  view<T const, 2, S> x;
  view<accumulator const, 1, S> sums;
  view<T, 2, S> out;  // [B,D+1]
  CAUSALDPO_HD void operator()(index_t i, index_t d) const {
    out.at(i, d) = d == x.cols()
                       ? T(1)
                       : static_cast<T>(static_cast<accumulator>(x.at(i, d)) - sums.at(d) / static_cast<accumulator>(x.rows()));
  }
};

/// map(i, d) = x_id^2.
template <class T, class S>
struct square_map {
  view<T const, 2, S> x;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t d) const {
    return static_cast<accumulator>(x.at(i, d)) * static_cast<accumulator>(x.at(i, d));
  }
};

/// f(i, j): from the product x_i.x_j to |x_i - x_j|^2. |x_i|^2 + |x_j|^2 - 2 x_i.x_j has lost its digits where it is
/// small beside its terms; there the differences are summed, so that equal rows are exactly 0 apart.
template <class T, class S>
struct refine_distance {
  view<T const, 2, S> rows, cols;  // the two blocks of x
  view<accumulator const, 1, S> row_norms, col_norms;
  view<T, 2, S> tile;  // products on entry
  CAUSALDPO_HD void operator()(index_t i, index_t j) const {
    accumulator const scale = row_norms.at(i) + col_norms.at(j);
    accumulator d = scale - 2 * static_cast<accumulator>(tile.at(i, j));
    if (!(d > scale / 16)) {
      d = 0;
      for (index_t c = 0; c < rows.cols(); ++c) {
        accumulator const off = static_cast<accumulator>(rows.at(i, c)) - static_cast<accumulator>(cols.at(j, c));
        d += off * off;
      }
    }
    tile.at(i, j) = static_cast<T>(d);
  }
};

/// Rows and columns of a tile at most: two tiles of doubles fit a cache of 256 KiB.
inline constexpr index_t distance_tile_extent = 128;

/// A batch of rows, centred, and its tiles.
template <backend B, class T>
class distance_tiles {
  using S = typename B::space;

 public:
  /// Notes entries of x that are not finite in `slot`.
  distance_tiles(B& be, view<T const, 2, S> x, nan_watch watch, int slot)
      : be_(be),
        rows_(x.rows()),
        width_(x.cols()),
        centred_(be.template allocate<T>(x.rows() * (x.cols() + 1))),
        norms_(be.template allocate<accumulator>(x.rows())) {
    auto sums = be.template allocate<accumulator>(width_);
    be.reduce_cols(rows_, width_, finite_entry_map<T, S>{x, watch, slot}, sum_fold<>{}, sums.vector());
    be.launch_2d(rows_, width_ + 1, centre_entry<T, S>{x, sums.vector(), augmented()});
    be.reduce_rows(rows_, width_, square_map<T, S>{centred()}, sum_fold<>{}, norms_.vector());
  }

  index_t rows() const { return rows_; }
  /// [B,D+1]: the centred rows and a column of ones.
  view<T, 2, S> augmented() const { return centred_.matrix(rows_, width_ + 1); }
  view<T, 2, S> centred() const { return augmented().col_block(0, width_); }

  /// [B]: |x_i|^2 of the centred rows.
  view<accumulator, 1, S> norms() const { return norms_.vector(); }

  /// Squared distances of rows [top, top + tile.rows()) to rows [left, left + tile.cols()). The same tile has the same
  /// bits every time.
  void fill(index_t top, index_t left, view<T, 2, S> tile) const {
    view<T const, 2, S> const a = centred().row_block(top, tile.rows()), b = centred().row_block(left, tile.cols());
    be_.template gemm<T>(transpose::no, transpose::yes, T(1), a, b, T(0), tile);
    be_.launch_2d(
        tile.rows(), tile.cols(),
        refine_distance<T, S>{a, b, norms_.vector().part(top, tile.rows()), norms_.vector().part(left, tile.cols()), tile});
  }

  static index_t tile_rows(index_t first, index_t rows) {
    return rows - first < distance_tile_extent ? rows - first : distance_tile_extent;
  }

 private:
  B& be_;
  index_t rows_, width_;
  decltype(std::declval<B&>().template allocate<T>(0)) centred_;
  decltype(std::declval<B&>().template allocate<accumulator>(0)) norms_;
};

}  // namespace causaldpo::detail
