// SPDX-License-Identifier: Apache-2.0
// A Gaussian mixture on new points: to which component each belongs, and how likely it is.
#pragma once

#include <limits>

#include "causaldpo/environment/gmm_steps.hpp"

namespace causaldpo {

/// Options of gmm_posterior.
struct gmm_posterior_options {
  covariance_kind covariance_type = covariance_kind::full;
};

/// Outputs of gmm_posterior; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct gmm_posterior_results {
  view<T, 2, S> responsibilities{};  ///< [N,K] p(component k | x_i); as a membership matrix q this is soft environments
  view<T, 1, S> log_density{};       ///< [N] log p(x_i)
  view<T, 1, S> log_likelihood{};    ///< [1] its mean over the rows
};

namespace detail {

template <class T, class S>
struct gmm_posterior_args {
  view<T const, 2, S> x;
  gmm_parameters<T const, S> mixture;
  gmm_posterior_results<T, S> out;
  nan_watch watch;  // slots: gmm_slots
};

/// One element of the caller's scalar from double.
template <class T, class S>
struct store_element {
  view<accumulator const, 1, S> from;
  view<T, 1, S> to;
  CAUSALDPO_HD void operator()(index_t i) const { to.at(i) = static_cast<T>(from.at(i)); }
};

}  // namespace detail

namespace op {
/// Tag and generic body of gmm_posterior.
struct gmm_posterior {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::gmm_posterior_args<T, S>, gmm_posterior_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::gmm_posterior_args<T, typename B::space> const& a, gmm_posterior_options const& o) {
    using S = typename B::space;
    index_t const n = a.x.rows(), k_count = a.mixture.weights.size();
    detail::gmm_workspace<B, T> mixture(be, a.x, o.covariance_type, k_count, a.watch);
    auto scratch = be.template allocate<accumulator>(k_count * mixture.tile_rows() + n + 1);
    view<accumulator, 2, S> const tile(scratch.data(), k_count, mixture.tile_rows());
    view<accumulator, 1, S> const log_density(scratch.data() + k_count * mixture.tile_rows(), n), sum(log_density.data() + n, 1);
    mixture.load(a.mixture);
    mixture.prepare(detail::gmm_slots::not_definite, std::numeric_limits<T>::epsilon());
    for (index_t t = 0; t < mixture.tiles(); ++t) {
      index_t const first = mixture.first_row(t), rows = mixture.rows_in(t);
      view<accumulator, 2, S> const r = tile.col_block(0, rows);
      mixture.expect(t, r, log_density.part(first, rows));
      if (a.out.responsibilities.given())
        be.launch(rows, detail::store_responsibilities<T, S>{r, a.out.responsibilities.row_block(first, rows)});
    }
    if (a.out.log_density.given()) be.launch(n, detail::store_element<T, S>{log_density, a.out.log_density});
    if (a.out.log_likelihood.given()) {
      be.reduce(n, detail::element_map<S>{log_density}, detail::sum_fold<>{}, sum);
      be.launch(1, detail::store_mean<T, S>{sum, static_cast<accumulator>(n), a.out.log_likelihood, 0});
    }
  }
};
}  // namespace op

/// Posterior of a Gaussian mixture: responsibilities r_ik = w_k N(x_i; mu_k, C_k) / p(x_i) and log p(x_i), with
/// p(x_i) = sum_k w_k N(x_i; mu_k, C_k).
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | x | [N,D] | the points; finite |
/// | mixture | weights [K], means [K,D], covariances (see covariance_kind) | used as they are |
///
/// Edge cases: far from every component the rows still sum to 1 (log space), and log p stays finite as long as the squared
/// distance does; a component of weight 0 gets 0. Errors: value_error where a covariance is not positive definite.
/// All arithmetic is double. Cost O(N K D), O(N K D^2) for tied and full; scratch 8 (K + 2 D) min(N, 8192) + 8 N bytes.
/// Source: as gmm_em, the E-step.
template <backend B, matrix_like X, real_scalar T = scalar_of<X>>
void gmm_posterior(B& be, X const& x, std::type_identity_t<gmm_parameters<T const, typename B::space>> mixture,
                   std::type_identity_t<gmm_posterior_results<T, typename B::space>> results,
                   gmm_posterior_options const& options = {}) {
  using S = typename B::space;
  constexpr char const* name = "gmm_posterior";
  detail::gmm_posterior_args<T, S> a{as_view(x), mixture, results, {}};
  index_t const n = a.x.rows(), d = a.x.cols(), k = mixture.weights.size();
  detail::expect_components(name, "weights", k);
  detail::expect_shape(name, "x", a.x, n, d, "one row for each point");
  detail::expect_mixture(name, mixture, options.covariance_type, k, d, {"weights", "means", "covariances"});
  detail::expect_shape_if_given(name, "responsibilities", results.responsibilities, n, k,
                                "one row for each of x, one column for each component");
  detail::expect_size_if_given(name, "log_density", results.log_density, n, "one for each row of x");
  detail::expect_size_if_given(name, "log_likelihood", results.log_likelihood, 1, "a scalar");
  detail::nan_guard<B> guard(be, name,
                             {"x", "x|is infinite and must be finite", "weights", "weights|is negative and must be >= 0", "means",
                              "covariances", "covariances|is not positive definite and must be"});
  a.watch = guard.watch();
  detail::run<op::gmm_posterior>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
