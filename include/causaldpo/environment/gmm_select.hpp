// SPDX-License-Identifier: Apache-2.0
// Choosing a Gaussian mixture: how many components and which covariances, by BIC, AIC or held-out likelihood.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>

#include "causaldpo/environment/gmm_initialize.hpp"
#include "causaldpo/environment/gmm_posterior.hpp"

namespace causaldpo {

/// By what gmm_select ranks.
enum class gmm_criterion {
  bic,      ///< -2 N ll + p log N: consistent, prefers few components
  aic,      ///< -2 N ll + 2 p: prefers more
  held_out  ///< mean log-likelihood of rows that the fit did not see
};

/// One mixture to try.
struct gmm_candidate {
  index_t components = 1;
  covariance_kind covariance_type = covariance_kind::full;
};

/// Options of gmm_select.
struct gmm_select_options {
  gmm_criterion criterion = gmm_criterion::bic;
  double held_out_share = 0.2;  ///< in (0, 1): of the rows, with `held_out`
  std::uint64_t seed = 0;       ///< of the starts and of which rows are held out
  index_t restarts = 4;         ///< as in gmm_initialize
  index_t n_iter = 100;         ///< as in gmm_em
  double tol = 1e-5;            ///< as in gmm_em
  double reg_covar = 1e-6;      ///< as in gmm_em
  double min_mass = 1e-8;       ///< as in gmm_em
};

/// One row of the table that gmm_select returns. Likelihoods are means over rows.
struct gmm_score {
  gmm_candidate candidate{};
  index_t n_parameters = 0;
  index_t iterations = 0;
  double log_likelihood = 0;            ///< of the rows that were fitted: all, or with `held_out` the rest
  double bic = 0, aic = 0;              ///< of the same rows
  double held_out_log_likelihood = 0;   ///< 0 unless `held_out`
  double criterion = 0;                 ///< smaller is better: bic, aic or -held_out_log_likelihood
};

/// What gmm_select returns.
template <real_scalar T>
struct gmm_selection {
  std::vector<gmm_score> table{};  ///< in the order of the candidates
  std::size_t chosen = 0;  ///< row of the table with the smallest criterion; ties go to fewer parameters, then to the first
  gmm_mixture<T> mixture{};        ///< the chosen one, fitted to all rows
};

namespace detail {

/// Rows of x in the given order, dense.
template <real_scalar T>
std::vector<T> gather_rows(view<T const, 2> x, std::vector<index_t> const& rows) {
  std::vector<T> out;
  out.reserve(rows.size() * static_cast<std::size_t>(x.cols()));
  for (index_t i : rows) out.insert(out.end(), x.data() + i * x.ld(), x.data() + i * x.ld() + x.cols());
  return out;
}

/// Which rows are fitted (first) and which are held out (second): the `held` rows with the smallest draws, in order.
inline std::pair<std::vector<index_t>, std::vector<index_t>> split_rows(index_t n, index_t held, std::uint64_t seed) {
  random_stream const random{seed, 0x73706c74U};
  std::vector<std::pair<double, index_t>> draws;
  for (index_t i = 0; i < n; ++i) draws.emplace_back(random.uniform<double>(static_cast<std::uint64_t>(i)), i);
  std::sort(draws.begin(), draws.end());
  std::pair<std::vector<index_t>, std::vector<index_t>> parts;
  for (index_t i = 0; i < n; ++i) (i < held ? parts.second : parts.first).push_back(draws[static_cast<std::size_t>(i)].second);
  std::sort(parts.first.begin(), parts.first.end());
  std::sort(parts.second.begin(), parts.second.end());
  return parts;
}

/// Initialises and fits one candidate.
template <backend B, real_scalar T>
gmm_score fit_candidate(B& be, view<T const, 2> x, gmm_candidate const& c, gmm_select_options const& o, gmm_mixture<T>& mixture) {
  mixture = gmm_mixture<T>(c.covariance_type, c.components, x.cols());
  gmm_parameters<T> const p = mixture.parameters();
  causaldpo::gmm_initialize(be, x, {.weights = p.weights, .means = p.means, .covariances = p.covariances},
                            {.covariance_type = c.covariance_type,
                             .seed = o.seed,
                             .restarts = o.restarts,
                             .reg_covar = o.reg_covar,
                             .min_mass = o.min_mass});
  gmm_score score;
  score.candidate = c;
  T ll = 0, bic = 0, aic = 0;
  std::int64_t parameters = 0, iterations = 0;
  causaldpo::gmm_em(
      be, x, p,
      {.weights = p.weights,
       .means = p.means,
       .covariances = p.covariances,
       .final_log_likelihood = scalar(&ll),
       .bic = scalar(&bic),
       .aic = scalar(&aic),
       .n_parameters = scalar(&parameters),
       .iterations = scalar(&iterations)},
      {.covariance_type = c.covariance_type, .n_iter = o.n_iter, .tol = o.tol, .reg_covar = o.reg_covar, .min_mass = o.min_mass});
  be.synchronize();
  score.log_likelihood = static_cast<double>(ll);
  score.bic = static_cast<double>(bic);
  score.aic = static_cast<double>(aic);
  score.n_parameters = parameters;
  score.iterations = iterations;
  return score;
}

}  // namespace detail

/// Fits every candidate (gmm_initialize, then gmm_em) and keeps the best by the criterion. With `held_out` the candidates
/// are fitted to the other rows and the chosen one is then fitted to all.
///
///     auto selection = gmm_select(backend, covariates, {{1, covariance_kind::diag}, {4, covariance_kind::full}});
///     gmm_posterior(backend, covariates, selection.mixture.parameters(), {.responsibilities = q},
///                   {selection.mixture.kind()});
///
/// A decision of the host: it returns host values, waits for the backend and needs memory that the host can read.
/// Edge cases: candidates are compared on the same rows, also where K > N; one that cannot be fitted (its covariance
/// becomes singular with reg_covar 0) throws. Errors: option_error without candidates, with K < 1, or for a
/// share that leaves no row on a side. Cost: that of the fits; not for the inner loop, and it allocates.
/// Source: Schwarz 1978 (BIC), Akaike 1974 (AIC).
template <backend B, matrix_like X, real_scalar T = scalar_of<X>>
gmm_selection<T> gmm_select(B& be, X const& x, std::vector<gmm_candidate> const& candidates,
                            gmm_select_options const& options = {}) {
  static_assert(B::space::host_accessible, "gmm_select decides on the host: copy the rows to the host and use a host backend");
  constexpr char const* name = "gmm_select";
  view<T const, 2> const all = as_view(x);
  index_t const n = all.rows();
  detail::expect_option(name, "candidates", !candidates.empty(), "empty", "at least one");
  for (gmm_candidate const& c : candidates) detail::expect_option(name, "components", c.components >= 1, c.components, ">= 1");
  bool const held_out = options.criterion == gmm_criterion::held_out;
  index_t held = 0;
  if (held_out) {
    bool const open = options.held_out_share > 0 && options.held_out_share < 1;
    if (open) held = static_cast<index_t>(options.held_out_share * static_cast<double>(n) + 0.5);
    detail::expect_option(name, "held_out_share", open && held >= 1 && held < n, options.held_out_share,
                          "in (0, 1) and leave rows on both sides");
  }
  std::pair<std::vector<index_t>, std::vector<index_t>> rows;
  std::vector<T> fitted_rows, held_rows;
  view<T const, 2> fitted = all, unseen;
  if (held_out) {
    rows = detail::split_rows(n, held, options.seed);
    fitted_rows = detail::gather_rows<T>(all, rows.first);
    held_rows = detail::gather_rows<T>(all, rows.second);
    fitted = {fitted_rows.data(), n - held, all.cols()};
    unseen = {held_rows.data(), held, all.cols()};
  }

  gmm_selection<T> selection;
  gmm_mixture<T> mixture;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    gmm_score score = detail::fit_candidate<B, T>(be, fitted, candidates[c], options, mixture);
    score.criterion = options.criterion == gmm_criterion::aic ? score.aic : score.bic;
    if (held_out) {
      T mean = 0;
      gmm_posterior(be, unseen, std::as_const(mixture).parameters(), {.log_likelihood = scalar(&mean)},
                    {candidates[c].covariance_type});
      be.synchronize();
      score.held_out_log_likelihood = static_cast<double>(mean);
      score.criterion = -score.held_out_log_likelihood;
    }
    selection.table.push_back(score);
    gmm_score const& best = selection.table[selection.chosen];
    bool const better =
        score.criterion < best.criterion || (score.criterion == best.criterion && score.n_parameters < best.n_parameters);
    if (c == 0 || better) {
      selection.chosen = c;
      if (!held_out) selection.mixture = mixture;
    }
  }
  if (held_out) detail::fit_candidate<B, T>(be, all, candidates[selection.chosen], options, selection.mixture);
  return selection;
}

}  // namespace causaldpo
