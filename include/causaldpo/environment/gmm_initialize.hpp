// SPDX-License-Identifier: Apache-2.0
// Where EM starts: k-means++ seeds, a few steps of k-means and of EM, and the best of several starts.
#pragma once

#include "causaldpo/environment/gmm_em.hpp"
#include "causaldpo/environment/gmm_seed_kernels.hpp"

namespace causaldpo {

/// Options of gmm_initialize.
struct gmm_initialize_options {
  covariance_kind covariance_type = covariance_kind::full;
  std::uint64_t seed = 0;
  index_t restarts = 4;           ///< >= 1 starts, of which the most likely one is kept
  index_t kmeans_iterations = 5;  ///< >= 0 steps of k-means after seeding
  index_t n_iter = 10;            ///< >= 0 steps of EM by which the starts are compared
  double reg_covar = 1e-6;        ///< as in gmm_em
  double min_mass = 1e-8;         ///< as in gmm_em
};

/// Outputs of gmm_initialize. The parameters are all needed; K is the length of `weights`.
template <real_scalar T, memory_space S = host_space>
struct gmm_initialize_results {
  view<T, 1, S> weights{};         ///< [K]
  view<T, 2, S> means{};           ///< [K,D]
  view<T, 2, S> covariances{};     ///< as covariance_kind says
  view<T, 1, S> log_likelihood{};  ///< [1] mean over the rows, of the start that was kept
};

namespace detail {

template <class T, class S>
struct gmm_initialize_args {
  view<T const, 2, S> x;
  gmm_initialize_results<T, S> out;
  nan_watch watch;  // slots: gmm_slots
};

}  // namespace detail

namespace op {
/// Tag and generic body of gmm_initialize.
struct gmm_initialize {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::gmm_initialize_args<T, S>, gmm_initialize_options>>;

  /// k-means++ seeds into the means of the state.
  template <backend B, real_scalar T>
  static void seed(B& be, view<T const, 2, typename B::space> x, detail::gmm_state<typename B::space> const& m,
                   random_stream random, view<accumulator, 1, typename B::space> nearest,
                   view<std::int64_t, 1, typename B::space> row) {
    using S = typename B::space;
    be.launch(x.rows(), detail::fill_ones<S>{nearest});
    for (index_t k = 0; k < m.weights.size(); ++k) {
      be.reduce(x.rows(), detail::seed_map<S>{nearest, random, static_cast<std::uint32_t>(k)}, detail::seed_fold{}, row);
      be.launch(x.cols(), detail::take_seed<T, S>{x, row, m.means.row(k)});
      be.launch(x.rows(), detail::update_nearest<T, S>{x, m.means.row(k), nearest, k == 0});
    }
  }

