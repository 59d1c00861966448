// SPDX-License-Identifier: Apache-2.0
// gmm_em: cases worked by hand, monotone likelihood, agreement with the reference over several tiles, stopping, edges, errors.
#pragma once

#include <algorithm>
#include <cstring>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/environment/gmm_em.hpp"
#include "support/compare.hpp"
#include "support/mixtures.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("gmm_em: two far pairs by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{-1, 1, 99, 103}, w{T(0.5), T(0.5)}, m{0, 100}, c{4, 4}, r(8);
  T ll = 0, bic = 0, aic = 0;
  std::int64_t p = 0, iterations = 0;

  gmm_em(be, matrix(x.data(), 4, 1), {.weights = w, .means = matrix(m.data(), 2, 1), .covariances = matrix(c.data(), 2, 1)},
         {.weights = w,
          .means = matrix(m.data(), 2, 1),
          .covariances = matrix(c.data(), 2, 1),
          .responsibilities = matrix(r.data(), 4, 2),
          .final_log_likelihood = scalar(&ll),
          .bic = scalar(&bic),
          .aic = scalar(&aic),
          .n_parameters = scalar(&p),
          .iterations = scalar(&iterations)},
         {.covariance_type = covariance_kind::diag, .n_iter = 1, .reg_covar = 0.5});

  CHECK(r == std::vector<T>{1, 0, 1, 0, 0, 1, 0, 1});
  CHECK(w == std::vector<T>{T(0.5), T(0.5)});
  CHECK(m == std::vector<T>{0, 101});
  CHECK(c == std::vector<T>{T(1.5), T(4.5)});
  double const tau = 6.283185307179586;
  double const by_hand = (-2 * std::log(2.0) - std::log(tau * 1.5) / 2 - std::log(tau * 4.5) / 2 - 1 / 3.0 - 4 / 9.0) / 2;
  CHECK(static_cast<double>(ll) == doctest::Approx(by_hand).epsilon(tolerance<T>()));
  CHECK(static_cast<double>(bic) == doctest::Approx(-8 * by_hand + 5 * std::log(4.0)).epsilon(tolerance<T>()));
  CHECK(static_cast<double>(aic) == doctest::Approx(-8 * by_hand + 10).epsilon(tolerance<T>()));
  CHECK(p == 5);
  CHECK(iterations == 1);
}

TEST_CASE_TEMPLATE("gmm_em: one component gives the sample's moments, far from the origin too", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{1000, 1, 1001, 3, 1002, 2, 1003, 6}, w{1}, m{0, 0}, c{1, 0, 0, 1};
  gmm_em(be, matrix(x.data(), 4, 2), {.weights = w, .means = matrix(m.data(), 1, 2), .covariances = matrix(c.data(), 2, 2)},
         {.means = matrix(m.data(), 1, 2), .covariances = matrix(c.data(), 2, 2)}, {.n_iter = 1, .reg_covar = 0});
  CHECK(m == std::vector<T>{T(1001.5), 3});
  CHECK(relative_error(c, std::vector<double>{1.25, 1.75, 1.75, 3.5}) < tolerance<T>());
}

