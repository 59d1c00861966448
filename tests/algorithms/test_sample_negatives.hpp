// SPDX-License-Identifier: Apache-2.0
// sample_negatives: what is never drawn, the distributions, the same draws everywhere, exhausted users, and what is refused.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/preference/negative_sampler.hpp"
#include "causaldpo/preference/sample_negatives.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// Users with histories, a batch of their items, and rejected items for it.
struct negative_problem {
  index_t n, j, item_count;
  std::vector<std::int64_t> offsets{0}, history, users, chosen, environments, names;
  std::vector<index_t> items;
  std::vector<std::uint8_t> mask;
  std::vector<double> log_p;  // [3, items], a tenth of them not on offer

  negative_problem(index_t rows, index_t slots, index_t catalogue) : n(rows), j(slots), item_count(catalogue) {
    random_source random(static_cast<std::uint64_t>(rows + catalogue));
    for (index_t u = 0; u < 20; ++u) {
      for (index_t k = random.below(catalogue / 2); k > 0; --k) history.push_back(random.below(catalogue));
      offsets.push_back(static_cast<std::int64_t>(history.size()));
    }
    for (index_t i = 0; i < n; ++i) {
      users.push_back(random.below(20));
      chosen.push_back(random.below(catalogue));
      environments.push_back(random.below(3));
      names.push_back(1000 - i);
    }
    for (index_t k = 0; k < 3 * catalogue; ++k)
      log_p.push_back(random.uniform() < 0.1 ? -std::numeric_limits<double>::infinity() : random.normal());
    clear();
  }
  void clear() {
    items.assign(static_cast<std::size_t>(n * j), -7);
    mask.assign(items.size(), 7);
  }
  negative_results<> results() { return {.items = matrix(items.data(), n, j), .mask = matrix(mask.data(), n, j)}; }
  negative_batch<> batch(known_items const& known) const {
    return {.chosen = chosen, .users = users, .known = known.lists(), .environments = environments, .names = names};
  }
  bool is_known(index_t user, index_t item) const {
    std::size_t const u = static_cast<std::size_t>(user);
    for (std::int64_t p = offsets[u]; p < offsets[u + 1]; ++p)
      if (history[static_cast<std::size_t>(p)] == item) return true;
    return false;
  }
};

inline constexpr negative_source every_source[] = {negative_source::uniform, negative_source::popularity,
                                                   negative_source::per_environment, negative_source::in_batch};

TEST_CASE_TEMPLATE("sample_negatives: never the chosen item, a known one, or one that is not on offer", Cell,
                   CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  for (negative_source source : every_source)
    for (int tries : {0, 1, 16}) {
      negative_problem p(150, 5, 40);
      known_items const known({p.offsets, p.history});
      auto const sampler = negative_sampler::from_log_probabilities(matrix(p.log_p.data(), 3, 40), 0.5);
      sample_negatives(be, p.batch(known), p.results(), {.source = source, .item_count = 40, .seed = 3, .tries = tries},
                       sampler.running());
      int found = 0;
      for (index_t i = 0; i < p.n; ++i)
        for (index_t j = 0; j < p.j; ++j) {
          index_t const item = p.results().items(i, j), row = static_cast<index_t>(i);
          std::size_t const at = static_cast<std::size_t>(row);
          if (p.results().mask(i, j) == 0) {
            CHECK(item == p.chosen[at]);
            continue;
          }
          ++found;
          REQUIRE(item >= 0);
          REQUIRE(item < 40);
          CHECK(item != p.chosen[at]);
          CHECK_FALSE(p.is_known(p.users[at], item));
          if (source == negative_source::popularity) CHECK(sampler.probability(0, item) > 0);
          if (source == negative_source::per_environment) CHECK(sampler.probability(p.environments[at], item) > 0);
          if (source == negative_source::in_batch) CHECK(std::find(p.chosen.begin(), p.chosen.end(), item) != p.chosen.end());
        }
      CHECK(found == 150 * 5);  // every user has something left
    }
}

