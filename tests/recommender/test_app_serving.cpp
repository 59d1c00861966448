// SPDX-License-Identifier: Apache-2.0
// Serving, the parts of an evaluation, and what a model remembers of its log.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "app/engine.hpp"
#include "app/held_out.hpp"
#include "app/metrics.hpp"
#include "app/serving.hpp"

using namespace recommender;

namespace {

environment_model two_items() {
  environment_model model;
  model.log_marginal = {-1, -2};
  return model;
}

interaction_log small_log() {
  interaction_log log;
  log.source = "made here";
  log.has_time = true;
  log.user_ids = {"ann", "bob, \"b\""};
  log.item_ids = {"x", "y"};
  log.interactions = {{0, 0, 10, 1}, {0, 1, 20.5, 1}, {1, 1, 30, 1}};
  return log;
}

}  // namespace

TEST_CASE("serve: what each way adds to the scores") {
  environment_model const model = two_items();
  serving_context const aligned{true, 2, 0.4, &model}, plain{false, 2, 0.4, &model};
  auto const served = [&](serving_context const& context, serving_options const& options) {
    std::vector<float> scores{5, 5};
    serve(scores, options, context, {});
    return scores;
  };
  serving_options o;
  CHECK(served(aligned, o) == std::vector<float>{5, 5});
  o.mode = serve_mode::uniform;
  CHECK(served(aligned, o) == std::vector<float>{5, 5});
  o.mode = serve_mode::today;  // 0.4 * 2 * log p(y)
  CHECK(served(aligned, o)[1] == doctest::Approx(5 - 1.6));
  CHECK(served(plain, o) == std::vector<float>{5, 5});  // a swap of the marginal for itself
  o.kappa = 1;
  CHECK(served(aligned, o)[0] == doctest::Approx(3));
  o = {.mode = serve_mode::removed, .kappa = {}, .forecast_log_exposure = {}};  // - 0.75 * 2 * log p(y)
  CHECK(served(plain, o)[1] == doctest::Approx(8));
  o = {.mode = serve_mode::forecast, .kappa = 0.5, .forecast_log_exposure = {-3, -0.5F}};
  CHECK(served(aligned, o)[1] == doctest::Approx(4.5));
  CHECK(served(plain, o)[1] == doctest::Approx(6.5));
  CHECK_THROWS_AS(serve_mode_of("tomorrow"), std::invalid_argument);
}

TEST_CASE("forecast: counts of another log, smoothed towards training; a log of other items says nothing") {
  std::vector<std::string> const ids{"x", "y"};
  std::vector<std::int64_t> const counts{90, 10};
  std::vector<float> const p = forecast_exposure(ids, counts, small_log(), 10);
  // marginal (90.5 + 1, 10.5 + 2) / 104; conditional (C + 10 p) / (3 + 10)
  CHECK(std::exp(p[0]) == doctest::Approx((1 + 10 * 91.5 / 104) / 13).epsilon(1e-5));
  CHECK(std::exp(p[1]) == doctest::Approx((2 + 10 * 12.5 / 104) / 13).epsilon(1e-5));
  std::vector<std::string> const others{"p", "q"};
  CHECK_THROWS_AS(forecast_exposure(others, counts, small_log()), data_error);
}

TEST_CASE("popularity groups: a fifth of the interactions each, ties in the order of the items") {
  std::vector<std::int64_t> const counts{1, 5, 1, 1, 1, 1, 0};
  CHECK(popularity_groups(counts) == std::vector<std::int64_t>{2, 0, 3, 3, 4, 4, 4});
  CHECK(popularity_groups(std::vector<std::int64_t>{0, 0}) == std::vector<std::int64_t>{4, 4});
  CHECK(popularity_groups(std::vector<std::int64_t>{}).empty());
}

TEST_CASE("evaluation: ranks, parts and weights by hand") {
  // Three items, scores 3 2 1 for everyone: item y has rank y.
  std::vector<test_case> const cases{{0.5, 0, 0, 0, 9, 0}, {0.5, 0, 2, 100, 9, 1}, {1, 1, 1, 50, 2, 1}};
  std::vector<std::int64_t> const counts{8, 1, 1};
  auto const on = make_engine();
  evaluation_result const r = evaluate_ranking(*on, cases, 3, counts, {"winter", "summer"}, true, [](std::span<test_case const> part, std::span<float> out) {
    for (std::size_t i = 0; i < part.size(); ++i)
      for (std::size_t y = 0; y < 3; ++y) out[3 * i + y] = static_cast<float>(3 - y);
  });
  double const second = 1 / std::log2(3.0), third = 0.5;
  CHECK(r.all.cases == 3);
  CHECK(r.all.hit_rate_10 == doctest::Approx(1));
  CHECK(r.all.ndcg_10 == doctest::Approx((0.5 * 1 + 0.5 * third + second) / 2));
  CHECK(r.all.mrr == doctest::Approx((0.5 * 1 + 0.5 / 3 + 0.5) / 2));
  CHECK(r.popularity[0].cases == 1);
  CHECK(r.popularity[4].cases == 2);
  CHECK(r.time[0].cases == 1);
  CHECK(r.time[2].cases == 1);
  CHECK(r.time[4].cases == 1);
  CHECK(r.short_histories.cases == 1);
  CHECK(r.short_histories.ndcg_10 == doctest::Approx(second));
  CHECK(r.worst.name == "summer");
  CHECK(r.worst.ndcg_10 == doctest::Approx((0.5 * third + second) / 1.5));

  evaluation_result const none = evaluate_ranking(*on, {}, 3, counts, {}, false, [](std::span<test_case const>, std::span<float>) {});
  CHECK(none.all.cases == 0);
  CHECK(none.all.ndcg_10 == 0);
}

TEST_CASE("held-out rows survive the file, quotes and commas included; what the log lacks is counted") {
  interaction_log const log = small_log();
  held_out_rows const rows{{{0, 1, 20.5, 1, "north\t3"}}, {{1, 1, 30, 2, "so\"uth,"}}};
  std::string const csv = held_out_to_csv(log, rows);
  std::size_t missing = 9;
  held_out_rows const back = held_out_from_csv(csv, log, missing);
  CHECK(missing == 0);
  REQUIRE(back.validation.size() == 1);
  REQUIRE(back.test.size() == 1);
  CHECK(back.validation[0].timestamp == 20.5);
  CHECK(back.validation[0].circumstances == "north\t3");
  CHECK(back.test[0].user == 1);
  CHECK(back.test[0].circumstances == "so\"uth,");

  interaction_log fewer = log;
  fewer.user_ids = {"ann", "carl"};
  CHECK(held_out_from_csv(csv, fewer, missing).test.empty());
  CHECK(missing == 1);
  CHECK_THROWS_WITH_AS(held_out_from_csv("part,user\ntest,ann\n", log, missing), doctest::Contains("held_out.csv:2"), data_error);
}

TEST_CASE("align: the model's numbers, new users behind them, unknown items dropped") {
  std::size_t unknown = 0;
  interaction_log const aligned = align(small_log(), {"z", "y"}, {"dora", "ann"}, unknown);
  CHECK(unknown == 1);
  CHECK(aligned.user_ids == std::vector<std::string>{"dora", "ann", "bob, \"b\""});
  REQUIRE(aligned.interactions.size() == 2);
  CHECK(aligned.interactions[0].user == 1);
  CHECK(aligned.interactions[0].item == 1);
  CHECK(aligned.interactions[1].user == 2);
}
