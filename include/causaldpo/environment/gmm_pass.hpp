// SPDX-License-Identifier: Apache-2.0
// A pass of EM over the rows: responsibilities, and what they weight. An operation of its own, so that a backend may replace
// the pass and nothing of what is around it.
#pragma once

#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/environment/gmm_update_kernels.hpp"

namespace causaldpo {
namespace detail {

/// What a pass over the rows does, in this order, with the state as it is; a state's sums and moments are overwritten.
struct gmm_steps {
  bool densities = false;  // responsibilities and log-densities of the rows
  bool sums = false;       // sum_i r_ik x_i
  bool moments = false;    // of r_ik (x_i - mu_k)(x_i - mu_k)', as gmm_state::moments says
};

/// Arguments of gmm_pass.
template <class T, class S>
struct gmm_pass_args {
  gmm_steps steps;
  view<T const, 2, S> x;  // [n,D]
  index_t first;          // the place of the first of these rows in what the caller gave
  gmm_state<S> state;
  view<accumulator, 2, S> r;            // [K,n]; read where the densities are not asked for
  view<accumulator, 1, S> log_density;  // [n]
  nan_watch watch;
  view<accumulator, 2, S> tile, z;  // [D,.] scratch for rows, as many as it has columns at a time
  bool loaded;                      // the tile holds the rows already
};

}  // namespace detail

namespace op {
/// Tag and generic body of gmm_pass: a transposed tile of rows at a time.
struct gmm_pass {
  template <backend B, class T>
  static void generic(B& be, detail::gmm_pass_args<T, typename B::space> const& a) {
    using S = typename B::space;
    index_t const step = a.tile.cols();
    for (index_t first = 0; first < a.x.rows(); first += step) {
      index_t const n = a.x.rows() - first < step ? a.x.rows() - first : step;
      view<accumulator, 2, S> const tile = a.tile.col_block(0, n), z = a.z.col_block(0, n), r = a.r.col_block(first, n);
      if (!a.loaded) be.launch(n, detail::load_tile<T, S>{a.x.row_block(first, n), tile, a.first + first, a.watch});
      if (a.steps.densities) expect(be, a.state, tile, z, r, a.log_density.part(first, n));
      if (a.steps.sums)
        be.gemm(transpose::no, transpose::yes, accumulator(1), constant<B>(r), constant<B>(tile), accumulator(first == 0 ? 0 : 1),
                a.state.sums);
      if (a.steps.moments) add_moments(be, a.state, tile, z, r, first == 0);
    }
  }

 private:
  template <backend B>
  static view<accumulator const, 2, typename B::space> constant(view<accumulator, 2, typename B::space> v) {
    return v;
  }
  template <backend B, class S>
  static void expect(B& be, detail::gmm_state<S> const& m, view<accumulator, 2, S> tile, view<accumulator, 2, S> z,
                     view<accumulator, 2, S> r, view<accumulator, 1, S> log_density) {
    index_t const n = tile.cols();
    if (m.diagonal())
      be.launch_2d(r.rows(), n, detail::diagonal_log_density<S>{m, tile, r});
    else
      for (index_t k = 0; k < r.rows(); ++k) be.launch(n, detail::full_log_density<S>{m, tile, z, r, k});
    be.launch(n, detail::normalise_densities<S>{m.weights, r, log_density});
  }
  /// Adds a tile to the second moments around the means of the state; the first one sets them.
  template <backend B, class S>
  static void add_moments(B& be, detail::gmm_state<S> const& m, view<accumulator, 2, S> tile, view<accumulator, 2, S> z,
                          view<accumulator, 2, S> r, bool first) {
    index_t const d = tile.rows(), n = tile.cols();
    bool const tied = m.kind == covariance_kind::tied;
    for (index_t k = 0; k < r.rows(); ++k) {
      be.launch_2d(d, n, detail::deviations<S>{tile, m.means.row(k), r, z, k, m.diagonal()});
      accumulator const kept = first && (k == 0 || !tied) ? 0 : 1;
      if (m.diagonal())
        be.gemm(transpose::no, transpose::yes, accumulator(1), constant<B>(r.row_block(k, 1)), constant<B>(z), kept,
                m.moments.row_block(k, 1));
      else
        be.gemm(transpose::no, transpose::yes, accumulator(1), constant<B>(z), constant<B>(z), kept,
                tied ? m.moments : m.moments.row_block(k * d, d));
    }
  }
};
}  // namespace op

namespace detail {

/// Makes a pass over rows whose mixture is ready (gmm_workspace::prepare). Cost O(n K D), or O(n K D^2) for tied and full.
template <backend B, class T>
void gmm_pass(B& be, gmm_pass_args<T, typename B::space> const& args) {
  run<op::gmm_pass>(be, args);
}

}  // namespace detail
}  // namespace causaldpo
