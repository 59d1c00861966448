// SPDX-License-Identifier: Apache-2.0
// gmm_select: recovers the number of clusters and their shape by each criterion, keeps its table, refuses nonsense.
#pragma once

#include "causaldpo/environment/gmm_select.hpp"
#include "support/compare.hpp"
#include "support/mixtures.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("gmm_select: three clusters are found by every criterion that can find them", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(31);
  index_t const n = 300, d = 2;
  auto x = clustered_rows<T>(random, n, d, 3, 0.4);
  for (std::size_t i = 0; i < x.size(); i += 2) x[i + 1] += x[i];
  for (gmm_criterion criterion : {gmm_criterion::bic, gmm_criterion::held_out}) {
    auto const selection = gmm_select(
        be, matrix(x.data(), n, d),
        {{1, covariance_kind::full}, {2, covariance_kind::full}, {3, covariance_kind::full}, {3, covariance_kind::spherical}},
        {.criterion = criterion});
    CHECK(selection.table.size() == 4);
    CHECK(selection.chosen == 2);  // the second column contains the first
    CHECK((selection.mixture.components() == 3 && selection.mixture.kind() == covariance_kind::full));
    for (gmm_score const& s : selection.table) {
      double const fitted = criterion == gmm_criterion::bic ? 300 : 240, p = static_cast<double>(s.n_parameters);
      CHECK(s.n_parameters == gmm_parameter_count(s.candidate.covariance_type, s.candidate.components, d));
      CHECK(s.bic == doctest::Approx(-2 * fitted * s.log_likelihood + p * std::log(fitted)).epsilon(1e-5));
      CHECK(s.aic == doctest::Approx(-2 * fitted * s.log_likelihood + 2 * p).epsilon(1e-5));
      CHECK(s.criterion == (criterion == gmm_criterion::bic ? s.bic : -s.held_out_log_likelihood));
      CHECK(s.criterion >= selection.table[selection.chosen].criterion);
    }
    std::vector<T> q(static_cast<std::size_t>(n * 3));
    gmm_posterior(be, matrix(x.data(), n, d), selection.mixture.parameters(), {.responsibilities = matrix(q.data(), n, 3)},
                  {selection.mixture.kind()});
    for (std::size_t i = 3; i < q.size(); ++i) CHECK(std::abs(q[i] - q[i % 9]) < T(0.1));  // row i belongs to cluster i % 3
  }
}

TEST_CASE_TEMPLATE("gmm_select: one cloud needs one component; the call repeats its numbers; aic never asks for fewer than bic",
                   Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(8);
  auto const x = random.normals<T>(400);
  auto const rows = matrix(x.data(), 200, 2);
  std::vector<gmm_candidate> const candidates{{3, covariance_kind::diag}, {2, covariance_kind::diag}, {1, covariance_kind::diag}};
  auto const bic = gmm_select(be, rows, candidates), again = gmm_select(be, rows, candidates);
  CHECK(bic.mixture.components() == 1);
  CHECK(again.mixture.means == bic.mixture.means);
  for (std::size_t c = 0; c < 3; ++c) CHECK(again.table[c].log_likelihood == bic.table[c].log_likelihood);
  auto const aic = gmm_select(be, rows, candidates, {.criterion = gmm_criterion::aic});
  CHECK(aic.table[aic.chosen].n_parameters >= bic.table[bic.chosen].n_parameters);  // 2 < log N
  for (gmm_score const& s : aic.table) CHECK(s.aic >= aic.table[aic.chosen].aic);
  CHECK(gmm_select(be, rows, {{1, covariance_kind::diag}, {1, covariance_kind::diag}}).chosen == 0);
}

TEST_CASE_TEMPLATE("gmm_select: rows are held out of the comparison, not of the mixture", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(12);
  auto const x = random.normals<T>(50);
  auto const selection = gmm_select(be, matrix(x.data(), 50, 1), {{1, covariance_kind::diag}},
                                    {.criterion = gmm_criterion::held_out, .held_out_share = 0.5});
  double mean = 0;
  for (T v : x) mean += static_cast<double>(v) / 50;
  CHECK(std::abs(static_cast<double>(selection.mixture.means[0]) - mean) < tolerance<T>(50));
  gmm_score const& score = selection.table[0];  // fitted to 25 rows: p = 2 parameters
  CHECK(score.bic == doctest::Approx(-50 * score.log_likelihood + 2 * std::log(25.0)).epsilon(1e-5));
}

TEST_CASE_TEMPLATE("gmm_select: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{1, 2, 3};
  auto const rows = matrix(x.data(), 3, 1);
  CHECK_THROWS_WITH_AS(gmm_select(be, rows, {}), "gmm_select: candidates is empty and must be at least one", option_error);
  CHECK_THROWS_WITH_AS(gmm_select(be, rows, {{0, covariance_kind::diag}, {1, covariance_kind::diag}}),
                       "gmm_select: components is 0 and must be >= 1", option_error);
  CHECK_THROWS_AS(gmm_select(be, rows, {{1, covariance_kind::diag}, {2, covariance_kind::diag}},
                             {.criterion = gmm_criterion::held_out, .held_out_share = 1}),
                  option_error);
  CHECK_THROWS_AS(gmm_select(be, rows, {{1, covariance_kind::diag}, {2, covariance_kind::diag}},
                             {.criterion = gmm_criterion::held_out, .held_out_share = 0.01}),
                  option_error);
}

}  // namespace causaldpo::test
