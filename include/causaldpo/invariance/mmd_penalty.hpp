// SPDX-License-Identifier: Apache-2.0
// MMD: how far apart the distributions of the outputs are in the environments.
#pragma once

#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/invariance/mmd_tiles.hpp"

namespace causaldpo {

/// Options of mmd_penalty. A kernel of your own (a `kernel_function`): pass `mmd_options_for<my_kernel>{...}`.
template <kernel_function F = kernel::gaussian>
struct mmd_options_for {
  bandwidth_list bandwidths{};                   ///< s_m; empty: the median rule (see bandwidth_rule)
  bandwidth_list median_multipliers{1};          ///< with the median rule only
  averaging kernel_reduction = averaging::mean;  ///< over the bandwidths
  averaging pair_reduction = averaging::mean;    ///< over the pairs of environments that are used
  bool unbiased = false;                         ///< leave i = j out; may be negative
  double min_mass = 1e-8;                        ///< an environment counts if its mass exceeds this
  F kernel{};
};
using mmd_options = mmd_options_for<>;

/// Outputs of mmd_penalty; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct mmd_results {
  view<T, 1, S> value{};                  ///< [1]
  view<T, 2, S> grad_outputs{};           ///< [B,D]
  view<T, 2, S> grad_q{};                 ///< [B,K]
  view<T, 1, S> bandwidths_used{};        ///< [M]
  view<std::int64_t, 1, S> pairs_used{};  ///< [1]
};

namespace detail {

template <class T, class S>
struct mmd_args {
  view<T const, 2, S> outputs, q;
  mmd_results<T, S> out;
  nan_watch watch;  // slots: 0 outputs, 1 q
};

}  // namespace detail

namespace op {
/// Tag and generic body of mmd_penalty: what goes around the pairs of rows, and one way to go over them.
struct mmd_penalty {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::mmd_args<T, S>, mmd_options>>;

  template <backend B, class T, class F>
  static void generic(B& be, detail::mmd_args<T, typename B::space> const& a, mmd_options_for<F> const& o) {
    around<detail::mmd_tiles<B, T>>(be, a, o);
  }

  /// The operation, with `Tiles` (constructed from the backend and the centred rows) for all that is B x B.
  template <class Tiles, backend B, class T, class F>
  static void around(B& be, detail::mmd_args<T, typename B::space> const& a, mmd_options_for<F> const& o) {
    using S = typename B::space;
    index_t const b = a.q.rows(), k = a.q.cols(), d = a.outputs.cols();
    bandwidth_rule const rule{o.bandwidths, o.median_multipliers};
    bool const by_x = a.out.grad_outputs.given(), by_q = a.out.grad_q.given(), products_wanted = a.out.value.given() || by_q;
    detail::distance_tiles<B, T> const x(be, a.outputs, a.watch, 0);
    Tiles tiles(be, x);
    auto scales = be.template allocate<accumulator>(rule.count());
    detail::resolve_bandwidths<T>(be, tiles, b, rule, scales.vector(), a.out.bandwidths_used);

    auto masses = be.template allocate<accumulator>(k);
    auto square = be.template allocate<accumulator>(3 * k * k + k + 1);  // overlaps, M, E, t, coefficient
    auto products = be.template allocate<accumulator>((k + 1) * (k + 1));
    auto rows = be.template allocate<T>(b * (4 * k + 2));  // A, U, contrasts, Kx contrasts
    auto hx_memory = be.template allocate<T>(by_x ? b * (d + 1) : 0);
    view<accumulator, 2, S> const overlaps = o.unbiased ? square.matrix(k, k) : view<accumulator, 2, S>{};
    view<accumulator, 2, S> const m{square.data() + k * k, k, k}, e{square.data() + 2 * k * k, k, k};
    view<accumulator, 1, S> const t = square.vector().part(3 * k * k, k), coefficient = square.vector().part(3 * k * k + k, 1);
    view<T, 2, S> const in_k{rows.data(), b, k}, u{rows.data() + b * k, b, k}, contrasts{rows.data() + 2 * b * k, b, k + 1};
    view<T, 2, S> kx, hx;
    if (products_wanted) kx = {rows.data() + b * (3 * k + 1), b, k + 1};
    if (by_x) hx = hx_memory.matrix(b, d + 1);

    detail::column_masses<B, T>(be, a.q, masses.vector());
    detail::overlap_map<T, S> const shares{a.q, masses.vector(), o.min_mass};
    if (o.unbiased) be.reduce_cols(b, k * k, shares, detail::sum_fold<>{}, square.vector().part(0, k * k));
    be.launch(1,
              detail::choose_pairs<S>{masses.vector(), overlaps, o.min_mass, o.pair_reduction, m, coefficient, a.out.pairs_used});
    be.launch(b, detail::split_memberships<T, S>{shares, m, in_k, contrasts, u, a.watch, 1});
    if (!products_wanted && !by_x) return;

    accumulator const share = o.kernel_reduction == averaging::mean ? 1 / static_cast<accumulator>(rule.count()) : 1;
    tiles.products(detail::mmd_products<F, T, S>{{o.kernel, scales.vector(), share}, contrasts, kx, u, in_k, x.augmented(), hx});

    accumulator const kappa =
        static_cast<accumulator>(o.kernel(accumulator(0)).value) * share * static_cast<accumulator>(rule.count());
    if (products_wanted) {
      be.reduce_cols(b, (k + 1) * (k + 1), detail::contrast_product_map<T, S>{contrasts, kx}, detail::sum_fold<>{},
                     products.vector());
      be.launch(1,
                detail::mmd_finish<F, T, S>{products.matrix(k + 1, k + 1), overlaps, m, coefficient, kappa, e, t, a.out.value});
    }
    if (by_q) be.launch(b, detail::mmd_grad_q<T, S>{shares, kx, m, e, t, o.unbiased, kappa, a.out.grad_q});
    if (by_x) be.launch_2d(b, d, detail::mmd_grad_outputs<T, S>{x.augmented(), hx, a.out.grad_outputs});
  }
};
}  // namespace op