TEST_CASE_TEMPLATE("sample_negatives: draws follow the distribution given what is allowed", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  index_t const n = 4000, j = 5, item_count = 12;
  std::vector<std::int64_t> offsets{0, 2}, history{4, 9};
  known_items const known({offsets, history});
  std::vector<std::int64_t> const users(static_cast<std::size_t>(n), 0), environments(static_cast<std::size_t>(n), 1);
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(n), 7);
  for (std::size_t i = 0; i < chosen.size() / 2; ++i)
    chosen[i] = static_cast<std::int64_t>(i % 4);  // 0 1 2 3 and, four times as often, 7
  std::vector<double> counts{1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 11, 12}, log_p(24, 0);
  for (std::size_t y = 0; y < 12; ++y)
    log_p[12 + y] = counts[y] > 0 ? std::log(counts[y]) : -std::numeric_limits<double>::infinity();
  auto const by_count = negative_sampler::from_counts(counts, 0.5);
  auto const by_environment = negative_sampler::from_log_probabilities(matrix(log_p.data(), 2, 12));
  for (negative_source source : every_source)
    for (int tries : {0, 16}) {  // the exact draw alone, and rejection
      std::vector<double> weight(12, 0), drawn(12, 0);
      for (std::size_t y = 0; y < 12; ++y) {
        weight[y] = source == negative_source::uniform      ? 1
                    : source == negative_source::popularity ? std::sqrt(counts[y])
                    : source == negative_source::per_environment
                        ? counts[y]
                        : static_cast<double>(std::count(chosen.begin(), chosen.end(), static_cast<std::int64_t>(y)));
        if (y == 4 || y == 9 || y == 7) weight[y] = 0;
      }
      std::vector<index_t> items(static_cast<std::size_t>(n * j));
      sample_negatives(be, {.chosen = chosen, .users = users, .known = known.lists(), .environments = environments},
                       {.items = matrix(items.data(), n, j)},
                       {.source = source, .item_count = item_count, .seed = 11, .tries = tries},
                       source == negative_source::popularity ? by_count.running() : by_environment.running());
      double total_weight = 0, total = 0, chi_square = 0;
      for (index_t i = n / 2; i < n; ++i)  // the examples whose chosen item is 7
        for (index_t s = 0; s < j; ++s) {
          index_t const item = items[static_cast<std::size_t>(i * j + s)];
          ++drawn[static_cast<std::size_t>(item)];
          ++total;
        }
      for (double w : weight) total_weight += w;
      int cells = 0;
      for (std::size_t y = 0; y < 12; ++y) {
        double const expected = total * weight[y] / total_weight;
        if (weight[y] == 0) CHECK(drawn[y] == 0);
        else chi_square += (drawn[y] - expected) * (drawn[y] - expected) / expected, ++cells;
      }
      double const freedom = cells - 1;
      CHECK(chi_square < freedom + 5 * std::sqrt(2 * freedom));
    }
}

TEST_CASE_TEMPLATE("sample_negatives: the same bits on every backend, in any order, twice", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  reference_backend reference;
  for (negative_source source : every_source) {
    negative_problem a(701, 3, 90), b(a), c(a), d(a);
    known_items const known({a.offsets, a.history});
    auto const sampler = negative_sampler::from_log_probabilities(matrix(a.log_p.data(), 3, 90));
    negative_options options{.source = source, .item_count = 90, .seed = 5, .stream = 2};
    auto run = [&](auto& backend, negative_problem& p) {
      sample_negatives(backend, p.batch(known), p.results(), options, sampler.running());
    };
    run(be, a);
    std::size_t const before = be.allocations();
    run(be, b);
    CHECK(be.allocations() == before);
    CHECK(a.items == b.items);
    run(reference, c);
    CHECK(a.items == c.items);
    CHECK(a.mask == c.mask);
    CHECK(a.chosen == d.chosen);

    if (source != negative_source::in_batch) {
      for (auto member :
           {&negative_problem::users, &negative_problem::chosen, &negative_problem::environments, &negative_problem::names})
        std::reverse((d.*member).begin(), (d.*member).end());
      run(be, d);
      for (index_t i = 0; i < a.n; ++i)
        for (index_t j = 0; j < a.j; ++j) CHECK(a.results().items(i, j) == d.results().items(a.n - 1 - i, j));
    }

    options.stream = 3;
    run(be, b);
    CHECK(a.items != b.items);
    options.stream = 2;
    options.seed = 6;
    run(be, b);
    CHECK(a.items != b.items);
  }
}

