// SPDX-License-Identifier: Apache-2.0
// fused_linear_logps: log-probabilities of targets under the softmax of a linear head, and their gradients, in tiles,
// so that the [N,V] matrix of logits never exists.
#pragma once

#include <type_traits>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/logprob/fused_linear_kernels.hpp"

namespace causaldpo {

/// Options of fused_linear_logps.
struct fused_linear_options {
  index_t ignore_index = -100;  ///< a row with this target has logp 0 and no gradient
  double logit_softcap = 0;     ///< c > 0: y = c tanh(z / c), as Gemma does; 0: no cap
  double temperature = 1;       ///< > 0; y is divided by it, after the cap
  index_t row_tile = 0;         ///< rows of hidden in a tile; the tiles change cost and scratch, never the meaning
  index_t vocabulary_tile = 0;  ///< rows of weight in a tile; 0: the backend's choice, 256 by 1024 if it has none
};

/// Outputs of fused_linear_logps; a member left out is not computed. Gradients are overwritten, not added to.
template <real_scalar T, memory_space S = host_space>
struct fused_linear_results {
  view<T, 1, S> logps{};        ///< [N], 0 where ignored
  view<T, 1, S> lse{};          ///< [N] log-sum-exp of the shaped logits, also of ignored rows
  view<T, 2, S> grad_hidden{};  ///< [N,D]
  view<T, 2, S> grad_weight{};  ///< [V,D]
  view<T, 1, S> grad_bias{};    ///< [V]
  view<T, 1, S> entropy{};      ///< [N] -sum_v p_v log p_v, also of ignored rows; forward only
  view<T, 1, S> log_sum_p2{};   ///< [N] log sum_v p_v^2, also of ignored rows; forward only
};

/// What the front door hands to the generic body or to a backend's override. X: the scalar of hidden and weight, T: of
/// everything else.
template <head_scalar X, memory_space S>
struct fused_linear_args {
  using T = computed_in<X>;
  view<X const, 2, S> hidden;    // [N,D]
  view<X const, 2, S> weight;    // [V,D]
  view<T const, 1, S> bias;      // [V], optional
  index_view<S> targets;         // [N], not checked yet: one outside its range is noted and treated as ignored
  view<T const, 1, S> upstream;  // [N], optional
  fused_linear_results<T, S> out;
  nan_watch watch;  // slots: 0 hidden, 1 weight, 2 bias, 3 upstream, 4 targets; 5 is free for the body
  /// Whether the hidden state of an ignored row is used.
  bool uses_ignored_rows() const { return out.lse.given() || out.entropy.given() || out.log_sum_p2.given(); }
  bool wants_gradient() const { return out.grad_hidden.given() || out.grad_weight.given() || out.grad_bias.given(); }
};

namespace detail {
/// How much of an extent a tile takes: what was asked for, or `otherwise` where the choice was left open.
constexpr index_t tile_extent(index_t all, index_t asked, index_t otherwise) {
  index_t const tile = asked > 0 ? asked : otherwise;
  return all < tile ? all : tile;
}
}  // namespace detail

namespace op {
/// Tag and generic body of fused_linear_logps. The body also serves half types, tile by tile in float.
struct fused_linear_logps {
  template <class T, class S>
  using calls = detail::call_list<detail::call<fused_linear_args<T, S>, fused_linear_options>>;

