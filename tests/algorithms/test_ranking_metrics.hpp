// SPDX-License-Identifier: Apache-2.0
// ranking_metrics and expected_ranking_metrics: by hand, against sorting, edges, agreement and what is refused.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/evaluation/expected_ranking_metrics.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// Scores with many ties and exclusions, and every output of ranking_metrics.
template <class T>
struct ranking_problem {
  index_t users, items, groups = 4, envs = 3;
  ranking_options options;
  std::vector<T> scores;
  std::vector<std::int64_t> targets, item_groups;
  std::vector<std::int32_t> env_ids;
  std::vector<index_t> ranks, group_count, env_count;
  std::vector<T> hit_rate, ndcg, mrr, or_ratio, coverage, group_hit_rate, group_ndcg, env_hit_rate, env_ndcg, worst_hit_rate,
      worst_ndcg;

  ranking_problem(index_t u, index_t i, short_list<index_t> ks) : users(u), items(i), options{ks, 4, 3} {
    random_source random(static_cast<std::uint64_t>(u * 1000 + i));
    for (index_t n = 0; n < u * i; ++n)
      scores.push_back(random.uniform() < 0.1 ? -std::numeric_limits<T>::infinity() : static_cast<T>(random.below(i)) / 4);
    for (index_t n = 0; n < u; ++n) {
      targets.push_back(random.uniform() < 0.1 ? -1 : random.below(i));
      env_ids.push_back(static_cast<std::int32_t>(random.below(2)));  // environment 2 stays empty
    }
    for (index_t n = 0; n < i; ++n) item_groups.push_back(random.below(3));  // group 3 stays empty
    std::size_t const k = static_cast<std::size_t>(ks.size());
    ranks.assign(static_cast<std::size_t>(u), -9);
    group_count.assign(4, -9);
    env_count.assign(3, -9);
    hit_rate.assign(k, T(-9));
    ndcg = mrr = or_ratio = coverage = worst_hit_rate = worst_ndcg = hit_rate;
    group_hit_rate.assign(4 * k, T(-9));
    group_ndcg = group_hit_rate;
    env_hit_rate.assign(3 * k, T(-9));
    env_ndcg = env_hit_rate;
  }
  view<T const, 2> score_matrix() const { return {scores.data(), users, items}; }
  template <class B>
  void run(B& be) {
    index_t const k = options.ks.size();
    ranking_metrics(be, score_matrix(), targets,
                    {.ranks = ranks,
                     .hit_rate = hit_rate,
                     .ndcg = ndcg,
                     .mrr = mrr,
                     .or_ratio = or_ratio,
                     .coverage = coverage,
                     .item_group_hit_rate = matrix(group_hit_rate.data(), groups, k),
                     .item_group_ndcg = matrix(group_ndcg.data(), groups, k),
                     .item_group_count = group_count,
                     .env_hit_rate = matrix(env_hit_rate.data(), envs, k),
                     .env_ndcg = matrix(env_ndcg.data(), envs, k),
                     .env_count = env_count,
                     .worst_env_hit_rate = worst_hit_rate,
                     .worst_env_ndcg = worst_ndcg},
                    options, item_groups, env_ids);
  }
  bool same(ranking_problem const& o) const {
    return ranks == o.ranks && group_count == o.group_count && env_count == o.env_count && hit_rate == o.hit_rate &&
           ndcg == o.ndcg && mrr == o.mrr && or_ratio == o.or_ratio && coverage == o.coverage &&
           group_hit_rate == o.group_hit_rate && group_ndcg == o.group_ndcg && env_hit_rate == o.env_hit_rate &&
           env_ndcg == o.env_ndcg && worst_hit_rate == o.worst_hit_rate && worst_ndcg == o.worst_ndcg;
  }
  double difference(ranking_problem const& o) const {
    if (ranks != o.ranks || group_count != o.group_count || env_count != o.env_count) return 1;
    double worst = 0;
    for (auto member : {&ranking_problem::hit_rate, &ranking_problem::ndcg, &ranking_problem::mrr, &ranking_problem::or_ratio,
                        &ranking_problem::coverage, &ranking_problem::group_hit_rate, &ranking_problem::group_ndcg,
                        &ranking_problem::env_hit_rate, &ranking_problem::env_ndcg, &ranking_problem::worst_hit_rate,
                        &ranking_problem::worst_ndcg})
      worst = std::max(worst, relative_error(this->*member, o.*member));
    return worst;
  }
  /// The items of user u that are not excluded, best first.
  std::vector<index_t> sorted(index_t u) const {
    std::vector<index_t> order;
    for (index_t i = 0; i < items; ++i)
      if (score_matrix()(u, i) > -std::numeric_limits<T>::infinity()) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](index_t a, index_t b) { return score_matrix()(u, a) > score_matrix()(u, b); });
    return order;
  }
};

