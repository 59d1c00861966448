// SPDX-License-Identifier: Apache-2.0
// mmd_penalty on threads of the host: whole tiles to threads, in rounds that share no rows, instead of one primitive
// after another on the same tile. What happens to a tile and around the tiles is as in the generic body.
#pragma once

#include "causaldpo/backends/host/distance_triangle.hpp"
#include "causaldpo/backends/host/parallel_host.hpp"
#include "causaldpo/invariance/mmd_penalty.hpp"

namespace causaldpo::detail {

/// Scratch beside the generic body's: at most 4 MiB of distances that are kept, or a tile for each thread.
template <class Backend, class T, class F>
void host_mmd_penalty(Backend& be, mmd_args<T, host_space> const& a, mmd_options_for<F> const& o) {
  using S = host_space;
  index_t const b = a.q.rows(), k = a.q.cols(), d = a.outputs.cols();
  bandwidth_rule const rule{o.bandwidths, o.median_multipliers};
  bool const by_x = a.out.grad_outputs.given(), by_q = a.out.grad_q.given(), products_wanted = a.out.value.given() || by_q;
  distance_tiles<Backend, T> const centred(be, a.outputs, a.watch, 0);
  view<T const, 2> const augmented = centred.augmented();
  host_distance_triangle<Backend, T> x(be, centred.centred());
  auto const scales = be.template allocate<accumulator>(rule.count());
  host_bandwidths<Backend, T>(be, x, b, rule, scales.vector(), a.out.bandwidths_used);

  auto const masses = be.template allocate<accumulator>(k);
  auto const square = be.template allocate<accumulator>(3 * k * k + k + 1);  // overlaps, M, E, t, coefficient
  auto const products = be.template allocate<accumulator>((k + 1) * (k + 1));
  auto const rows = be.template allocate<T>(b * (4 * k + 2));  // A, U, contrasts, Kx contrasts
  auto const hx_memory = be.template allocate<T>(by_x ? b * (d + 1) : 0);
  view<accumulator, 2> const overlaps = o.unbiased ? square.matrix(k, k) : view<accumulator, 2>{};
  view<accumulator, 2> const m{square.data() + k * k, k, k}, e{square.data() + 2 * k * k, k, k};
  view<accumulator, 1> const t = square.vector().part(3 * k * k, k), coefficient = square.vector().part(3 * k * k + k, 1);
  view<T, 2> const in_k{rows.data(), b, k}, u{rows.data() + b * k, b, k}, contrasts{rows.data() + 2 * b * k, b, k + 1},
      kx{rows.data() + b * (3 * k + 1), b, k + 1}, hx = hx_memory.matrix(by_x ? b : 0, d + 1);

  column_masses<Backend, T>(be, a.q, masses.vector());
  overlap_map<T, S> const shares{a.q, masses.vector(), o.min_mass};
  if (o.unbiased) be.reduce_cols(b, k * k, shares, sum_fold<>{}, square.vector().part(0, k * k));
  be.launch(1, choose_pairs<S>{masses.vector(), overlaps, o.min_mass, o.pair_reduction, m, coefficient, a.out.pairs_used});
  be.launch(b, split_memberships<T, S>{shares, m, in_k, contrasts, u, a.watch, 1});
  if (!products_wanted && !by_x) return;

  accumulator const share = o.kernel_reduction == averaging::mean ? 1 / static_cast<accumulator>(rule.count()) : 1;
  constexpr index_t extent = host_distance_triangle<Backend, T>::extent;
  auto const weights = be.template allocate<T>(by_x ? x.parts() * extent * extent : 0);
  std::fill_n(kx.data(), b * (k + 1), T(0));
  std::fill_n(hx_memory.data(), hx_memory.size(), T(0));
  // out += (the symmetric matrix of which `tile` is a block) * in
  auto const add = [](view<T, 2> tile, view<T const, 2> in, index_t top, index_t left, view<T, 2> out) {
    Backend::template product<T>(transpose::no, transpose::no, T(1), tile, in.row_block(left, tile.cols()), T(1),
                                 out.row_block(top, tile.rows()));
    if (left > top)
      Backend::template product<T>(transpose::yes, transpose::no, T(1), tile, in.row_block(top, tile.rows()), T(1),
                                   out.row_block(left, tile.cols()));
  };
  x.visit([&](index_t part, index_t bi, index_t bj, view<T, 2> kernel) {
    index_t const top = bi * extent, left = bj * extent, high = kernel.rows(), wide = kernel.cols();
    view<T, 2> const h = by_x ? view<T, 2>{weights.data() + part * extent * extent, high, wide, extent} : view<T, 2>{};
    if (by_x)
      Backend::template product<T>(transpose::no, transpose::yes, T(1), u.row_block(top, high), in_k.row_block(left, wide), T(0),
                                   h);
    kernel_tile<F, T, S> const evaluate{o.kernel, scales.vector(), share, kernel, h};
    for (index_t i = 0; i < high; ++i) each_position_of_row<typename Backend::arithmetic>(evaluate, i, 0, wide);
    if (products_wanted) add(kernel, contrasts, top, left, kx);
    if (by_x) add(h, augmented, top, left, hx);
  });

  accumulator const kappa =
      static_cast<accumulator>(o.kernel(accumulator(0)).value) * share * static_cast<accumulator>(rule.count());
  if (products_wanted) {
    be.reduce_cols(b, (k + 1) * (k + 1), contrast_product_map<T, S>{contrasts, kx}, sum_fold<>{}, products.vector());
    be.launch(1, mmd_finish<F, T, S>{products.matrix(k + 1, k + 1), overlaps, m, coefficient, kappa, e, t, a.out.value});
  }
  if (by_q) be.launch(b, mmd_grad_q<T, S>{shares, kx, m, e, t, o.unbiased, kappa, a.out.grad_q});
  if (by_x) be.launch_2d(b, d, mmd_grad_outputs<T, S>{augmented, hx, a.out.grad_outputs});
}

}  // namespace causaldpo::detail

namespace causaldpo {

template <detail::parallel_host_backend B, real_scalar T, class F>
void override_for(op::mmd_penalty, B& be, detail::mmd_args<T, host_space> const& args, mmd_options_for<F> const& options) {
  detail::host_mmd_penalty(be, args, options);
}

}  // namespace causaldpo
