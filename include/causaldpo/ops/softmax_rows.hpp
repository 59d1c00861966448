// SPDX-License-Identifier: Apache-2.0
// softmax_rows: the softmax of each row over its first columns, and the gradient by the scores: attention's weights.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {

/// Options of softmax_rows.
struct softmax_rows_options {
  index_t causal_period = 0;   ///< L > 0: row r has its first (r mod L) + 1 columns, position r mod L of a sequence of L; 0: all
  bool probabilities = false;  ///< `scores` are probabilities already, an earlier call's `p`: only the gradient is computed
};

/// Outputs of softmax_rows; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct softmax_rows_results {
  view<T, 2, S> p{};            ///< [N,C] rows that sum to 1; may be the memory of `scores`
  view<T, 2, S> grad_scores{};  ///< [N,C] of sum(upstream * p); may be the memory of `upstream`
};

namespace detail {

template <class T, class S>
struct softmax_rows_args {
  view<T const, 2, S> scores;
  view<T const, 2, S> upstream;
  index_view<S> lengths;
  softmax_rows_results<T, S> out;
  nan_watch watch;  // slots: 0 scores, 1 upstream, 2 lengths

  /// How many columns of row r are used.
  CAUSALDPO_HD index_t used(index_t r, index_t causal_period) const {
    index_t n = scores.cols();
    if (causal_period > 0 && r % causal_period + 1 < n) n = r % causal_period + 1;
    if (!lengths.given()) return n;
    index_t const length = lengths.at(r);
    if (length >= 0 && length <= scores.cols()) return length < n ? length : n;
    watch.note(2, r);
    return 0;
  }
};

/// e^(x - largest); 1 for what attains the largest even if it is +inf, 0 for -inf even if that is the largest.
template <class V>
CAUSALDPO_HD V softmax_weight(V const& x, V const& largest) {
  V const zero = math::broadcast<V>(0), one = math::broadcast<V>(1);
  V const below = math::select<V>(x == largest, one, math::exp<V>(x - largest));
  return math::select<V>(x > math::broadcast<V>(-math::infinity<math::scalar_t<V>>()), below, zero);
}
/// weight / sum, 0 where nothing has a weight.
template <class V>
CAUSALDPO_HD V softmax_share(V const& weight, math::scalar_t<V> sum) {
  return sum > 0 ? weight / math::broadcast<V>(sum) : math::broadcast<V>(0);
}
/// p (u - <u, p>): 0 where p is.
template <class V>
CAUSALDPO_HD V softmax_slope(V const& p, V const& upstream, V const& mean) {
  V const zero = math::broadcast<V>(0);
  return math::select<V>(p == zero, zero, p * (upstream - mean));
}

/// f(r): row r.
template <class T, class S>
struct softmax_row {
  softmax_rows_args<T, S> a;
  softmax_rows_options options;

  CAUSALDPO_HD void operator()(index_t r) const {
    index_t const n = a.used(r, options.causal_period), cols = a.scores.cols();
    T largest = -math::infinity<T>();
    for (index_t j = 0; j < n; ++j) largest = math::max<T>(a.watch.checked(a.scores.at(r, j), 0, r * cols + j), largest);
    accumulator sum = 0;
    for (index_t j = 0; j < n && !options.probabilities; ++j) {
      T const weight = softmax_weight<T>(a.scores.at(r, j), largest);
      sum += static_cast<accumulator>(weight);
      if (a.out.p.given()) a.out.p.at(r, j) = weight;
    }
    T const total = static_cast<T>(sum);
    if (a.out.p.given())
      for (index_t j = 0; j < cols; ++j) a.out.p.at(r, j) = j < n ? softmax_share<T>(a.out.p.at(r, j), total) : T(0);
    if (!a.out.grad_scores.given()) return;
    accumulator mean = 0;
    for (index_t j = 0; j < n; ++j) {
      T const p = probability(r, j, largest, total), u = a.watch.checked(a.upstream.at(r, j), 1, r * cols + j);
      if (p != T(0)) mean += static_cast<accumulator>(p) * static_cast<accumulator>(u);
    }
    for (index_t j = 0; j < cols; ++j)
      a.out.grad_scores.at(r, j) =
          j < n ? softmax_slope<T>(probability(r, j, largest, total), a.upstream.at(r, j), static_cast<T>(mean)) : T(0);
  }

 private:
  CAUSALDPO_HD T probability(index_t r, index_t j, T largest, T total) const {
    if (options.probabilities) return a.scores.at(r, j);
    if (a.out.p.given()) return a.out.p.at(r, j);
    return softmax_share<T>(softmax_weight<T>(a.scores.at(r, j), largest), total);
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of softmax_rows.
struct softmax_rows {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::softmax_rows_args<T, S>, softmax_rows_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::softmax_rows_args<T, typename B::space> const& a, softmax_rows_options const& options) {
    be.launch(a.scores.rows(), detail::softmax_row<T, typename B::space>{a, options});
  }
};
}  // namespace op

/// p_ij = exp(s_ij) / sum_{m < n_i} exp(s_im) for j < n_i, 0 beyond; grad_ij = p_ij (u_ij - sum_m u_im p_im).
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | scores | [N,C] | s; with `probabilities` p itself |
/// | results | | see softmax_rows_results |
/// | options | | causal_period, probabilities |
/// | upstream | [N,C] | u, the derivative by p of whatever is computed from it; needed for the gradient only |
/// | lengths | [N] | optional: n_i, in 0 .. C; together with `causal_period` the smaller of both |
///
/// Columns from n_i on are not read. Edge cases: entries of -inf get 0; a row of nothing but -inf, and one without columns,
/// is all 0, its gradient too; entries of +inf share 1 equally. The gradient is 0 where p is, whatever u is there.
/// Throws shape_error, option_error before anything is written; value_error for a NaN, and for lengths out of range.
/// Cost O(N C), no scratch. Source: Bridle, NIPS 1989; the gradient is the Jacobian of the softmax times u.
template <backend B, matrix_like Scores, real_scalar T = scalar_of<Scores>>
void softmax_rows(B& be, Scores const& scores, std::type_identity_t<softmax_rows_results<T, typename B::space>> results,
                  softmax_rows_options const& options = {},
                  std::type_identity_t<view<T const, 2, typename B::space>> upstream = {},
                  index_view<typename B::space> lengths = {}) {
  constexpr char const* name = "softmax_rows";
  detail::softmax_rows_args<T, typename B::space> a{as_view(scores), upstream, lengths, results, {}};
  index_t const n = a.scores.rows(), c = a.scores.cols();
  detail::expect_shape(name, "scores", a.scores, n, c, "itself");
  detail::expect_shape_if_given(name, "p", results.p, n, c, "as scores");
  detail::expect_shape_if_given(name, "grad_scores", results.grad_scores, n, c, "as scores");
  if (results.grad_scores.given()) detail::expect_shape(name, "upstream", upstream, n, c, "as scores; grad_scores needs it");
  detail::expect_size_if_given(name, "lengths", lengths, n, "one for each row of scores");
  detail::expect_option(name, "causal_period", options.causal_period >= 0, options.causal_period, ">= 0");
  detail::expect_option(name, "p", !options.probabilities || !results.p.given(), "given",
                        "left out where scores are probabilities already");
  detail::nan_guard<B> guard(be, name, {"scores", "upstream", "lengths|is outside [0, C]"});
  a.watch = guard.watch();
  detail::run<op::softmax_rows>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
