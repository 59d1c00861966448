// SPDX-License-Identifier: Apache-2.0
// Expectation-maximisation for Gaussian mixtures.
#pragma once

#include <limits>

#include "causaldpo/environment/gmm_steps.hpp"

namespace causaldpo {

/// Options of gmm_em.
struct gmm_em_options {
  covariance_kind covariance_type = covariance_kind::full;
  index_t n_iter = 100;     ///< updates, >= 0
  double tol = 0;           ///< 0: all n_iter; > 0: stop when an update raised the mean log-likelihood by less (see below)
  double reg_covar = 1e-6;  ///< >= 0, added to every variance
  double min_mass = 1e-8;   ///< a component with less keeps its mean and covariance
};

/// Outputs of gmm_em; a member left out is not computed. The parameters may be the memory of the initial ones.
template <real_scalar T, memory_space S = host_space>
struct gmm_em_results {
  view<T, 1, S> weights{};                    ///< [K]
  view<T, 2, S> means{};                      ///< [K,D]
  view<T, 2, S> covariances{};                ///< as covariance_kind says
  view<T, 2, S> responsibilities{};           ///< [N,K] by the final parameters
  view<T, 1, S> log_likelihood{};             ///< [n_iter] mean over the rows before each update
  view<T, 1, S> final_log_likelihood{};       ///< [1] mean over the rows by the final parameters
  view<T, 1, S> bic{};                        ///< [1] -2 N ll + p log N
  view<T, 1, S> aic{};                        ///< [1] -2 N ll + 2 p
  view<std::int64_t, 1, S> n_parameters{};    ///< [1] p
  view<std::int64_t, 1, S> iterations{};      ///< [1] updates done
};

namespace detail {

template <class T, class S>
struct gmm_em_args {
  view<T const, 2, S> x;
  gmm_parameters<T const, S> init;
  gmm_em_results<T, S> out;
  nan_watch watch;  // slots: gmm_slots
};

/// One work item: the numbers about the whole fit.
template <class T, class S>
struct gmm_scores {
  view<accumulator const, 1, S> sum;
  index_t rows, parameters, iterations;
  gmm_em_results<T, S> out;
  CAUSALDPO_HD void operator()(index_t) const {
    accumulator const n = static_cast<accumulator>(rows), p = static_cast<accumulator>(parameters);
    if (out.final_log_likelihood.given()) out.final_log_likelihood.at(0) = static_cast<T>(rows > 0 ? sum.at(0) / n : 0);
    if (out.bic.given()) out.bic.at(0) = static_cast<T>(rows > 0 ? -2 * sum.at(0) + p * math::log(n) : 0);
    if (out.aic.given()) out.aic.at(0) = static_cast<T>(-2 * (rows > 0 ? sum.at(0) : 0) + 2 * p);
    if (out.n_parameters.given()) out.n_parameters.at(0) = parameters;
    if (out.iterations.given()) out.iterations.at(0) = iterations;
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of gmm_em.
struct gmm_em {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::gmm_em_args<T, S>, gmm_em_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::gmm_em_args<T, typename B::space> const& a, gmm_em_options const& o) {
    using S = typename B::space;
    using slots = detail::gmm_slots;
    index_t const n = a.x.rows(), k_count = a.init.weights.size();
    constexpr accumulator rounding = std::numeric_limits<accumulator>::epsilon();
    detail::gmm_workspace<B, T> em(be, a.x, o.covariance_type, k_count, a.watch);
    auto scratch = be.template allocate<accumulator>(k_count * n + n);
    view<accumulator, 2, S> const r(scratch.data(), k_count, n);
    view<accumulator, 1, S> const log_density(scratch.data() + k_count * n, n);
    em.load(a.init);
    em.prepare(slots::not_definite, std::numeric_limits<T>::epsilon());
    index_t done = 0;
    for (accumulator previous = 0; done < o.n_iter; ++done) {
      em.expect_all(r, log_density, true);
      if (a.out.log_likelihood.given()) em.record(a.out.log_likelihood, done);
      if (o.tol > 0) {
        accumulator total = 0;
        be.copy(scalar(&total), em.total_log_likelihood());
        be.synchronize();
        accumulator const gain = total - previous;
        previous = total;
        if (done > 0 && !(gain >= o.tol * static_cast<accumulator>(n))) break;
      }
      em.update_weights_and_means(r, o.min_mass);
      em.update_all_covariances(r, o.reg_covar, o.min_mass);
      em.prepare(slots::singular, rounding);
    }
    em.expect_all(r, log_density, false);
    if (a.out.log_likelihood.given())
      for (index_t rest = done; rest < o.n_iter; ++rest) em.record(a.out.log_likelihood, rest);
    em.store({a.out.weights, a.out.means, a.out.covariances});
    if (a.out.responsibilities.given()) be.launch(n, detail::store_responsibilities<T, S>{r, a.out.responsibilities});
    index_t const p = gmm_parameter_count(o.covariance_type, k_count, a.x.cols());
    be.launch(1, detail::gmm_scores<T, S>{em.total_log_likelihood(), n, p, done, a.out});
  }
};
}  // namespace op

/// EM for a mixture of K Gaussians. Each of n_iter iterations records the mean log-likelihood and then sets
///
///   r_ik = w_k N(x_i; mu_k, C_k) / sum_m w_m N(x_i; mu_m, C_m),  n_k = sum_i r_ik,  w_k = n_k / N,  mu_k = sum_i r_ik x_i / n_k,
///   C_k  = sum_i r_ik (x_i - mu_k)(x_i - mu_k)' / n_k + reg_covar I  around the new mean
///
/// (diag: its diagonal; spherical: the mean of that; tied: summed over k and divided by N).
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | x | [N,D] | the rows; finite |
/// | init | weights [K], means [K,D], covariances (see covariance_kind) | where EM starts, e.g. from gmm_initialize |
///
/// Edge cases: a component with n_k <= min_mass keeps its mean and its own covariance and gets weight n_k / N; densities are
/// normalised in log space, so the responsibilities of a far outlier still sum to 1; identical points give covariances
/// of reg_covar. No rows: the parameters stay and the likelihoods are 0. Errors: value_error for an initial covariance
/// that is not positive definite, and where reg_covar is too small to keep one so.
/// With tol > 0 the host reads the likelihood in each iteration and waits for the backend (so such a call cannot be captured
/// in a CUDA graph); the entries of log_likelihood that were not reached repeat the final one.
/// All arithmetic is double. Cost O(N K D) an iteration, O(N K D^2) for tied and full (Cholesky factors, forward
/// substitution); scratch 8 N (K + 1) + 16 D min(N, 8192) bytes and three times the parameters.
/// Source: Dempster, Laird and Rubin 1977; Schwarz 1978 (BIC); conventions of scikit-learn's GaussianMixture.
template <backend B, matrix_like X, real_scalar T = scalar_of<X>>
void gmm_em(B& be, X const& x, std::type_identity_t<gmm_parameters<T const, typename B::space>> init,
            std::type_identity_t<gmm_em_results<T, typename B::space>> results, gmm_em_options const& options = {}) {
  using S = typename B::space;
  constexpr char const* name = "gmm_em";
  detail::gmm_em_args<T, S> a{as_view(x), init, results, {}};
  index_t const n = a.x.rows(), d = a.x.cols(), k = init.weights.size();
  covariance_kind const kind = options.covariance_type;
  detail::expect_components(name, "weights_init", k);
  detail::expect_shape(name, "x", a.x, n, d, "one row for each example");
  detail::expect_mixture(name, init, kind, k, d, {"weights_init", "means_init", "covariances_init"});
  detail::expect_option(name, "n_iter", options.n_iter >= 0, options.n_iter, ">= 0");
  detail::expect_option(name, "tol", options.tol >= 0 && detail::is_finite(options.tol), options.tol, "finite and >= 0");
  detail::expect_option(name, "reg_covar", options.reg_covar >= 0 && detail::is_finite(options.reg_covar), options.reg_covar,
                        "finite and >= 0");
  detail::expect_option(name, "min_mass", options.min_mass >= 0, options.min_mass, ">= 0");
  detail::expect_size_if_given(name, "weights", results.weights, k, "as weights_init");
  detail::expect_shape_if_given(name, "means", results.means, k, d, "as means_init");
  detail::expect_shape_if_given(name, "covariances", results.covariances, init.covariances.rows(), init.covariances.cols(),
                                "as covariances_init");
  detail::expect_shape_if_given(name, "responsibilities", results.responsibilities, n, k,
                                "one row for each of x, one column for each component");
  detail::expect_size_if_given(name, "log_likelihood", results.log_likelihood, options.n_iter, "one for each iteration");
  detail::expect_size_if_given(name, "final_log_likelihood", results.final_log_likelihood, 1, "a scalar");
  detail::expect_size_if_given(name, "bic", results.bic, 1, "a scalar");
  detail::expect_size_if_given(name, "aic", results.aic, 1, "a scalar");
  detail::expect_size_if_given(name, "n_parameters", results.n_parameters, 1, "a scalar");
  detail::expect_size_if_given(name, "iterations", results.iterations, 1, "a scalar");
  detail::nan_guard<B> guard(
      be, name,
      {"x", "x|is infinite and must be finite", "weights_init", "weights_init|is negative and must be >= 0", "means_init",
       "covariances_init", "covariances_init|is not positive definite and must be",
       "covariances|became singular and must not: raise reg_covar"});
  a.watch = guard.watch();
  detail::run<op::gmm_em>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