  template <backend B, head_scalar X>
  static void generic(B& be, fused_linear_args<X, typename B::space> const& a, fused_linear_options const& o) {
    using S = typename B::space;
    using T = computed_in<X>;
    constexpr int raised = 5;
    index_t const n = a.hidden.rows(), d = a.hidden.cols(), v = a.weight.rows();
    index_t const row_tile = detail::tile_extent(n, o.row_tile, 256);
    index_t const column_tile = detail::tile_extent(v, o.vocabulary_tile, 1024);
    index_t const tiles = v == 0 ? 1 : (v + column_tile - 1) / column_tile;
    detail::logit_shaping<T> const shaping{static_cast<T>(o.logit_softcap), static_cast<T>(o.temperature)};

    auto hidden_block = be.template allocate<T>(row_tile * d);
    auto wide_weight = be.template allocate<T>(half_scalar<X> ? column_tile * d : 0);
    auto logits = be.template allocate<T>(row_tile * column_tile);
    auto moments = be.template allocate<detail::softmax_moments>(row_tile);
    auto tile_moments = be.template allocate<detail::softmax_moments>(row_tile);
    auto rows = be.template allocate<T>(row_tile * 5);  // target logits, largest, log_sum, scale, target slack
    auto column_sums = be.template allocate<accumulator>(column_tile);
    auto row_vector = [&](index_t which, index_t count) { return view<T, 1, S>(rows.data() + which * row_tile, count); };

    if (n == 0 && a.out.grad_weight.given()) be.launch_2d(v, d, detail::zero_cell<T, S>{a.out.grad_weight});
    if (n == 0 && a.out.grad_bias.given()) be.launch(v, detail::zero_element<T, S>{a.out.grad_bias});

    for (index_t r0 = 0; r0 < n; r0 += row_tile) {
      index_t const r = n - r0 < row_tile ? n - r0 : row_tile;
      view<T, 2, S> const h(hidden_block.data(), r, d);
      if constexpr (half_scalar<X>)
        be.launch_2d(
            r, d,
            detail::gather_half_hidden<X, S>{a.hidden, a.targets, r0, o.ignore_index, v, a.uses_ignored_rows(), a.watch, {}, h});
      else
        be.launch_2d(r, d,
                     detail::gather_hidden<T, S>{a.hidden, a.targets, r0, o.ignore_index, v, a.uses_ignored_rows(), a.watch, h});
      auto weight_of = [&](index_t t, index_t c) -> view<T const, 2, S> {
        if constexpr (half_scalar<X>)
          return view<T, 2, S>(wide_weight.data(), c, d);
        else
          return a.weight.row_block(t * column_tile, c);
      };
      auto tile_of = [&](index_t t) {
        index_t const left = v - t * column_tile;
        return view<T, 2, S>(logits.data(), r, left < column_tile ? left : column_tile);
      };
      auto fill_tile = [&](index_t t) {
        view<T, 2, S> const tile = tile_of(t);
        index_t const c0 = t * column_tile, c = tile.cols();
        if constexpr (half_scalar<X>)
          be.launch_2d(c, d, detail::widen<X, S>{a.weight.row_block(c0, c), {wide_weight.data(), c, d}});
        be.gemm(transpose::no, transpose::yes, T(1), view<T const, 2, S>(h), weight_of(t, c), T(0), tile);
        view<T const, 1, S> const bias = a.bias.given() ? a.bias.part(c0, c) : a.bias;
        be.launch_2d(r, c, detail::shape_logits<T, S>{bias, c0, shaping, a.watch, raised, tile});
      };
      view<T, 1, S> const target_logits = row_vector(0, r), largest = row_vector(1, r), log_sum = row_vector(2, r),
                          scale = row_vector(3, r), slack = row_vector(4, r);

      for (index_t t = 0; t < tiles; ++t) {
        fill_tile(t);
        view<T, 2, S> const tile = tile_of(t);
        be.reduce_rows(r, tile.cols(), detail::logit_moments_map<T, S>{tile}, detail::softmax_moments_fold{},
                       tile_moments.vector());
        be.launch(r, detail::merge_tile<T, S>{tile, tile_moments.vector(), a.targets, r0, t * column_tile, o.ignore_index,
                                              moments.vector(), target_logits});
      }
      be.launch(
          r, detail::finish_row<T, S>{moments.vector(), target_logits, a.targets, a.upstream, r0, o.ignore_index, v, a.watch,
                                      a.out.logps, a.out.lse, a.out.entropy, a.out.log_sum_p2, largest, log_sum, scale, slack});
      if (!a.wants_gradient()) continue;

      for (index_t t = tiles - 1; t >= 0; --t) {  // backwards: the last tile is still there
        if (t + 1 < tiles) fill_tile(t);
        view<T, 2, S> const tile = tile_of(t);
        view<T const, 2, S> const slopes = tile;
        index_t const c0 = t * column_tile, c = tile.cols();
        be.launch_2d(r, c, detail::softmax_slopes<T, S>{largest, log_sum, scale, shaping, tile});
        be.launch(r, detail::target_slopes<T, S>{target_logits, scale, slack, a.targets, r0, c0, shaping, tile});
        if (a.out.grad_hidden.given())
          be.gemm(transpose::no, transpose::no, T(1), slopes, weight_of(t, c), t + 1 < tiles ? T(1) : T(0),
                  a.out.grad_hidden.row_block(r0, r));
        if (a.out.grad_weight.given())
          be.gemm(transpose::yes, transpose::no, T(1), slopes, view<T const, 2, S>(h), r0 > 0 ? T(1) : T(0),
                  a.out.grad_weight.row_block(c0, c));
        if (a.out.grad_bias.given()) {
          be.reduce_cols(r, c, detail::tile_map<T, S>{tile}, detail::sum_fold<>{}, column_sums.vector());
          be.launch(c, detail::add_bias_gradient<T, S>{column_sums.vector(), r0 == 0, a.out.grad_bias.part(c0, c)});
        }
      }
    }
    detail::blame_weight_rows(be, a.weight, a.watch, raised);
  }
};

/// fused_linear_logps of half types, under a tag of its own: a backend that replaces the operation in float and double
/// need not know of them.
struct fused_linear_logps_half {
  template <class, class S>
  using calls = detail::call_list<detail::call<fused_linear_args<bfloat16, S>, fused_linear_options>,
                                  detail::call<fused_linear_args<float16, S>, fused_linear_options>>;

