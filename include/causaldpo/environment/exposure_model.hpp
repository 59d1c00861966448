// SPDX-License-Identifier: Apache-2.0
// The exposure model: what each environment puts in front of people, log p(y | e), from soft counts.
#pragma once

#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/environment/exposure_kernels.hpp"

namespace causaldpo {

/// Options of exposure_model.
struct exposure_model_options {
  index_t item_count = 0;   ///< V; 0 takes it from log_conditional or log_marginal
  double smoothing = 50;    ///< alpha >= 0: how many clicks the marginal is worth in each environment (Dirichlet mass)
  double base_count = 0.5;  ///< >= 0, added to the count of every item in the marginal
  double min_mass = 1e-8;   ///< an environment counts if its mass exceeds this
};

/// Outputs of exposure_model; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct exposure_model_results {
  view<T, 1, S> log_marginal{};     ///< [V] log p_y
  view<T, 2, S> log_conditional{};  ///< [K,V] log p(y | e_k)
  view<T, 1, S> prior{};            ///< [K] share of each active environment, 0 for the rest
};

namespace detail {

template <class T, class S>
struct exposure_model_args {
  index_view<S> items;
  view<T const, 2, S> q;
  view<T const, 1, S> weights;
  exposure_model_results<T, S> out;
  index_t item_count;  // V, resolved
  nan_watch watch;     // slots: 0 items outside [0, V), 1 q, 2 weights
};

}  // namespace detail

namespace op {
/// Tag and generic body of exposure_model.
struct exposure_model {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::exposure_model_args<T, S>, exposure_model_options>>;

  static constexpr index_t rows_per_part = 8192;         // at least, so that zeroing a table does not dominate
  static constexpr index_t table_entries = index_t{1} << 19;  // at most over all parts (4 MiB), but for a single part

  /// How many partial tables: depends on sizes only, so the bits do not depend on the number of threads.
  static index_t parts(index_t n, index_t k_count, index_t v) {
    index_t const wanted = (n + rows_per_part - 1) / rows_per_part, fitting = table_entries / ((k_count + 1) * v + 1);
    index_t const p = wanted < fitting ? wanted : fitting;
    return p < 1 ? 1 : (p > 64 ? 64 : p);
  }

  template <backend B, real_scalar T>
  static void generic(B& be, detail::exposure_model_args<T, typename B::space> const& a, exposure_model_options const& o) {
    using S = typename B::space;
    index_t const n = a.items.size(), k_count = a.q.cols(), v = a.item_count, p = parts(n, k_count, v);
    auto tables = be.template allocate<accumulator>(p * (k_count + 1) * v);
    auto masses = be.template allocate<accumulator>(k_count + 1);
    view<accumulator, 2, S> const counts = tables.matrix(p * (k_count + 1), v), merged = counts.row_block(0, k_count + 1);
    be.launch_2d(p, k_count + 1, detail::count_part<T, S>{a.items, a.q, a.weights, counts, (n + p - 1) / p, a.watch});
    if (p > 1) be.launch_2d(k_count + 1, v, detail::merge_counts<S>{counts, p});
    be.reduce_rows(k_count + 1, v, detail::count_map<S>{merged}, detail::sum_fold<>{}, masses.vector());
    if (a.out.prior.given()) be.launch(1, detail::exposure_prior<T, S>{masses.vector(), o.min_mass, a.out.prior});
    be.launch_2d(k_count + 1, v, detail::exposure_logs<T, S>{merged, masses.vector(), o.smoothing, o.base_count, o.min_mass,
                                                            a.out.log_marginal, a.out.log_conditional});
  }
};
}  // namespace op

/// Exposure model: Dirichlet-smoothed soft counts of the items that each environment showed.
///
///   n_y = base_count + sum_{i: items_i = y} w_i,  p_y = n_y / sum n
///   C_ky = sum_{i: items_i = y} w_i q_ik,  m_k = sum_y C_ky
///   p(y | e_k) = (C_ky + alpha p_y) / (m_k + alpha),  prior_k = m_k / sum of the active m
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | items | [N], 32 or 64 bit | the item of each row, in [0, V) |
/// | q | [N,K] | membership of each row in each environment, used as it is |
/// | weights | [N] | w >= 0, default 1; a row of weight 0 is not read |
///
/// Edge cases: an environment with m_k <= min_mass gets the marginal and prior 0; without any, all priors are 0; a row
/// of q that is all 0 counts in the marginal only; an item of probability 0 has -inf; no rows and no base count: -inf
/// everywhere. Errors: an item outside [0, V) is a value_error that names its row.
/// Deterministic: the counts are added in an order that depends on N, K and V alone. Cost O(N K + K V), scratch
/// 8 (K + 1) V bytes for each of up to 64 partial tables, at most max(4 MiB, one table).
/// Source: additive smoothing towards the marginal with mass alpha; the offsets of conditional_preference read it.
template <backend B, matrix_like Q, real_scalar T = scalar_of<Q>>
void exposure_model(B& be, std::type_identity_t<index_view<typename B::space>> items, Q const& q,
                    std::type_identity_t<exposure_model_results<T, typename B::space>> results,
                    exposure_model_options const& options = {},
                    std::type_identity_t<view<T const, 1, typename B::space>> weights = {}) {
  using S = typename B::space;
  constexpr char const* name = "exposure_model";
  detail::exposure_model_args<T, S> a{items, as_view(q), weights, results, options.item_count, {}};
  index_t const n = items.size(), k = a.q.cols();
  detail::expect_option(name, "item_count", options.item_count >= 0, options.item_count, "0 (as the results) or larger");
  if (a.item_count == 0)
    a.item_count = results.log_conditional.given() ? results.log_conditional.cols() : results.log_marginal.size();
  detail::expect_option(name, "item_count", a.item_count > 0 || n == 0, options.item_count,
                        "given where the results do not tell it");
  detail::expect_option(name, "smoothing", options.smoothing >= 0 && detail::is_finite(options.smoothing), options.smoothing,
                        "finite and >= 0");
  detail::expect_option(name, "base_count", options.base_count >= 0 && detail::is_finite(options.base_count), options.base_count,
                        "finite and >= 0");
  detail::expect_shape(name, "q", a.q, n, k, "one row for each item");
  detail::expect_size_if_given(name, "weights", weights, n, "one for each item");
  detail::expect_size_if_given(name, "log_marginal", results.log_marginal, a.item_count, "one for each item of the catalogue");
  detail::expect_shape_if_given(name, "log_conditional", results.log_conditional, k, a.item_count,
                                "one row for each column of q, one column for each item of the catalogue");
  detail::expect_size_if_given(name, "prior", results.prior, k, "one for each column of q");
  detail::nan_guard<B> guard(be, name, {"items|is outside the catalogue and must lie in [0, item_count)", "q", "weights"});
  a.watch = guard.watch();
  detail::run<op::exposure_model>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