  template <backend B, real_scalar T>
  static void generic(B& be, detail::gmm_initialize_args<T, typename B::space> const& a, gmm_initialize_options const& o) {
    using S = typename B::space;
    index_t const n = a.x.rows(), d = a.x.cols(), k_count = a.out.weights.size();
    index_t const rows = covariance_rows(o.covariance_type, k_count, d), cols = covariance_cols(o.covariance_type, d);
    auto fit = be.template allocate<T>(k_count + k_count * d + rows * cols + 2);
    gmm_parameters<T, S> const start{view<T, 1, S>(fit.data(), k_count), view<T, 2, S>(fit.data() + k_count, k_count, d),
                                     view<T, 2, S>(fit.data() + k_count * (d + 1), rows, cols)};
    view<T, 1, S> const likelihoods(fit.data() + k_count * (d + 1) + rows * cols, 2);  // of this start, of the best
    for (index_t restart = 0; restart < o.restarts; ++restart) {
      {
        detail::gmm_workspace<B, T> em(be, a.x, o.covariance_type, k_count, a.watch);
        auto scratch = be.template allocate<accumulator>(k_count * n + n + 2 * d);
        auto row = be.template allocate<std::int64_t>(1);
        view<accumulator, 2, S> const r(scratch.data(), k_count, n);
        view<accumulator, 1, S> const nearest(scratch.data() + k_count * n, n), sums(nearest.data() + n, d),
            variations(sums.data() + d, d);
        be.reduce_cols(n, d, detail::value_map<T, S>{a.x, a.watch}, detail::sum_fold<>{}, sums);
        be.reduce_cols(n, d, detail::variation_map<T, S>{a.x, sums}, detail::sum_fold<>{}, variations);
        be.launch(k_count, detail::start_covariance<S>{em.state(), variations, static_cast<accumulator>(n), o.reg_covar});
        seed<B, T>(be, a.x, em.state(), random_stream{o.seed, static_cast<std::uint32_t>(restart)}, nearest, row.vector());
        for (index_t step = 0; step <= o.kmeans_iterations; ++step) {
          be.launch(n, detail::assign_nearest<T, S>{a.x, em.state().means, r});
          em.sum_all(r);
          em.update_weights_and_means(r, o.min_mass);
        }
        em.update_all_covariances(r, o.reg_covar, o.min_mass);
        em.store(start);
      }
      causaldpo::gmm_em(
          be, a.x, start,
          {.weights = start.weights,
           .means = start.means,
           .covariances = start.covariances,
           .final_log_likelihood = likelihoods.part(0, 1)},
          {.covariance_type = o.covariance_type, .n_iter = o.n_iter, .reg_covar = o.reg_covar, .min_mass = o.min_mass});
      bool const first = restart == 0;
      be.launch(k_count,
                detail::keep_if_better<T, S>{start, likelihoods, {a.out.weights, a.out.means, a.out.covariances}, first});
      be.launch(1, detail::keep_likelihood<T, S>{likelihoods, a.out.log_likelihood, first});
    }
  }
};
}  // namespace op

/// Initial parameters for gmm_em. Each start draws K rows by k-means++ (the first uniformly, the next with probability
/// proportional to the squared distance to the nearest centre so far; uniformly again where all rows are on centres),
/// takes k-means steps, sets weights, means and covariances from the clusters and runs n_iter iterations of EM. The start
/// with the highest likelihood is written.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | x | [N,D] | the rows, N >= 1; finite. Scale the columns first: k-means is not invariant to it |
///
/// The draws are Philox's, named by (seed, start, row, centre): the same on every backend and for any number of
/// threads. Edge cases: K > N, or fewer distinct rows than components, repeats centres; a component nearest to no row keeps
/// its seed, the variances of all rows, and weight 0. Errors: as gmm_em.
/// Cost O(restarts N K D (2 + kmeans_iterations)) and the EM of each start; scratch as gmm_em.
/// Source: Arthur and Vassilvitskii, "k-means++", SODA 2007; sampling by the smallest of exponential variables.
template <backend B, matrix_like X, real_scalar T = scalar_of<X>>
void gmm_initialize(B& be, X const& x, std::type_identity_t<gmm_initialize_results<T, typename B::space>> results,
                    gmm_initialize_options const& options = {}) {
  using S = typename B::space;
  constexpr char const* name = "gmm_initialize";
  detail::gmm_initialize_args<T, S> a{as_view(x), results, {}};
  index_t const n = a.x.rows(), d = a.x.cols(), k = results.weights.size();
  detail::expect_components(name, "weights", k);
  if (n < 1)
    detail::throw_shape(name, "x", detail::shape_text(n, d), detail::shape_text(1, d) + " or longer",
                        "centres are drawn from its rows");
  detail::expect_shape(name, "x", a.x, n, d, "one row for each example");
  detail::expect_mixture(name, results, options.covariance_type, k, d, {"weights", "means", "covariances"});
  detail::expect_size_if_given(name, "log_likelihood", results.log_likelihood, 1, "a scalar");
  detail::expect_option(name, "restarts", options.restarts >= 1, options.restarts, ">= 1");
  detail::expect_option(name, "kmeans_iterations", options.kmeans_iterations >= 0, options.kmeans_iterations, ">= 0");
  detail::expect_option(name, "n_iter", options.n_iter >= 0, options.n_iter, ">= 0");
  detail::expect_option(name, "reg_covar", options.reg_covar >= 0 && detail::is_finite(options.reg_covar), options.reg_covar,
                        "finite and >= 0");
  detail::expect_option(name, "min_mass", options.min_mass >= 0, options.min_mass, ">= 0");
  detail::nan_guard<B> guard(be, name, {"x", "x|is infinite and must be finite"});
  a.watch = guard.watch();
  detail::run<op::gmm_initialize>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
