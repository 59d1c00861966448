// SPDX-License-Identifier: Apache-2.0
// gmm_initialize: the law of the k-means++ draws, separated clusters, restarts, sameness on every backend, edges, errors.
#pragma once

#include <algorithm>
#include <limits>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/environment/gmm_initialize.hpp"
#include "support/compare.hpp"
#include "support/mixtures.hpp"

namespace causaldpo::test {

template <class T, class Backend>
T initialise(Backend& be, view<T const, 2> x, gmm_mixture<T>& m, gmm_initialize_options options) {
  T ll = 0;
  auto const p = m.parameters();
  options.covariance_type = m.kind();
  gmm_initialize(be, x, {.weights = p.weights, .means = p.means, .covariances = p.covariances, .log_likelihood = scalar(&ll)},
                 options);
  return ll;
}

TEST_CASE_TEMPLATE("gmm_initialize: seeds are drawn with probability proportional to the squared distance", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  // Rows 0, 3, 4. Seeds {3, 4} split them into {0, 3} and {4}, any other pair into {0} and {3, 4}.
  std::vector<T> x{0, 3, 4};
  double const expected = (1.0 / 10 + 1.0 / 17) / 3;
  int const draws = 4000;
  int seen = 0;
  for (int seed = 0; seed < draws; ++seed) {
    gmm_mixture<T> m(covariance_kind::spherical, 2, 1);
    initialise<T>(be, matrix(x.data(), 3, 1), m,
                  {.seed = static_cast<std::uint64_t>(seed), .restarts = 1, .kmeans_iterations = 0, .n_iter = 0});
    seen += std::max(m.means[0], m.means[1]) == T(4) ? 1 : 0;
  }
  double const deviation = std::sqrt(expected * (1 - expected) / draws);
  CHECK(std::abs(static_cast<double>(seen) / draws - expected) < 4 * deviation);
}

TEST_CASE_TEMPLATE("gmm_initialize: finds separated clusters, the same on every backend, call after call", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  index_t const n = detail::gmm_tile_rows + 90, d = 2, k = 3, pad = 1;
  random_source random(2);
  auto const x = clustered_rows<T>(random, n, d, k, 0.1, pad);
  for (covariance_kind kind : every_covariance) {
    gmm_mixture<T> mine(kind, k, d), theirs = mine, again = mine;
    view<T const, 2> const rows(x.data(), n, d, d + pad);
    T const ll = initialise<T>(be, rows, mine, {.seed = 5, .restarts = 2, .n_iter = 2});
    initialise<T>(reference, rows, theirs, {.seed = 5, .restarts = 2, .n_iter = 2});
    CHECK(relative_error(mine.means, theirs.means) < tolerance<T>(n));
    CHECK(relative_error(mine.covariances, theirs.covariances) < tolerance<T>(n));
    std::size_t const before = be.allocations();
    CHECK(initialise<T>(be, rows, again, {.seed = 5, .restarts = 2, .n_iter = 2}) == ll);
    CHECK((again.means == mine.means && again.covariances == mine.covariances && again.weights == mine.weights));
    CHECK(be.allocations() == before);
    for (T w : mine.weights) CHECK(static_cast<double>(w) == doctest::Approx(1.0 / 3).epsilon(0.01));
    std::vector<T> first{mine.means[0], mine.means[2], mine.means[4]};
    std::sort(first.begin(), first.end());
    for (std::size_t c = 0; c < 3; ++c)
      CHECK(static_cast<double>(first[c]) == doctest::Approx(4 * static_cast<double>(c)).epsilon(0.02));
  }
}

TEST_CASE_TEMPLATE("gmm_initialize: of several starts the most likely is kept", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(6);
  auto const x = random.normals<T>(160);
  bool improved = false;
  gmm_mixture<T> m(covariance_kind::diag, 5, 2);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    T best = -math::infinity<T>();
    for (index_t restarts = 1; restarts <= 4; ++restarts) {
      T const ll = initialise<T>(be, matrix(x.data(), 80, 2), m, {.seed = seed, .restarts = restarts});
      CHECK(ll >= best);
      improved = improved || (restarts > 1 && ll > best);
      best = ll;
      T check = 0;  // what was kept is the mixture of that likelihood
      gmm_em(be, matrix(x.data(), 80, 2), m.parameters(), {.final_log_likelihood = scalar(&check)},
             {.covariance_type = covariance_kind::diag, .n_iter = 0});
      CHECK(static_cast<double>(check) ==
            doctest::Approx(static_cast<double>(ll)).epsilon(std::is_same_v<T, float> ? 1e-5 : 1e-12));
    }
  }
  CHECK(improved);
}

TEST_CASE_TEMPLATE("gmm_initialize: one component over several tiles is the mean and the variance of all rows", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(4);
  index_t const n = detail::gmm_tile_rows + 90;
  auto x = random.normals<T>(n, 1, 2);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] += T(5);
  for (std::size_t i = 0; i < 90; ++i) x[i] = T(-40);  // the tiles differ
  double mean = 0, variance = 0;
  for (T v : x) mean += static_cast<double>(v) / static_cast<double>(n);
  for (T v : x) variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean) / static_cast<double>(n);
  gmm_mixture<T> m(covariance_kind::spherical, 1, 1);
  initialise<T>(be, matrix(x.data(), n, 1), m, {.restarts = 1, .n_iter = 0, .reg_covar = 0});
  CHECK(relative_error(m.means, std::vector<double>{mean}) < tolerance<T>(n));
  CHECK(relative_error(m.covariances, std::vector<double>{variance}) < tolerance<T>(n));
}

TEST_CASE_TEMPLATE("gmm_initialize: identical rows, more components than rows, one row", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (covariance_kind kind : every_covariance)
    for (index_t n : {1, 2, 7}) {
      std::vector<T> const x(static_cast<std::size_t>(2 * n), T(3));
      gmm_mixture<T> m(kind, 4, 2);
      T const ll = initialise<T>(be, matrix(x.data(), n, 2), m, {.restarts = 2, .reg_covar = 0.25});
      CHECK(m.means == std::vector<T>(8, T(3)));
      CHECK(static_cast<double>(m.covariances[0]) == doctest::Approx(0.25));
      CHECK(static_cast<double>(m.weights[0] + m.weights[1] + m.weights[2] + m.weights[3]) == doctest::Approx(1));
      CHECK(static_cast<double>(ll) == doctest::Approx(-std::log(6.283185307179586 * 0.25)).epsilon(1e-6));
    }
}

TEST_CASE_TEMPLATE("gmm_initialize: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{1, std::numeric_limits<T>::quiet_NaN()};
  gmm_mixture<T> m(covariance_kind::diag, 1, 1);
  CHECK_THROWS_WITH_AS(initialise<T>(be, matrix(x.data(), 0, 1), m, {}),
                       "gmm_initialize: x is [0, 1] and must be [1, 1] or longer (centres are drawn from its rows)", shape_error);
  CHECK_THROWS_WITH_AS(initialise<T>(be, matrix(x.data(), 1, 1), m, {.restarts = 0}),
                       "gmm_initialize: restarts is 0 and must be >= 1", option_error);
  CHECK_THROWS_WITH_AS(initialise<T>(be, matrix(x.data(), 2, 1), m, {}), doctest::Contains("x holds a NaN at flat position 1"),
                       value_error);
}

}  // namespace causaldpo::test