TEST_CASE_TEMPLATE("gmm_em: the likelihood never falls and the table of iterations ends in the final one", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(3);
  auto const x = clustered_rows<T>(random, 301, 3, 3, 2);
  for (covariance_kind kind : every_covariance) {
    auto mixture = starting_mixture(x, kind, 4, 3, 3);
    std::vector<T> ll(30), first(1);
    T last = 0;
    std::int64_t iterations = 0;
    gmm_parameters<T const> const init = std::as_const(mixture).parameters();
    gmm_em(be, matrix(x.data(), 301, 3), init, {.log_likelihood = ll, .final_log_likelihood = scalar(&last)},
           {.covariance_type = kind, .n_iter = 30, .reg_covar = 0});
    for (std::size_t t = 1; t < ll.size(); ++t) CHECK(ll[t] >= ll[t - 1] - T(1e-6));
    CHECK(last >= ll.back() - T(1e-6));
    CHECK(ll.back() > ll.front());

    gmm_em(be, matrix(x.data(), 301, 3), init, {.log_likelihood = first}, {.covariance_type = kind, .n_iter = 1, .reg_covar = 0});
    CHECK(first[0] == ll[0]);
    gmm_em(be, matrix(x.data(), 301, 3), init,
           {.log_likelihood = ll, .final_log_likelihood = scalar(&last), .iterations = scalar(&iterations)},
           {.covariance_type = kind, .n_iter = 30, .tol = 0.05, .reg_covar = 0});
    CHECK((iterations > 0 && iterations < 30));
    CHECK(ll.back() == last);
    CHECK(ll[static_cast<std::size_t>(iterations)] - ll[static_cast<std::size_t>(iterations - 1)] < T(0.05));
  }
}

TEST_CASE_TEMPLATE("gmm_em: several tiles and padded rows agree with the reference; bits repeat; nothing is allocated twice",
                   Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  index_t const d = 3, k = 3, pad = 2;
  for (index_t n : {detail::gmm_tile_rows - 1, detail::gmm_tile_rows + 1})
    for (covariance_kind kind : every_covariance) {
      random_source random(static_cast<std::uint64_t>(n));
      auto const x = clustered_rows<T>(random, n, d, k, 2, pad);
      auto const before_x = x;
      auto const start = starting_mixture(x, kind, k, d, d + pad);
      index_t const rows = covariance_rows(kind, k, d), cols = covariance_cols(kind, d);
      struct outcome {
        std::vector<T> w, m, c, r, ll;
        bool operator==(outcome const&) const = default;
      };
      auto const run = [&](auto& backend) {
        outcome o{std::vector<T>(static_cast<std::size_t>(k)), std::vector<T>(static_cast<std::size_t>(k * (d + pad)), T(-7)),
                  std::vector<T>(static_cast<std::size_t>(rows * (cols + pad)), T(-7)),
                  std::vector<T>(static_cast<std::size_t>(n * (k + pad)), T(-7)), std::vector<T>(2)};
        gmm_em(backend, matrix(x.data(), n, d, d + pad), start.parameters(),
               {.weights = o.w,
                .means = matrix(o.m.data(), k, d, d + pad),
                .covariances = matrix(o.c.data(), rows, cols, cols + pad),
                .responsibilities = matrix(o.r.data(), n, k, k + pad),
                .log_likelihood = o.ll},
               {.covariance_type = kind, .n_iter = 2});
        return o;
      };
      outcome const mine = run(be), theirs = run(reference);
      CHECK(relative_error(mine.w, theirs.w) < tolerance<T>(n));
      CHECK(relative_error(mine.m, theirs.m) < tolerance<T>(n));
      CHECK(relative_error(mine.c, theirs.c) < tolerance<T>(n));
      CHECK(relative_error(mine.r, theirs.r) < tolerance<T>(n));
      CHECK(relative_error(mine.ll, theirs.ll) < tolerance<T>(n));
      CHECK((mine.m[static_cast<std::size_t>(d)] == T(-7) && mine.c[static_cast<std::size_t>(cols)] == T(-7) &&
             mine.r[static_cast<std::size_t>(k)] == T(-7)));
      CHECK(std::memcmp(x.data(), before_x.data(), x.size() * sizeof(T)) == 0);
      std::size_t const before = be.allocations();
      CHECK(run(be) == mine);
      CHECK(be.allocations() == before);
    }
}

