// SPDX-License-Identifier: Apache-2.0
// gmm_posterior: densities by hand and by a general formula, outliers, tiles, agreement with gmm_em and the reference, errors.
#pragma once

#include <limits>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/environment/gmm_em.hpp"
#include "causaldpo/environment/gmm_posterior.hpp"
#include "support/compare.hpp"
#include "support/mixtures.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("gmm_posterior: a standard normal and a correlated pair by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  double const tau = 6.283185307179586;
  std::vector<T> x{0, 2}, w{T(0.25), T(0.75)}, m{0, 2}, c{1}, r(4), log_p(2), mean(1);
  gmm_posterior(
      be, matrix(x.data(), 2, 1), {.weights = w, .means = matrix(m.data(), 2, 1), .covariances = matrix(c.data(), 1, 1)},
      {.responsibilities = matrix(r.data(), 2, 2), .log_density = log_p, .log_likelihood = mean}, {covariance_kind::tied});
  double const near = 1 / std::sqrt(tau), far = near * std::exp(-2.0), p0 = 0.25 * near + 0.75 * far,
               p1 = 0.25 * far + 0.75 * near;
  CHECK(relative_error(r, std::vector<double>{0.25 * near / p0, 0.75 * far / p0, 0.25 * far / p1, 0.75 * near / p1}) <
        tolerance<T>());
  CHECK(relative_error(log_p, std::vector<double>{std::log(p0), std::log(p1)}) < tolerance<T>());
  CHECK(static_cast<double>(mean[0]) == doctest::Approx((std::log(p0) + std::log(p1)) / 2).epsilon(tolerance<T>()));

  // C = [2 1; 1 2]: det 3, inverse [2 -1; -1 2] / 3; at (1, 0) the squared distance is 2/3.
  std::vector<T> y{1, 0}, one{1}, origin{0, 0}, full{2, 77, 1, 2};  // what lies above the diagonal is not read
  log_p.resize(1);
  gmm_posterior(be, matrix(y.data(), 1, 2),
                {.weights = one, .means = matrix(origin.data(), 1, 2), .covariances = matrix(full.data(), 2, 2)},
                {.log_density = log_p});
  CHECK(static_cast<double>(log_p[0]) == doctest::Approx(-std::log(tau) - std::log(3.0) / 2 - 1 / 3.0).epsilon(tolerance<T>()));
}

TEST_CASE_TEMPLATE("gmm_posterior: far outliers share to 1, impossible components get nothing", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{T(1e6), T(-1e6), T(0)}, w{T(0.5), T(0.5), 0}, m{-1, 1, 0}, c{1, 1, 1}, r(9), log_p(3);
  gmm_posterior(be, matrix(x.data(), 3, 1),
                {.weights = w, .means = matrix(m.data(), 3, 1), .covariances = matrix(c.data(), 3, 1)},
                {.responsibilities = matrix(r.data(), 3, 3), .log_density = log_p}, {covariance_kind::spherical});
  CHECK(r == std::vector<T>{0, 1, 0, 1, 0, 0, T(0.5), T(0.5), 0});
  CHECK(static_cast<double>(log_p[0]) == doctest::Approx(-0.5 * 999999.0 * 999999.0).epsilon(1e-6));

  std::vector<T> dead{0, 0, 0}, rd(9);
  gmm_posterior(be, matrix(x.data(), 3, 1),
                {.weights = dead, .means = matrix(m.data(), 3, 1), .covariances = matrix(c.data(), 3, 1)},
                {.responsibilities = matrix(rd.data(), 3, 3), .log_density = log_p}, {covariance_kind::spherical});
  CHECK(rd == std::vector<T>(9, 0));
  CHECK(log_p[1] == -math::infinity<T>());
}

TEST_CASE_TEMPLATE("gmm_posterior: agrees with gmm_em, with the reference and with itself on parts", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  index_t const n = 2 * detail::gmm_tile_rows + 5, d = 3, k = 3, pad = 1;
  random_source random(21);
  auto const x = clustered_rows<T>(random, n, d, k, 2, pad);
  for (covariance_kind kind : every_covariance) {
    auto mixture = starting_mixture(x, kind, k, d, d + pad);
    auto const p = mixture.parameters();
    std::vector<T> r(static_cast<std::size_t>(n * (k + pad)), T(-7)), r2 = r, em = r, log_p(static_cast<std::size_t>(n)),
                                                                      log_p2 = log_p, part(log_p);
    gmm_em(be, matrix(x.data(), n, d, d + pad), p, {.responsibilities = matrix(em.data(), n, k, k + pad)},
           {.covariance_type = kind, .n_iter = 0});
    gmm_posterior(be, matrix(x.data(), n, d, d + pad), p,
                  {.responsibilities = matrix(r.data(), n, k, k + pad), .log_density = log_p}, {kind});
    gmm_posterior(reference, matrix(x.data(), n, d, d + pad), p,
                  {.responsibilities = matrix(r2.data(), n, k, k + pad), .log_density = log_p2}, {kind});
    CHECK(r == em);
    CHECK(relative_error(r, r2) < tolerance<T>());
    CHECK(relative_error(log_p, log_p2) < tolerance<T>());
    for (index_t i = 0; i < n; i += 997) {
      T sum = 0;
      for (index_t c = 0; c < k; ++c) sum += r[static_cast<std::size_t>(i * (k + pad) + c)];
      CHECK(static_cast<double>(sum) == doctest::Approx(1).epsilon(tolerance<T>()));
    }
    index_t const cut = 4001;
    std::size_t const before = be.allocations();
    gmm_posterior(be, matrix(x.data(), cut, d, d + pad), p, {.log_density = vector(part.data(), cut)}, {kind});
    gmm_posterior(be, matrix(x.data() + cut * (d + pad), n - cut, d, d + pad), p,
                  {.log_density = vector(part.data() + cut, n - cut)}, {kind});
    CHECK(relative_error(part, log_p) < tolerance<T>());
    CHECK(be.allocations() == before);
  }
}

TEST_CASE_TEMPLATE("gmm_posterior: no rows, and what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> none, x{1, 2}, w{1}, m{0, 0}, c{1, 0, 0, 1}, mean{9}, log_p(1);
  auto const means = matrix(m.data(), 1, 2);
  gmm_posterior(be, matrix(none.data(), 0, 2), {w, means, matrix(c.data(), 2, 2)}, {.log_likelihood = mean});
  CHECK(mean[0] == T(0));
  CHECK_THROWS_WITH_AS(gmm_posterior(be, matrix(x.data(), 2, 1), {w, means, matrix(c.data(), 2, 2)}, {}),
                       "gmm_posterior: means is [1, 2] and must be [1, 1] (one row for each component, one column for each of x)",
                       shape_error);
  CHECK_THROWS_AS(gmm_posterior(be, matrix(x.data(), 1, 2), {w, means, matrix(c.data(), 1, 2)}, {}), shape_error);
  CHECK_THROWS_AS(
      gmm_posterior(be, matrix(x.data(), 1, 2), {w, means, matrix(c.data(), 2, 2)}, {.log_density = vector(m.data(), 2)}),
      shape_error);
  m[1] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(gmm_posterior(be, matrix(x.data(), 1, 2), {w, means, matrix(c.data(), 2, 2)}, {.log_density = log_p}),
                       doctest::Contains("means holds a NaN at flat position 1"), value_error);
}

}  // namespace causaldpo::test