TEST_CASE_TEMPLATE("ranking_metrics: places 0, 1, 2 and a miss by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const out = -std::numeric_limits<T>::infinity();
  std::vector<T> scores{3, 2, 1, 3, 2, 1, 2, 2, 2, 9, out, 0}, hr(3), ndcg(3), mrr(3), ratio(3), coverage(3);
  std::vector<std::int64_t> targets{0, 1, 2, 1};
  std::vector<index_t> ranks(4);
  ranking_metrics(be, matrix(scores.data(), 4, 3), targets,
                  {.ranks = ranks, .hit_rate = hr, .ndcg = ndcg, .mrr = mrr, .or_ratio = ratio, .coverage = coverage},
                  {.ks = {1, 2, 3}});
  CHECK(ranks == std::vector<index_t>{0, 1, 2, -1});
  double const l3 = std::log(2.0) / std::log(3.0), eps = tolerance<T>();
  CHECK(hr == std::vector<T>{T(0.25), T(0.5), T(0.75)});
  CHECK(relative_error(ndcg, std::vector<double>{0.25, (1 + l3) / 4, (1 + l3 + 0.5) / 4}) < eps);
  CHECK(relative_error(mrr, std::vector<double>{0.25, 0.375, (1 + 0.5 + 1.0 / 3) / 4}) < eps);
  CHECK(relative_error(ratio, std::vector<double>{1, 1, 11.0 / 12}) <
        eps);  // item 1 is excluded for user 3: 4 + 3 + 4 of 12 places
  CHECK(relative_error(coverage, std::vector<double>{1.0 / 3, 1, 1}) < eps);
}

TEST_CASE_TEMPLATE("ranking_metrics: agrees with sorting", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (auto const& [users, items] : {std::pair<index_t, index_t>{67, 101}, {1, 1}, {5, 3}}) {
    ranking_problem<T> p(users, items, {1, 7, 2, 100, 150});
    p.run(be);
    for (int c = 0; c < p.options.ks.size(); ++c) {
      index_t const k = p.options.ks[c];
      std::size_t const at = static_cast<std::size_t>(c);
      double hits = 0, gains = 0;
      std::vector<double> group_hits(4), env_gains(3);
      std::vector<index_t> group_users(4), env_users(3), listed(static_cast<std::size_t>(p.items));
      for (index_t u = 0; u < p.users; ++u) {
        std::vector<index_t> const order = p.sorted(u);
        std::size_t const n = static_cast<std::size_t>(u);
        auto const found = std::find(order.begin(), order.end(), p.targets[n]);
        index_t const rank = found == order.end() ? -1 : static_cast<index_t>(found - order.begin());
        CHECK(p.ranks[n] == rank);
        double const hit = rank >= 0 && rank < k ? 1 : 0,
                     gain = hit > 0 ? std::log(2.0) / std::log(static_cast<double>(rank) + 2) : 0;
        hits += hit;
        gains += gain;
        if (p.targets[n] >= 0) {
          std::size_t const g = static_cast<std::size_t>(p.item_groups[static_cast<std::size_t>(p.targets[n])]);
          group_hits[g] += hit;
          ++group_users[g];
        }
        env_gains[static_cast<std::size_t>(p.env_ids[n])] += gain;
        ++env_users[static_cast<std::size_t>(p.env_ids[n])];
        for (std::size_t place = 0; place < order.size() && static_cast<index_t>(place) < k; ++place)
          ++listed[static_cast<std::size_t>(order[place])];
      }
      double const eps = tolerance<T>(p.users), everyone = static_cast<double>(p.users);
      CHECK(std::abs(static_cast<double>(p.hit_rate[at]) - hits / everyone) < eps);
      CHECK(std::abs(static_cast<double>(p.ndcg[at]) - gains / everyone) < eps);
      double worst = 2;
      for (std::size_t g = 0; g < 4; ++g) {
        CHECK(p.group_count[g] == group_users[g]);
        double const mean = group_users[g] > 0 ? group_hits[g] / static_cast<double>(group_users[g]) : 0;
        CHECK(std::abs(static_cast<double>(p.group_hit_rate[g * 5 + at]) - mean) < eps);
      }
      for (std::size_t e = 0; e < 3; ++e) {
        CHECK(p.env_count[e] == env_users[e]);
        double const mean = env_users[e] > 0 ? env_gains[e] / static_cast<double>(env_users[e]) : 0;
        CHECK(std::abs(static_cast<double>(p.env_ndcg[e * 5 + at]) - mean) < eps);
        if (env_users[e] > 0) worst = std::min(worst, mean);
      }
      CHECK(std::abs(static_cast<double>(p.worst_ndcg[at]) - worst) < eps);
      double const distinct = static_cast<double>(std::count_if(listed.begin(), listed.end(), [](index_t n) { return n > 0; }));
      std::sort(listed.rbegin(), listed.rend());
      listed.resize(3);
      double const top = static_cast<double>(std::accumulate(listed.begin(), listed.end(), index_t{0}));
      CHECK(std::abs(static_cast<double>(p.or_ratio[at]) - top / (static_cast<double>(k) * everyone)) < eps);
      CHECK(std::abs(static_cast<double>(p.coverage[at]) - distinct / static_cast<double>(p.items)) < eps);
    }
  }
}