/// Maximum mean discrepancy between environments: mean (or sum) over the pairs k < m of environments of
///   G_kk + G_mm - 2 G_km,   G_km = a_k' Kx a_m,   a_k = q_k / sum_i q_ik,   Kx_ij = k(x_i, x_j).
/// With `unbiased`, G_km = sum_{i != j} a_ik a_jm Kx_ij / (1 - sum_i a_ik a_im), also for k = m.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | outputs | [B,D] | x: what must not tell the environments apart (margins, pooled states); finite, all rows count |
/// | q | [B,K] | membership of each example in each environment, used as it is |
///
/// Gradients are exact, through the kernel and through a_k; bandwidths are constants (see bandwidth_rule).
/// Edge cases: an inactive environment (mass <= min_mass) forms no pair; no pair (K = 1, B = 1, all equal): value and
/// gradients 0. `unbiased` leaves out a pair with a denominator <= 1e-12 (one effective example) and may be negative:
/// do not clamp what you differentiate. Bandwidth 1 in many dimensions makes Kx the identity and the gradient vanish.
/// The data is centred first, so points far from the origin keep their digits. An output that is not finite is an error.
/// Cost: B^2/2 distances, exponentials per bandwidth, products O(B^2 (D + K)); the median 5 more passes over the
/// distances in float, 9 in double. Scratch: B (2 D + 4 K) scalars and two tiles of 128 x 128; never B x B.
/// Source: Gretton et al., JMLR 13, 2012, eq. 3 and 5; soft memberships: docs/algorithms/mmd_penalty.md.
template <backend B, matrix_like X, matrix_like Q, real_scalar T = scalar_of<X>, class O = mmd_options>
void mmd_penalty(B& be, X const& outputs, Q const& q, std::type_identity_t<mmd_results<T, typename B::space>> results,
                 O const& options = {}) {
  using S = typename B::space;
  constexpr char const* name = "mmd_penalty";
  detail::mmd_args<T, S> a{as_view(outputs), as_view(q), results, {}};
  index_t const b = a.outputs.rows(), k = a.q.cols();
  bandwidth_rule const rule{options.bandwidths, options.median_multipliers};
  detail::expect_shape(name, "outputs", a.outputs, b, a.outputs.cols(), "one row for each example");
  detail::expect_shape(name, "q", a.q, b, k, "one row for each row of outputs");
  detail::expect_rule(name, rule);
  detail::expect_option(name, "min_mass", options.min_mass >= 0, options.min_mass, ">= 0");
  detail::expect_size_if_given(name, "value", results.value, 1, "a scalar");
  detail::expect_shape_if_given(name, "grad_outputs", results.grad_outputs, b, a.outputs.cols(), "as outputs");
  detail::expect_shape_if_given(name, "grad_q", results.grad_q, b, k, "as q");
  detail::expect_size_if_given(name, "bandwidths_used", results.bandwidths_used, rule.count(), "one for each bandwidth");
  detail::expect_size_if_given(name, "pairs_used", results.pairs_used, 1, "a scalar");
  detail::nan_guard<B> guard(be, name, {"outputs|is infinite or NaN and must be finite", "q"});
  a.watch = guard.watch();
  detail::run<op::mmd_penalty>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
