// SPDX-License-Identifier: Apache-2.0
// Environments from covariates: memberships, the choice by held-out exposure gain, composed offsets.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "app/environment_model.hpp"
#include "support/random.hpp"

using namespace recommender;

namespace {

std::vector<float> at(environment_axis const& axis, double value) {
  std::vector<float> q(axis.environments());
  axis.memberships(value, q);
  return q;
}

/// A year and a half of clicks on 20 items; with `seasonal`, the first half of each year shows the first ten items mostly.
interaction_log year_log(bool seasonal) {
  causaldpo::test::random_source random(5);
  interaction_log log;
  log.source = "made here";
  log.has_time = true;
  for (int i = 0; i < 20; ++i) log.item_ids.push_back(std::to_string(i));
  covariate_column market{{"north", "south"}, {}, {}};
  for (std::int32_t u = 0; u < 200; ++u) {
    log.user_ids.push_back(std::to_string(u));
    for (int k = 0; k < 30; ++k) {
      double const year = 1.5 * random.uniform();
      bool const early = year - std::floor(year) < 0.5;
      auto item = static_cast<std::int32_t>(random.below(20));
      if (seasonal && random.uniform() < 0.9) item = static_cast<std::int32_t>(random.below(10)) + (early ? 0 : 10);
      log.interactions.push_back({u, item, year * 365 * 86400, 1});
      market.code.push_back(u % 2);
    }
  }
  log.covariates["market"] = market;
  return log;
}

std::vector<std::int32_t> all_rows(interaction_log const& log) {
  std::vector<std::int32_t> rows(log.interactions.size());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

}  // namespace

TEST_CASE("slices: equal mass, linear between neighbouring centres, flat at the ends") {
  std::vector<double> values(100);
  std::iota(values.begin(), values.end(), 0.0);
  environment_axis const axis = slice_axis("time", values, 4);
  REQUIRE(axis.centres == std::vector<double>{12, 37, 62, 87});
  CHECK(at(axis, 12) == std::vector<float>{1, 0, 0, 0});
  CHECK(at(axis, 24.5) == std::vector<float>{0.5F, 0.5F, 0, 0});
  CHECK(at(axis, -1e9) == std::vector<float>{1, 0, 0, 0});
  CHECK(at(axis, 1e9) == std::vector<float>{0, 0, 0, 1});
}

TEST_CASE("slices of a period: the same a period later, and linear across its end") {
  std::vector<double> values(100);
  std::iota(values.begin(), values.end(), 0.0);
  environment_axis const axis = slice_axis("time", values, 4, 100);
  CHECK(at(axis, 24.5) == at(axis, 324.5));
  std::vector<float> const end = at(axis, 99.5);  // half way from 87 to 12 + 100
  CHECK(end[3] == doctest::Approx(0.5));
  CHECK(end[0] == doctest::Approx(0.5));
  CHECK(at(axis, -0.5) == end);
}

TEST_CASE("slices of one repeated value, of one value and of none") {
  CHECK(slice_axis("time", std::vector<double>(50, 3.0), 8).environments() == 1);
  CHECK(at(slice_axis("time", std::vector<double>{7}, 8), 0) == std::vector<float>{1});
  CHECK(slice_axis("time", std::vector<double>{}, 4).environments() == 1);
}

TEST_CASE("clusters: two groups are found, memberships sum to 1, equal values give none") {
  causaldpo::test::random_source random(3);
  std::vector<double> values;
  for (int i = 0; i < 300; ++i) values.push_back(1e9 + (i % 2 ? 1e6 : 0) + 1e4 * random.normal());
  environment_axis const axis = cluster_axis("time", values, 2, 1);
  REQUIRE(axis.environments() == 2);
  CHECK(axis.centres[0] == doctest::Approx(1e9).epsilon(1e-4));
  CHECK(axis.centres[1] == doctest::Approx(1e9 + 1e6).epsilon(1e-4));
  CHECK(at(axis, 1e9)[0] > 0.999F);
  std::vector<float> const far = at(axis, 1e12);
  CHECK(far[0] + far[1] == doctest::Approx(1));
  CHECK(cluster_axis("time", std::vector<double>(50, 3.0), 2, 1).environments() == 0);
}

TEST_CASE("levels: one-hot, and nothing for a level that was never seen") {
  covariate_values values;
  values.name = "market";
  values.levels = {"north", "south"};
  environment_axis const axis = level_axis(values);
  std::vector<float> q(2, 9);
  axis.memberships(std::string("south"), q);
  CHECK(q == std::vector<float>{0, 1});
  axis.memberships(std::string("east"), q);
  CHECK(q == std::vector<float>{0, 0});
}

TEST_CASE("choice: seasons are found as slices of the year, and a market that moves nothing is left out") {
  interaction_log const log = year_log(true);
  auto const rows = all_rows(log);
  fitted_environments const fitted = fit_environments(log, rows, {.covariates = {"time", "market"}});
  REQUIRE(fitted.model.axes.size() == 1);
  CHECK(fitted.model.axes[0].axis.kind == axis_kind::periodic_slices);
  CHECK(fitted.model.axes[0].gain > 0.3);
  REQUIRE(fitted.model.decisions.size() == 2);
  CHECK(fitted.model.decisions[1].find("market: one environment") == 0);

  double sum = 0;  // log p(y|e) is a distribution in each environment
  for (std::size_t y = 0; y < 20; ++y) sum += std::exp(static_cast<double>(fitted.model.axes[0].log_conditional[y]));
  CHECK(sum == doctest::Approx(1).epsilon(1e-5));
  CHECK(describe_environments(log, fitted, rows).size() == fitted.model.axes[0].axis.environments());
}

TEST_CASE("choice: a log without confounding has one environment and is told why") {
  interaction_log const log = year_log(false);
  fitted_environments const fitted = fit_environments(log, all_rows(log), {.covariates = {"time"}});
  CHECK(fitted.model.axes.empty());
  CHECK(fitted.model.decisions[0].find("one environment; the best division") != std::string::npos);
}

TEST_CASE("choice: a number that was asked for is taken, one turns environments off, an unknown covariate is named") {
  interaction_log const log = year_log(false);
  auto const rows = all_rows(log);
  CHECK(fit_environments(log, rows, {.covariates = {"time"}, .environments = 4}).model.axes.at(0).axis.environments() == 4);
  CHECK(fit_environments(log, rows, {.covariates = {"time"}, .environments = 1}).model.axes.empty());
  CHECK_THROWS_WITH_AS(fit_environments(log, rows, {.covariates = {"device"}}), "made here has no covariate device; it has time, market", data_error);
}

TEST_CASE("offsets of several covariates add their log ratios") {
  environment_model model;
  model.log_marginal = {-1, -2};
  for (float shift : {0.5F, 0.25F}) {
    exposure_axis e;
    e.axis.levels = {"a", "b"};
    e.log_conditional = {-1 + shift, -2 - shift, -1 - shift, -2 + shift};
    model.axes.push_back(e);
  }
  std::vector<std::vector<float>> const q{{1, 0}, {0.5F, 0.5F}};
  CHECK(model.log_exposure(q, 0) == doctest::Approx(-0.5));  // the first axis adds 0.5, the second 0.25 - 0.25 over two
  CHECK(model.log_exposure(q, 1) == doctest::Approx(-2.5));
}
