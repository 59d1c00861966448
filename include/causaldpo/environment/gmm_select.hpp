// SPDX-License-Identifier: Apache-2.0
// Choosing a Gaussian mixture: how many components and which covariances, by BIC, AIC or held-out likelihood.
#pragma once

#include <utility>

#include "causaldpo/environment/gmm_initialize.hpp"
#include "causaldpo/environment/gmm_posterior.hpp"
#include "causaldpo/environment/gmm_rows.hpp"

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
  double log_likelihood = 0;           ///< of the rows that were fitted: all, or with `held_out` the rest
  double bic = 0, aic = 0;             ///< of the same rows
  double held_out_log_likelihood = 0;  ///< 0 unless `held_out`
  double criterion = 0;                ///< smaller is better: bic, aic or -held_out_log_likelihood
};

/// What gmm_select returns.
template <real_scalar T>
struct gmm_selection {
  std::vector<gmm_score> table{};  ///< in the order of the candidates
  std::size_t chosen = 0;    ///< row of the table with the smallest criterion; ties go to fewer parameters, then to the first
  gmm_mixture<T> mixture{};  ///< the chosen one, fitted to all rows
};

namespace detail {

/// Parameters in the backend's memory.
template <backend B, real_scalar T>
class mixture_memory {
  using S = typename B::space;

 public:
  mixture_memory(B& be, gmm_candidate const& c, index_t dimensions)
      : rows_(covariance_rows(c.covariance_type, c.components, dimensions)),
        cols_(covariance_cols(c.covariance_type, dimensions)),
        components_(c.components),
        dimensions_(dimensions),
        memory_(be.template allocate<T>(c.components * (1 + dimensions) + rows_ * cols_)) {}
  gmm_parameters<T, S> parameters() const {
    T* const p = memory_.data();
    return {{p, components_}, {p + components_, components_, dimensions_}, {p + components_ * (1 + dimensions_), rows_, cols_}};
  }

 private:
  index_t rows_, cols_, components_, dimensions_;
  decltype(std::declval<B&>().template allocate<T>(0)) memory_;
};

/// Between the backend's memory and the host's.
template <backend B, class T, class To, class From>
void copy_mixture(B& be, gmm_parameters<T, To> const& to, gmm_parameters<T const, From> const& from) {
  be.copy(to.weights, from.weights);
  be.copy(to.means, from.means);
  be.copy(to.covariances, from.covariances);
}

/// Initialises and fits one candidate.
template <backend B, real_scalar T>
gmm_score fit_candidate(B& be, view<T const, 2, typename B::space> x, gmm_candidate const& c, gmm_select_options const& o,
                        gmm_mixture<T>& mixture) {
  mixture_memory<B, T> const memory(be, c, x.cols());
  auto const p = memory.parameters();
  causaldpo::gmm_initialize(be, x, {.weights = p.weights, .means = p.means, .covariances = p.covariances},
                            {.covariance_type = c.covariance_type,
                             .seed = o.seed,
                             .restarts = o.restarts,
                             .reg_covar = o.reg_covar,
                             .min_mass = o.min_mass});
  auto const reals = be.template allocate<T>(3);
  auto const counts = be.template allocate<std::int64_t>(2);
  causaldpo::gmm_em(
      be, x, p,
      {.weights = p.weights,
       .means = p.means,
       .covariances = p.covariances,
       .final_log_likelihood = reals.vector().part(0, 1),
       .bic = reals.vector().part(1, 1),
       .aic = reals.vector().part(2, 1),
       .n_parameters = counts.vector().part(0, 1),
       .iterations = counts.vector().part(1, 1)},
      {.covariance_type = c.covariance_type, .n_iter = o.n_iter, .tol = o.tol, .reg_covar = o.reg_covar, .min_mass = o.min_mass});
  mixture = gmm_mixture<T>(c.covariance_type, c.components, x.cols());
  copy_mixture<B, T, host_space, typename B::space>(be, mixture.parameters(), p);
  T values[3];
  std::int64_t numbers[2];
  be.copy(vector(values, 3), view<T const, 1, typename B::space>(reals.vector()));
  be.copy(vector(numbers, 2), view<std::int64_t const, 1, typename B::space>(counts.vector()));
  be.synchronize();
  gmm_score score;
  score.candidate = c;
  score.log_likelihood = static_cast<double>(values[0]);
  score.bic = static_cast<double>(values[1]);
  score.aic = static_cast<double>(values[2]);
  score.n_parameters = numbers[0];
  score.iterations = numbers[1];
  return score;
}

/// Mean log-likelihood of the rows under a mixture.
template <backend B, real_scalar T>
double mean_log_likelihood(B& be, view<T const, 2, typename B::space> x, gmm_candidate const& c, gmm_mixture<T> const& mixture) {
  mixture_memory<B, T> const memory(be, c, x.cols());
  copy_mixture<B, T, typename B::space, host_space>(be, memory.parameters(), mixture.parameters());
  auto const mean = be.template allocate<T>(1);
  gmm_posterior(be, x, memory.parameters(), {.log_likelihood = mean.vector()}, {c.covariance_type});
  T value = 0;
  be.copy(scalar(&value), view<T const, 1, typename B::space>(mean.vector()));
  be.synchronize();
  return static_cast<double>(value);
}

}  // namespace detail

/// Fits every candidate (gmm_initialize, then gmm_em) and keeps the best by the criterion. With `held_out` the candidates
/// are fitted to the other rows and the chosen one is then fitted to all.
///
///     auto selection = gmm_select(backend, covariates, {{1, covariance_kind::diag}, {4, covariance_kind::full}});
///     gmm_posterior(backend, covariates, selection.mixture.parameters(), {.responsibilities = q},
///                   {selection.mixture.kind()});
///
/// A decision of the host: it waits for the backend, and what it returns is in host memory.
/// Edge cases: candidates are compared on the same rows, also where K > N; one that cannot be fitted (its covariance
/// becomes singular with reg_covar 0) throws. Errors: option_error without candidates, with K < 1, or for a
/// share that leaves no row on a side. Cost: that of the fits; not for the inner loop, and it allocates.
/// Source: Schwarz 1978 (BIC), Akaike 1974 (AIC).
template <backend B, matrix_like X, real_scalar T = scalar_of<X>>
gmm_selection<T> gmm_select(B& be, X const& x, std::vector<gmm_candidate> const& candidates,
                            gmm_select_options const& options = {}) {
  using S = typename B::space;
  constexpr char const* name = "gmm_select";
  view<T const, 2, S> const all = as_view(x);
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
  if (held_out) rows = detail::split_rows(n, held, options.seed);
  auto const fitted_rows = detail::gather_rows<B, T>(be, all, rows.first);
  auto const held_rows = detail::gather_rows<B, T>(be, all, rows.second);
  view<T const, 2, S> const fitted = held_out ? view<T const, 2, S>(fitted_rows.matrix(n - held, all.cols())) : all;
  view<T const, 2, S> const unseen = held_rows.matrix(held, all.cols());

  gmm_selection<T> selection;
  gmm_mixture<T> mixture;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    gmm_score score = detail::fit_candidate<B, T>(be, fitted, candidates[c], options, mixture);
    score.criterion = options.criterion == gmm_criterion::aic ? score.aic : score.bic;
    if (held_out) {
      score.held_out_log_likelihood = detail::mean_log_likelihood<B, T>(be, unseen, candidates[c], mixture);
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