TEST_CASE_TEMPLATE("sample_negatives: exhausted users, one item left, empty batches", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  std::vector<std::int64_t> offsets{0, 4, 8, 8},
      history{3, 1, 0, 2, 4, 1, 3, 1};  // user 0 knows 0..3, user 1 1, 3, 4, user 2 nothing
  known_items const known({offsets, history});
  std::vector<std::int64_t> users{0, 0, 1, 2}, chosen{4, 1, 0, 0};
  std::vector<index_t> items(8, -9);
  std::vector<std::uint8_t> mask(8, 9);
  negative_results<> const out{.items = matrix(items.data(), 4, 2), .mask = matrix(mask.data(), 4, 2)};
  negative_batch<> const batch{.chosen = chosen, .users = users, .known = known.lists()};
  sample_negatives(be, batch, out, {.item_count = 5});
  CHECK(mask == std::vector<std::uint8_t>{0, 0, 1, 1, 1, 1, 1, 1});
  CHECK(items[0] == 4);  // nothing is allowed: the chosen item
  CHECK(items[2] == 4);
  CHECK(items[3] == 4);
  CHECK(items[4] == 2);
  CHECK(items[5] == 2);

  auto const nothing_on_offer = negative_sampler::from_counts(std::vector<double>{0, 0, 0, 0, 0});
  sample_negatives(be, batch, out, {.source = negative_source::popularity}, nothing_on_offer.running());
  CHECK(mask == std::vector<std::uint8_t>(8, 0));
  CHECK(nothing_on_offer.probability(0, 2) == 0);

  std::vector<double> const last{0, 0, 0, 0, 3};
  auto const only_the_last = negative_sampler::from_counts(last);
  CHECK(only_the_last.probability(0, 4) == 1);
  sample_negatives(be, batch, out, {.source = negative_source::popularity, .tries = 3}, only_the_last.running());
  CHECK(mask == std::vector<std::uint8_t>{0, 0, 1, 1, 0, 0, 1, 1});

  sample_negatives(be, {.chosen = view<std::int64_t const, 1>(chosen.data(), 1)},
                   {.items = matrix(items.data(), 1, 2), .mask = matrix(mask.data(), 1, 2)},
                   {.source = negative_source::in_batch});
  CHECK(mask[0] == 0);  // a batch of one has no other example
  sample_negatives(be, {.chosen = view<std::int64_t const, 1>(chosen.data(), 0)}, {.items = matrix(items.data(), 0, 2)},
                   {.item_count = 5});
  sample_negatives(be, batch, {.items = matrix(items.data(), 4, 0)}, {.item_count = 5});
  std::vector<index_t> padded(12, -9);
  sample_negatives(be, batch, {.items = matrix(padded.data(), 4, 2, 3)}, {.item_count = 5});
  CHECK(padded[2] == -9);
  CHECK(padded[6] == 2);
  CHECK(padded[7] == 2);
}

TEST_CASE_TEMPLATE("sample_negatives: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  negative_problem const p(6, 2, 8);
  known_items const known({p.offsets, p.history});
  auto const sampler = negative_sampler::from_log_probabilities(matrix(p.log_p.data(), 3, 8));
  auto fails = [&](auto change, char const* message) {
    negative_problem q = p;
    negative_batch<> batch = q.batch(known);
    change(q, batch);
    CHECK_THROWS_WITH_AS(sample_negatives(be, batch, q.results(), {.source = negative_source::per_environment, .item_count = 8},
                                          sampler.running()),
                         doctest::Contains(message), value_error);
  };
  fails([](auto& q, auto&) { q.chosen[3] = 8; }, "sample_negatives: chosen at flat position 3 (row-major) is outside [0, I)");
  fails([](auto& q, auto&) { q.users[2] = 20; }, "users at flat position 2 (row-major) is outside [0, U)");
  fails([](auto& q, auto&) { q.environments[1] = -2; },
        "environments at flat position 1 (row-major) is neither -1 nor in [0, K)");
  std::vector<std::int64_t> descending{1, 0}, all(21, 2);
  all[0] = 0;
  fails([&](auto& q, auto& batch) { q.users.assign(6, 0), batch.known = {all, descending}; }, "known.items at flat position 1");
  all[1] = 3;
  fails([&](auto& q, auto& batch) { q.users.assign(6, 0), batch.known = {all, descending}; }, "known.offsets at flat position 0");

  negative_problem q = p;
  CHECK_THROWS_AS(sample_negatives(be, q.batch(known), {.items = matrix(q.items.data(), 5, 2)}, {.item_count = 8}), shape_error);
  CHECK_THROWS_AS(sample_negatives(be, {.chosen = q.chosen, .known = known.lists()}, q.results(), {.item_count = 8}),
                  shape_error);
  CHECK_THROWS_WITH_AS(sample_negatives(be, q.batch(known), q.results(), {.source = negative_source::popularity}),
                       doctest::Contains("sample_negatives: running is left out"), shape_error);
  CHECK_THROWS_WITH_AS(sample_negatives(be, q.batch(known), q.results()),
                       "sample_negatives: item_count is 0 and must be >= 1 for uniform", option_error);
  CHECK_THROWS_AS(sample_negatives(be, q.batch(known), q.results(), {.item_count = 8, .tries = -1}), option_error);
  CHECK_THROWS_AS(negative_sampler::from_counts(std::vector<double>{1, -1}), value_error);
  CHECK_THROWS_AS(negative_sampler::from_counts(std::vector<double>{1, 1}, -0.5), option_error);
  std::vector<float> const infinite{0, std::numeric_limits<float>::infinity()};
  CHECK_THROWS_WITH_AS(negative_sampler::from_log_probabilities(matrix(infinite.data(), 1, 2)),
                       "negative_sampler: log_probabilities is inf at flat position 1 and must be finite or -inf", value_error);
  std::vector<std::int64_t> const beyond{0, 3}, two{1, 2};
  CHECK_THROWS_AS(known_items({beyond, two}), value_error);
}

}  // namespace causaldpo::test