TEST_CASE_TEMPLATE("gmm_em: rows repeated over several tiles, shuffled components, equal forms of one covariance", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(9);
  index_t const n = 53, d = 2, k = 2;
  auto const x = clustered_rows<T>(random, n, d, k);
  std::vector<T> repeated;
  for (index_t rows = 0; rows <= 2 * detail::gmm_tile_rows; rows += n) repeated.insert(repeated.end(), x.begin(), x.end());
  auto const fit = [&](std::vector<T> const& rows, gmm_mixture<T> m, index_t iterations = 5) {
    auto const p = m.parameters();
    gmm_em(be, matrix(rows.data(), static_cast<index_t>(rows.size()) / d, d), p,
           {.weights = p.weights, .means = p.means, .covariances = p.covariances},
           {.covariance_type = m.kind(), .n_iter = iterations, .reg_covar = 0.01});
    return m;
  };
  for (covariance_kind kind : every_covariance) {  // the same distribution, in one tile and in three
    auto const start = starting_mixture(x, kind, k, d, d);
    auto const once = fit(x, start), often = fit(repeated, start);
    CHECK(relative_error(often.weights, once.weights) < tolerance<T>(static_cast<index_t>(repeated.size())));
    CHECK(relative_error(often.means, once.means) < tolerance<T>(static_cast<index_t>(repeated.size())));
    CHECK(relative_error(often.covariances, once.covariances) < tolerance<T>(static_cast<index_t>(repeated.size())));
  }

  auto const start = starting_mixture(x, covariance_kind::full, k, d, d);
  auto const once = fit(x, start);
  auto swapped = start;
  std::swap_ranges(swapped.means.begin(), swapped.means.begin() + d, swapped.means.begin() + d);
  swapped = fit(x, swapped);
  std::swap_ranges(swapped.means.begin(), swapped.means.begin() + d, swapped.means.begin() + d);
  CHECK(relative_error(swapped.means, once.means) < tolerance<T>(n));

  // In one dimension diag, spherical and full are the same model.
  std::vector<T> line(x.begin(), x.begin() + 40);
  auto const fit_line = [&](covariance_kind kind) {
    auto m = starting_mixture(line, kind, 2, 1, 1);
    auto const p = m.parameters();
    gmm_em(be, matrix(line.data(), 40, 1), p, {.weights = p.weights, .means = p.means, .covariances = p.covariances},
           {.covariance_type = kind, .n_iter = 4});
    return m.covariances;
  };
  CHECK(relative_error(fit_line(covariance_kind::spherical), fit_line(covariance_kind::full)) < tolerance<T>(n));
  CHECK(relative_error(fit_line(covariance_kind::diag), fit_line(covariance_kind::full)) < tolerance<T>(n));
}

TEST_CASE_TEMPLATE("gmm_em: no rows, no iterations, nearly dependent columns", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> none, w{T(0.25), T(0.75)}, m{1, 2}, c{3};
  T ll = 9, bic = 9;
  gmm_em(be, matrix(none.data(), 0, 1), {.weights = w, .means = matrix(m.data(), 2, 1), .covariances = matrix(c.data(), 1, 1)},
         {.weights = w,
          .means = matrix(m.data(), 2, 1),
          .covariances = matrix(c.data(), 1, 1),
          .final_log_likelihood = scalar(&ll),
          .bic = scalar(&bic)},
         {.covariance_type = covariance_kind::tied, .n_iter = 3});
  CHECK((w == std::vector<T>{T(0.25), T(0.75)} && m == std::vector<T>{1, 2} && c == std::vector<T>{3} && ll == T(0) &&
         bic == T(0)));

  std::vector<T> x{0}, r(2);
  gmm_em(be, matrix(x.data(), 1, 1), {.weights = w, .means = matrix(m.data(), 2, 1), .covariances = matrix(c.data(), 1, 1)},
         {.responsibilities = matrix(r.data(), 1, 2)}, {.covariance_type = covariance_kind::tied, .n_iter = 0});
  double const odds = 3 * std::exp(-0.5);
  CHECK(static_cast<double>(r[0]) == doctest::Approx(1 / (1 + odds)).epsilon(tolerance<T>()));

  // Two columns that are equal up to 1e-4: the covariance, stored as a float, is singular up to rounding. It can be used again.
  random_source random(4);
  std::vector<T> pair(200), w1{1}, m1(2), c1{1, 0, 0, 1}, first(1), second(1);
  for (std::size_t i = 0; i < 100; ++i) {
    pair[2 * i] = static_cast<T>(10 * random.normal());
    pair[2 * i + 1] = pair[2 * i] + T(1e-4) * static_cast<T>(random.normal());
  }
  for (int repeat = 0; repeat < 3; ++repeat)
    gmm_em(be, matrix(pair.data(), 100, 2),
           {.weights = w1, .means = matrix(m1.data(), 1, 2), .covariances = matrix(c1.data(), 2, 2)},
           {.means = matrix(m1.data(), 1, 2), .covariances = matrix(c1.data(), 2, 2), .final_log_likelihood = second},
           {.n_iter = 2});
  CHECK(second[0] > T(-2));
}