TEST_CASE_TEMPLATE("ranking_metrics: repetition, padding, and agreement with the reference backend", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  ranking_problem<T> a(311, 1201, {10, 20}), b(a), c(a);
  ranking_problem<T> const inputs = a;
  a.run(be);
  std::size_t const before = be.allocations();
  b.run(be);
  CHECK(be.allocations() == before);
  CHECK(a.same(b));
  c.run(reference);
  CHECK(a.difference(c) < tolerance<T>(a.users));
  CHECK(a.scores == inputs.scores);
  CHECK(a.targets == inputs.targets);

  index_t const ld = a.items + 3;
  std::vector<T> padded(static_cast<std::size_t>(a.users * ld), std::numeric_limits<T>::quiet_NaN()), hr(2);
  for (index_t u = 0; u < a.users; ++u)
    for (index_t i = 0; i < a.items; ++i) padded[static_cast<std::size_t>(u * ld + i)] = a.score_matrix()(u, i);
  ranking_metrics(be, matrix(padded.data(), a.users, a.items, ld), a.targets, {.hit_rate = hr});
  CHECK(hr == a.hit_rate);
}

TEST_CASE_TEMPLATE("ranking_metrics: no users, no items, no cutoffs", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> none(1), a(2, T(9)), b(2, T(9)), c(2, T(9)), table(4, T(9));
  std::vector<std::int64_t> ids{-1, -1};
  view<std::int64_t const, 1> const no_ids(ids.data(), 0);
  ranking_metrics(be, matrix(none.data(), 0, 5), no_ids, {.ndcg = a, .or_ratio = b, .coverage = c});
  CHECK(a == std::vector<T>{0, 0});
  CHECK(b == std::vector<T>{0, 0});
  CHECK(c == std::vector<T>{0, 0});
  ranking_metrics(be, matrix(none.data(), 0, 5), no_ids, {.env_ndcg = matrix(table.data(), 2, 2), .worst_env_ndcg = a},
                  {.n_envs = 2}, {}, no_ids);
  CHECK(table == std::vector<T>(4, T(0)));
  CHECK(a == std::vector<T>{0, 0});

  a = b = c = {T(9), T(9)};
  std::vector<index_t> ranks{9, 9};
  ranking_metrics(be, matrix(none.data(), 2, 0), ids, {.ranks = ranks, .hit_rate = a, .or_ratio = b, .coverage = c});
  CHECK(ranks == std::vector<index_t>{-1, -1});
  CHECK(a == std::vector<T>{0, 0});
  CHECK(b == std::vector<T>{0, 0});
  CHECK(c == std::vector<T>{0, 0});
  ranking_metrics(be, matrix(none.data(), 2, 0), ids, {.ranks = ranks}, {.ks = {}});
}

