// SPDX-License-Identifier: Apache-2.0
// The tiles on and above the diagonal of the matrix of squared distances, visited by several threads: in rounds of
// tiles that share no block of rows, so that results may be added to both blocks without a lock and in an order that
// does not depend on the threads.
#pragma once

#include "causaldpo/backends/host/pack.hpp"
#include "causaldpo/detail/host_memory.hpp"
#include "causaldpo/invariance/bandwidths.hpp"

namespace causaldpo::detail {

/// Tiles of the centred rows x, whose squared lengths are `norms`. Where all of them fit `kept_bytes` they are computed once and kept.
template <class Backend, class T>
class host_distance_triangle {
  static constexpr index_t kept_bytes = 4 << 20;

 public:
  static constexpr index_t extent = distance_tile_extent;

  host_distance_triangle(Backend& be, view<T const, 2> centred, view<accumulator const, 1> norms)
      : be_(be),
        x_(centred),
        blocks_((centred.rows() + extent - 1) / extent),
        parts_(std::max<index_t>(1, std::min<index_t>(be.threads(), (blocks_ + 1) / 2))),
        keep_(blocks_ * (blocks_ + 1) / 2 * tile_size * static_cast<index_t>(sizeof(T)) <= kept_bytes),
        norms_(norms),
        memory_(be.template allocate<T>((keep_ ? blocks_ * (blocks_ + 1) / 2 : parts_) * tile_size)) {}

  /// How many tiles are visited at a time; a body may have scratch for each.
  index_t parts() const { return parts_; }
  index_t rows_of(index_t block) const { return std::min(extent, x_.rows() - block * extent); }

  /// body(part, I, J, distances of block I to block J >= I) for every tile. Tiles visited at the same time differ in
  /// both blocks. Only in the last visit may a body write to its tile: the distances may be those of the next.
  template <class Body>
  void visit(Body const& body) {
    round(
        blocks_, [](index_t i) { return std::pair(i, i); }, body);
    // A round robin: with an odd number of blocks one sits out in each round.
    index_t const seats = blocks_ + blocks_ % 2, turning = seats - 1;
    for (index_t r = 0; r < turning && blocks_ > 1; ++r)
      round(
          seats / 2,
          [&](index_t i) {
            index_t const a = i == 0 ? turning : (r + i) % turning, b = (r - i + turning) % turning;
            return std::pair(std::min(a, b), std::max(a, b));
          },
          body);
    filled_ = keep_;
  }

 private:
  using pack = typename Backend::arithmetic::template pack<T>;
  using elements = pack_traits<pack>;
  static constexpr index_t tile_size = extent * extent;

  template <class Pairing, class Body>
  void round(index_t games, Pairing const& pairing, Body const& body) {
    be_.team().split(0, std::min(games, parts_), [&](index_t part) {
      for (index_t g = part; g < games; g += parts_) {
        auto const [i, j] = pairing(g);
        if (j < blocks_) body(part, i, j, tile(part, i, j));
      }
    });
  }
  view<T, 2> tile(index_t part, index_t i, index_t j) const {
    index_t const slot = keep_ ? i * blocks_ - i * (i - 1) / 2 + (j - i) : part;
    view<T, 2> const t(memory_.data() + slot * tile_size, rows_of(i), rows_of(j), extent);
    if (!filled_) fill(i * extent, j * extent, t);
    return t;
  }
  /// As refine_distance, but in T where nothing cancels.
  void fill(index_t top, index_t left, view<T, 2> t) const {
    view<T const, 2> const rows = x_.row_block(top, t.rows()), cols = x_.row_block(left, t.cols());
    Backend::template product<T>(transpose::no, transpose::yes, T(1), rows, cols, T(0), t);
    view<accumulator const, 1> const row_norms = norms_.part(top, t.rows()),
                                     col_norms = norms_.part(left, t.cols());
    T norms[extent];
    for (index_t j = 0; j < t.cols(); ++j) norms[j] = static_cast<T>(col_norms(j));
    refine_distance<T, host_space> const exact{rows, cols, row_norms, col_norms, t};
    for (index_t i = 0; i < t.rows(); ++i) {
      T* const row = &t(i, 0);
      T const norm = static_cast<T>(row_norms(i));
      index_t const packed = t.cols() / elements::width * elements::width;
      for (index_t j = 0; j < packed; j += elements::width) {
        pack const scale = elements::load(norms + j) + pack(norm), d = scale - pack(T(2)) * elements::load(row + j);
        auto const lost = math::negation<pack>(d > scale * pack(T(0.0625)));
        if (math::any<pack>(lost))
          for (index_t c = j; c < j + elements::width; ++c) exact(i, c);
        else
          elements::store(row + j, d);
      }
      for (index_t j = packed; j < t.cols(); ++j) exact(i, j);
    }
  }

  Backend& be_;
  view<T const, 2> x_;
  index_t blocks_, parts_;
  bool keep_, filled_ = false;
  view<accumulator const, 1> norms_;
  host_scratch<T> memory_;
};

}  // namespace causaldpo::detail
