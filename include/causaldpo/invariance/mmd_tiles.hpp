// SPDX-License-Identifier: Apache-2.0
// How mmd_penalty goes over the pairs of rows on any backend: primitives on one tile after another, on and above the
// diagonal. A backend that goes over them in a way of its own brings a class with the same members.
#pragma once

#include "causaldpo/invariance/mmd_kernels.hpp"

namespace causaldpo::detail {

template <backend B, class T>
class mmd_tiles {
  using S = typename B::space;
  static constexpr index_t extent = distance_tile_extent;

 public:
  mmd_tiles(B& be, distance_tiles<B, T> const& x) : be_(be), x_(x) {}

  // What resolve_bandwidths asks for.
  index_t histograms() const { return extent; }
  index_t sums() const { return extent; }
  void count(int shift, view<selection const, 1, S> state, view<std::int64_t, 2, S> histograms) const {
    be_.launch(extent * 256, fill_with<std::int64_t, S>{{histograms.data(), extent * 256}, 0});
    auto const memory = be_.template allocate<T>(extent * extent);
    visit([&](index_t top, index_t left, index_t high, index_t wide) {
      view<T, 2, S> const tile{memory.data(), high, wide, extent};
      x_.fill(top, left, tile);
      be_.launch(high, count_digits<T, S>{tile, top, left, shift, state, histograms});
    });
  }
  void sum(view<selection const, 1, S> state, view<accumulator, 1, S> sums, view<accumulator, 1, S> nexts) const {
    be_.launch(extent, fill_with<accumulator, S>{sums, 0});
    be_.launch(extent, fill_with<accumulator, S>{nexts, math::infinity<accumulator>()});
    auto const memory = be_.template allocate<T>(extent * extent);
    visit([&](index_t top, index_t left, index_t high, index_t wide) {
      view<T, 2, S> const tile{memory.data(), high, wide, extent};
      x_.fill(top, left, tile);
      be_.launch(high, sum_and_next<T, S>{tile, top, left, state, sums, nexts});
    });
  }

  /// Kx contrasts and H x, as wanted.
  template <class F>
  void products(mmd_products<F, T, S> const& p) const {
    auto const memory = be_.template allocate<T>(2 * extent * extent);
    clear(p.kx);
    clear(p.hx);
    visit([&](index_t top, index_t left, index_t high, index_t wide) {
      view<T, 2, S> const kernel{memory.data(), high, wide, extent};
      view<T, 2, S> const h = p.hx.given() ? view<T, 2, S>{memory.data() + extent * extent, high, wide, extent} : view<T, 2, S>{};
      x_.fill(top, left, kernel);
      if (h.given())
        be_.template gemm<T>(transpose::no, transpose::yes, T(1), p.u.row_block(top, high), p.a.row_block(left, wide), T(0), h);
      be_.launch_2d(high, wide, kernel_tile<F, T, S>{p.kernel, kernel, h});
      if (p.kx.given()) add_tile(kernel, p.contrasts, top, left, p.kx);
      if (h.given()) add_tile(h, p.x, top, left, p.hx);
    });
  }

 private:
  template <class Body>
  void visit(Body const& body) const {
    index_t const b = x_.rows();
    for (index_t top = 0; top < b; top += extent)
      for (index_t left = top; left < b; left += extent) body(top, left, x_.tile_rows(top, b), x_.tile_rows(left, b));
  }
  void clear(view<T, 2, S> m) const {
    if (m.given()) be_.launch(m.rows() * m.cols(), fill_with<T, S>{{m.data(), m.rows() * m.cols()}, T(0)});
  }
  /// out += (the symmetric matrix of which `tile` is the block at (top, left)) * in.
  void add_tile(view<T, 2, S> tile, view<T const, 2, S> in, index_t top, index_t left, view<T, 2, S> out) const {
    be_.template gemm<T>(transpose::no, transpose::no, T(1), tile, in.row_block(left, tile.cols()), T(1),
                         out.row_block(top, tile.rows()));
    if (left > top)
      be_.template gemm<T>(transpose::yes, transpose::no, T(1), tile, in.row_block(top, tile.rows()), T(1),
                           out.row_block(left, tile.cols()));
  }

  B& be_;
  distance_tiles<B, T> const& x_;
};

}  // namespace causaldpo::detail