TEST_CASE_TEMPLATE("ranking_metrics: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  ranking_problem<T> const p(6, 5, {2});
  auto fails = [&](auto change, char const* message) {
    ranking_problem<T> q = p;
    change(q);
    CHECK_THROWS_WITH_AS(q.run(be), doctest::Contains(message), value_error);
  };
  fails([](auto& q) { q.scores[7] = std::numeric_limits<T>::quiet_NaN(); },
        "ranking_metrics: scores holds a NaN at flat position 7");
  fails([](auto& q) { q.targets[3] = 5; },
        "ranking_metrics: targets at flat position 3 (row-major) is neither -1 nor an item in [0, I)");
  fails([](auto& q) { q.targets[3] = -2; }, "targets at flat position 3");
  fails([](auto& q) { q.env_ids[2] = 3; }, "env_ids at flat position 2 (row-major) is outside [0, n_envs)");
  fails([](auto& q) { q.targets.assign(6, 4), q.item_groups[4] = -1; }, "item_groups at flat position 4");

  std::vector<T> one(1), two(2);
  CHECK_THROWS_WITH_AS(ranking_metrics(be, p.score_matrix(), std::vector<std::int64_t>(4), {.mrr = one}),
                       "ranking_metrics: targets is [4] and must be [6] (one for each row of scores)", shape_error);
  CHECK_THROWS_AS(ranking_metrics(be, p.score_matrix(), p.targets, {.mrr = one}), shape_error);
  CHECK_THROWS_AS(ranking_metrics(be, p.score_matrix(), p.targets, {.worst_env_ndcg = two}), shape_error);
  CHECK_THROWS_AS(ranking_metrics(be, p.score_matrix(), p.targets, {.item_group_ndcg = matrix(one.data(), 1, 1)},
                                  {.ks = {1}, .n_item_groups = 1}),
                  shape_error);
  CHECK_THROWS_WITH_AS(ranking_metrics(be, p.score_matrix(), p.targets, {.mrr = one}, {.ks = {0}}),
                       "ranking_metrics: ks is 0 and must be >= 1 each", option_error);
  CHECK_THROWS_AS(ranking_metrics(be, p.score_matrix(), p.targets, {.mrr = one}, {.ks = {1}, .n_envs = -1}), option_error);
  CHECK_THROWS_AS(static_cast<void>(ranking_options{.ks = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}}),
                  option_error);
}

TEST_CASE_TEMPLATE("expected_ranking_metrics: by hand, with an excluded item", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const out = -std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> scores{1, 3, 2, out, 1, 1, 1, 1}, p{T(0.5), T(0.125), T(0.25), nan, 0, 0, T(0.5), T(0.5)}, hr(3), ndcg(3),
      mrr(3);
  expected_ranking_metrics(be, matrix(scores.data(), 2, 4), matrix(p.data(), 2, 4), {.hit_rate = hr, .ndcg = ndcg, .mrr = mrr},
                           {.ks = {1, 3, 9}});
  double const eps = tolerance<T>(), l3 = std::log(2.0) / std::log(3.0), l5 = std::log(2.0) / std::log(5.0);
  CHECK(hr == std::vector<T>{T(0.0625), T(0.6875), T(0.9375)});
  CHECK(relative_error(ndcg, std::vector<double>{0.0625, (0.125 + 0.25 * l3 + 0.25 + 0.25) / 2,
                                                 (0.125 + 0.25 * l3 + 0.25 + 0.25 + 0.5 * l5) / 2}) < eps);
  CHECK(relative_error(mrr, std::vector<double>{0.0625, (0.125 + 0.125 + 0.5 / 3 * 2) / 2,
                                                (0.125 + 0.125 + 0.5 / 3 * 2 + 0.125) / 2}) < eps);
}

TEST_CASE_TEMPLATE("expected_ranking_metrics: certain targets give ranking_metrics", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  ranking_problem<T> p(131, 203, {1, 5, 50, 300});
  p.run(be);
  std::vector<T> certain(p.scores.size(), T(0)), hr(4), ndcg(4), mrr(4);
  for (index_t u = 0; u < p.users; ++u)
    if (index_t const target = p.targets[static_cast<std::size_t>(u)]; target >= 0)
      certain[static_cast<std::size_t>(u * p.items + target)] = T(1);
  auto run = [&] {
    expected_ranking_metrics(be, p.score_matrix(), matrix(certain.data(), p.users, p.items),
                             {.hit_rate = hr, .ndcg = ndcg, .mrr = mrr}, {.ks = {1, 5, 50, 300}});
  };
  run();
  CHECK(relative_error(hr, p.hit_rate) < tolerance<T>(p.users));
  CHECK(relative_error(ndcg, p.ndcg) < tolerance<T>(p.users));
  CHECK(relative_error(mrr, p.mrr) < tolerance<T>(p.users));
  std::vector<T> const first = ndcg;
  std::size_t const before = be.allocations();
  run();
  CHECK(be.allocations() == before);
  CHECK(ndcg == first);

  certain[static_cast<std::size_t>(p.sorted(2)[0] + 2 * p.items)] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(run(), doctest::Contains("expected_ranking_metrics: probabilities holds a NaN"), value_error);
  CHECK_THROWS_AS(expected_ranking_metrics(be, p.score_matrix(), matrix(certain.data(), p.items, p.users), {}), shape_error);
  CHECK_THROWS_AS(expected_ranking_metrics(be, p.score_matrix(), p.score_matrix(), {}, {.ks = {-1}}), option_error);
}

}  // namespace causaldpo::test