  template <backend B, half_scalar X>
  static void generic(B& be, fused_linear_args<X, typename B::space> const& a, fused_linear_options const& o) {
    fused_linear_logps::generic(be, a, o);
  }
};
}  // namespace op

/// Log-probabilities of a linear head: z = hidden weight' + bias, y = shaped z (softcap c tanh(z / c), then
/// / temperature), logps_i = y_i,target - log sum_v exp(y_iv). Gradients are those of sum_i upstream_i logps_i:
/// with G_iv = upstream_i ([v = target_i] - p_iv) dy/dz, grad_hidden = G weight, grad_weight = G' hidden,
/// grad_bias = G' 1.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | hidden | [N,D] | one row for each token or example; finite; float, double, bfloat16 or float16 |
/// | weight | [V,D] | one row for each item; finite; the same scalar |
/// | targets | [N] int64 or int32 | in [0, V), or `ignore_index` |
/// | bias | [V] | optional; -inf takes an item off the list (without a softcap) |
/// | upstream | [N] | optional, 1; not read where ignored |
///
/// Everything but hidden and weight is float where these are of a half type: products of their values are added in float.
///
/// Edge cases: an ignored row has logp 0 and gradient 0, but an lse and statistics; its hidden state is read only if one
/// of these is asked for. Logits of 1e4 are exact to rounding; a logp near 0 keeps its relative accuracy. A target whose
/// bias is -inf has logp -inf and gives no gradient; if every bias is -inf, or V = 0, lse is -inf. Products that overflow
/// give infinite or NaN results.
/// Errors: value_error for a target outside its range and for NaN.
/// Cost: N V D multiply-adds for the values; for both gradients three more products of that size, one of them to
/// recompute the logits (saved for the last tile, so a vocabulary of one tile pays nothing). Scratch: row_tile
/// (vocabulary_tile + D + 5) scalars, 64 row_tile and 8 vocabulary_tile bytes, whatever V: 2.3 MB in double at D = 64
/// with the generic tiles (with half types vocabulary_tile D scalars more); the page has what backends choose.
/// Sources: Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models", arXiv 2411.09009 (tiles over
/// tokens and vocabulary); Milakov and Gimelshein, arXiv 1805.02867 (online softmax).
template <backend B, matrix_like H, matrix_like W, head_scalar X = scalar_of<H>, real_scalar T = computed_in<X>>
void fused_linear_logps(B& be, H const& hidden, W const& weight, index_view<typename B::space> targets,
                        std::type_identity_t<fused_linear_results<T, typename B::space>> results,
                        fused_linear_options const& options = {},
                        std::type_identity_t<view<T const, 1, typename B::space>> bias = {},
                        std::type_identity_t<view<T const, 1, typename B::space>> upstream = {}) {
  constexpr char const* name = "fused_linear_logps";
  fused_linear_args<X, typename B::space> a{as_view(hidden), as_view(weight), bias, targets, upstream, results, {}};
  index_t const n = a.hidden.rows(), d = a.hidden.cols(), v = a.weight.rows();
  detail::expect_shape(name, "hidden", a.hidden, n, d, "itself");
  detail::expect_shape(name, "weight", a.weight, v, d, "as many columns as hidden");
  detail::expect_size(name, "targets", targets, n, "one for each row of hidden");
  detail::expect_size_if_given(name, "bias", bias, v, "one for each row of weight");
  detail::expect_size_if_given(name, "upstream", upstream, n, "one for each row of hidden");
  detail::expect_size_if_given(name, "logps", results.logps, n, "one for each row of hidden");
  detail::expect_size_if_given(name, "lse", results.lse, n, "one for each row of hidden");
  detail::expect_shape_if_given(name, "grad_hidden", results.grad_hidden, n, d, "as hidden");
  detail::expect_shape_if_given(name, "grad_weight", results.grad_weight, v, d, "as weight");
  detail::expect_size_if_given(name, "grad_bias", results.grad_bias, v, "one for each row of weight");
  detail::expect_size_if_given(name, "entropy", results.entropy, n, "one for each row of hidden");
  detail::expect_size_if_given(name, "log_sum_p2", results.log_sum_p2, n, "one for each row of hidden");
  detail::expect_option(name, "logit_softcap", options.logit_softcap >= 0 && detail::is_finite(options.logit_softcap),
                        options.logit_softcap, "finite and >= 0");
  detail::expect_option(name, "temperature", options.temperature > 0 && detail::is_finite(options.temperature),
                        options.temperature, "finite and > 0");
  detail::expect_option(name, "row_tile", options.row_tile >= 0, options.row_tile, ">= 0");
  detail::expect_option(name, "vocabulary_tile", options.vocabulary_tile >= 0, options.vocabulary_tile, ">= 0");
  detail::nan_guard<B> guard(be, name, {"hidden", "weight", "bias", "upstream", "targets|is neither in [0, V) nor ignore_index"});
  a.watch = guard.watch();
  detail::run<std::conditional_t<half_scalar<X>, op::fused_linear_logps_half, op::fused_linear_logps>>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