TEST_CASE_TEMPLATE("gmm_em: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{0, 0, 0, 0, 1, 1}, w{T(0.5), T(0.5)}, m{0, 0, 1, 1}, c{1, 1, 1, 1}, full{1, 2, 2, 1, 1, 0, 0, 1};
  T ll = 0;
  auto const xs = matrix(x.data(), 3, 2);
  auto const run = [&](view<T, 2> covariances, gmm_em_options const& o) {
    gmm_em(be, xs, {.weights = w, .means = matrix(m.data(), 2, 2), .covariances = covariances},
           {.final_log_likelihood = scalar(&ll)}, o);
  };
  auto const diag = matrix(c.data(), 2, 2);
  CHECK_THROWS_WITH_AS(
      run(diag, {}),
      "gmm_em: covariances_init is [2, 2] and must be [4, 2] (full: one matrix for each component, below one another)",
      shape_error);
  CHECK_THROWS_WITH_AS(run(diag, {.covariance_type = covariance_kind::diag, .n_iter = -1}),
                       "gmm_em: n_iter is -1 and must be >= 0", option_error);
  CHECK_THROWS_AS(run(diag, {.covariance_type = covariance_kind::diag, .reg_covar = -1}), option_error);
  CHECK_THROWS_AS(run(diag, {.covariance_type = covariance_kind::diag, .tol = -1}), option_error);
  CHECK_THROWS_AS(gmm_em(be, xs, {}, {}), shape_error);
  CHECK_THROWS_WITH_AS(run(matrix(full.data(), 4, 2), {}),
                       doctest::Contains("covariances_init at flat position 3 (row-major) is not positive definite"),
                       value_error);
  c[2] = 0;
  CHECK_THROWS_WITH_AS(run(diag, {.covariance_type = covariance_kind::diag}),
                       doctest::Contains("covariances_init at flat position 2"), value_error);
  c[2] = 1;
  w[0] = T(-0.5);
  CHECK_THROWS_WITH_AS(run(diag, {.covariance_type = covariance_kind::diag}),
                       doctest::Contains("weights_init at flat position 0 (row-major) is negative"), value_error);
  w[0] = T(0.5);
  m[3] = T(30);  // component 1 is left with the single row nearest to it
  x[4] = x[5] = T(30);
  CHECK_THROWS_WITH_AS(run(diag, {.covariance_type = covariance_kind::diag, .n_iter = 3, .reg_covar = 0}),
                       doctest::Contains("raise reg_covar"), value_error);
  x[5] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(run(diag, {.covariance_type = covariance_kind::diag, .n_iter = 1}),
                       doctest::Contains("x holds a NaN at flat position 5"), value_error);
  x[5] = math::infinity<T>();
  CHECK_THROWS_WITH_AS(run(diag, {.covariance_type = covariance_kind::diag, .n_iter = 1}),
                       doctest::Contains("x at flat position 5 (row-major) is infinite"), value_error);
}

}  // namespace causaldpo::test
