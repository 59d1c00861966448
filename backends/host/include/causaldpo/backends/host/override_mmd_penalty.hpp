// SPDX-License-Identifier: Apache-2.0
// mmd_penalty on threads of the host: whole tiles to threads, in rounds that share no rows, instead of one primitive
// after another on the same tile.
#pragma once

#include "causaldpo/backends/host/distance_triangle.hpp"
#include "causaldpo/backends/host/parallel_host.hpp"
#include "causaldpo/invariance/mmd_penalty.hpp"

namespace causaldpo::detail {

/// The members of mmd_tiles, on several tiles at a time. Scratch: at most 4 MiB of distances that are kept, or a tile for each
/// thread.
template <class Backend, class T>
class host_mmd_tiles {
  using S = host_space;
  static constexpr index_t extent = distance_tile_extent;

 public:
  host_mmd_tiles(Backend& be, distance_tiles<Backend, T> const& x)
      : be_(be), rows_(x.rows()), distances_(be, x.centred(), x.norms()) {}

  // What resolve_bandwidths asks for: a histogram for each thread, a sum for each row.
  index_t histograms() const { return distances_.parts(); }
  index_t sums() const { return rows_; }
  void count(int shift, view<selection const, 1> state, view<std::int64_t, 2> histograms) {
    std::uint64_t const prefix = state(0).prefix;
    std::fill_n(histograms.data(), histograms.rows() * 256, std::int64_t(0));
    distances_.visit([&](index_t part, index_t bi, index_t bj, view<T, 2> tile) {
      for (index_t i = 0; i < tile.rows(); ++i)
        for (index_t j = bi == bj ? i + 1 : 0; j < tile.cols(); ++j) {
          int const digit = digit_after(prefix, tile(i, j), shift);
          if (digit >= 0) ++histograms(part, digit);
        }
    });
  }
  void sum(view<selection const, 1> state, view<accumulator, 1> sums, view<accumulator, 1> nexts) {
    std::fill_n(sums.data(), rows_, accumulator(0));
    std::fill_n(nexts.data(), rows_, math::infinity<accumulator>());
    distances_.visit([&](index_t, index_t bi, index_t bj, view<T, 2> tile) {
      sum_and_next<T, S> const add{
          tile, bi * extent, bj * extent, state, sums.part(bi * extent, tile.rows()), nexts.part(bi * extent, tile.rows())};
      for (index_t i = 0; i < tile.rows(); ++i) add(i);
    });
  }

  /// Kx contrasts and H x, as wanted.
  template <class F>
  void products(mmd_products<F, T, S> const& p) {
    bool const by_x = p.hx.given();
    auto const weights = be_.template allocate<T>(by_x ? distances_.parts() * extent * extent : 0);
    if (p.kx.given()) std::fill_n(p.kx.data(), p.kx.rows() * p.kx.cols(), T(0));
    if (by_x) std::fill_n(p.hx.data(), p.hx.rows() * p.hx.cols(), T(0));
    distances_.visit([&](index_t part, index_t bi, index_t bj, view<T, 2> kernel) {
      index_t const top = bi * extent, left = bj * extent, high = kernel.rows(), wide = kernel.cols();
      view<T, 2> const h = by_x ? view<T, 2>{weights.data() + part * extent * extent, high, wide, extent} : view<T, 2>{};
      if (by_x)
        Backend::template product<T>(transpose::no, transpose::yes, T(1), p.u.row_block(top, high), p.a.row_block(left, wide),
                                     T(0), h);
      kernel_tile<F, T, S> const evaluate{p.kernel, kernel, h};
      for (index_t i = 0; i < high; ++i) each_position_of_row<typename Backend::arithmetic>(evaluate, i, 0, wide);
      if (p.kx.given()) add(kernel, p.contrasts, top, left, p.kx);
      if (by_x) add(h, p.x, top, left, p.hx);
    });
  }

 private:
  /// out += (the symmetric matrix of which `tile` is a block) * in.
  static void add(view<T, 2> tile, view<T const, 2> in, index_t top, index_t left, view<T, 2> out) {
    Backend::template product<T>(transpose::no, transpose::no, T(1), tile, in.row_block(left, tile.cols()), T(1),
                                 out.row_block(top, tile.rows()));
    if (left > top)
      Backend::template product<T>(transpose::yes, transpose::no, T(1), tile, in.row_block(top, tile.rows()), T(1),
                                   out.row_block(left, tile.cols()));
  }

  Backend& be_;
  index_t rows_;
  host_distance_triangle<Backend, T> distances_;
};

}  // namespace causaldpo::detail

namespace causaldpo {

template <detail::parallel_host_backend B, real_scalar T, class F>
void override_for(op::mmd_penalty, B& be, detail::mmd_args<T, host_space> const& args, mmd_options_for<F> const& options) {
  op::mmd_penalty::around<detail::host_mmd_tiles<B, T>>(be, args, options);
}

}  // namespace causaldpo
