// SPDX-License-Identifier: Apache-2.0
// build_preference_pairs: examples by hand, batches that do not depend on their order, and what is refused.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/preference/build_preference_pairs.hpp"
#include "causaldpo/preference/negative_sampler.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("build_preference_pairs: three users by hand", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  std::vector<std::int32_t> const offsets{0, 4, 4, 6}, history{5, 2, 0, 3, 1, 4};  // user 1 has nothing
  known_items const known({offsets, history});
  std::vector<std::int64_t> const every = example_positions(offsets);
  CHECK(every == std::vector<std::int64_t>{1, 2, 3, 5});
  CHECK(example_positions(offsets, 0) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5});
  CHECK(example_positions(offsets, 3) == std::vector<std::int64_t>{3});

  std::vector<index_t> users(4), chosen(4), begin(4), end(4), rejected(8);
  std::vector<std::uint8_t> mask(8);
  pair_results<> const out{.users = users, .chosen = chosen, .history_begin = begin, .history_end = end,
                           .rejected = matrix(rejected.data(), 4, 2), .rejected_mask = matrix(mask.data(), 4, 2)};
  build_preference_pairs(be, {.histories = {offsets, history}, .positions = every, .known = known.lists()}, out,
                         {.max_history = 2, .negatives = {.item_count = 6}});
  CHECK(users == std::vector<index_t>{0, 0, 0, 2});
  CHECK(chosen == std::vector<index_t>{2, 0, 3, 4});
  CHECK(begin == std::vector<index_t>{0, 0, 1, 4});
  CHECK(end == std::vector<index_t>{1, 2, 3, 5});
  CHECK(mask == std::vector<std::uint8_t>(8, 1));
  for (std::size_t n = 0; n < 6; ++n) CHECK((rejected[n] == 1 || rejected[n] == 4));  // user 0 knows 0, 2, 3, 5
  for (std::size_t n = 6; n < 8; ++n) CHECK((rejected[n] != 1 && rejected[n] != 4));  // user 2 knows 1, 4

  build_preference_pairs(be, {.histories = {offsets, history}, .positions = every}, {.history_begin = begin});
  CHECK(begin == std::vector<index_t>{0, 0, 0, 4});
}

TEST_CASE_TEMPLATE("build_preference_pairs: an example is the same in every batch and on every backend", Cell,
                   CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  reference_backend reference;
  random_source random(4);
  std::vector<std::int64_t> offsets{0}, history;
  for (index_t u = 0; u < 60; ++u) {
    for (index_t k = random.below(30); k > 0; --k) history.push_back(random.below(200));
    offsets.push_back(static_cast<std::int64_t>(history.size()));
  }
  std::vector<double> const log_p = random.normals<double>(200);
  auto const sampler = negative_sampler::from_log_probabilities(matrix(log_p.data(), 1, 200), 0.75);
  known_items const known({offsets, history});
  std::vector<std::int64_t> const every = example_positions(offsets);
  index_t const n = static_cast<index_t>(every.size()), half = n / 2;
  pair_options const options{.negatives = {.source = negative_source::popularity, .seed = 9, .stream = 1}};
  auto build = [&](auto& backend, view<std::int64_t const, 1> positions) {
    std::vector<index_t> rejected(static_cast<std::size_t>(positions.size() * 3));
    build_preference_pairs(backend, {.histories = {offsets, history}, .positions = positions, .known = known.lists()},
                           {.rejected = matrix(rejected.data(), positions.size(), 3)}, options, sampler.running());
    return rejected;
  };
  view<std::int64_t const, 1> const all = every;
  std::vector<index_t> const whole = build(be, all);
  std::size_t const before = be.allocations();
  CHECK(build(be, all) == whole);
  CHECK(be.allocations() == before);
  CHECK(build(reference, all) == whole);
  std::vector<index_t> joined = build(be, all.part(0, half));
  for (index_t item : build(be, all.part(half, n - half))) joined.push_back(item);
  CHECK(joined == whole);
  std::vector<std::int64_t> const backwards(every.rbegin(), every.rend());
  std::vector<index_t> const reversed = build(be, backwards);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < 3; ++j)
      CHECK(reversed[static_cast<std::size_t>(i * 3 + j)] == whole[static_cast<std::size_t>((n - 1 - i) * 3 + j)]);
}

TEST_CASE_TEMPLATE("build_preference_pairs: empty batches, and what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  std::vector<std::int64_t> const offsets{0, 2, 3}, history{5, 2, 0}, none, shorter{0, 2};
  std::vector<std::int64_t> positions{1, 3};
  std::vector<index_t> users(2), rejected(2);
  CHECK(example_positions(none).empty());
  build_preference_pairs(be, {.histories = {offsets, history}, .positions = none}, {}, {.negatives = {.item_count = 6}});
  pair_inputs<> const inputs{.histories = {offsets, history}, .positions = positions};
  CHECK_THROWS_WITH_AS(
      build_preference_pairs(be, inputs, {.users = users}),
      "build_preference_pairs: positions at flat position 1 (row-major) is not the position of an item in histories",
      value_error);
  positions[1] = -1;
  CHECK_THROWS_AS(build_preference_pairs(be, inputs, {.users = users}), value_error);
  positions[1] = 2;
  build_preference_pairs(be, inputs, {.users = users});
  CHECK(users == std::vector<index_t>{0, 1});
  CHECK_THROWS_AS(build_preference_pairs(be, inputs, {.rejected = matrix(rejected.data(), 2, 1)}), option_error);  // item_count
  CHECK_THROWS_AS(build_preference_pairs(be, inputs, {.users = users}, {.max_history = -1}), option_error);
  CHECK_THROWS_AS(build_preference_pairs(be, inputs, {.chosen = view<index_t, 1>(users.data(), 1)}), shape_error);
  CHECK_THROWS_WITH_AS(
      build_preference_pairs(be, {.histories = {offsets, history}, .positions = positions, .known = {shorter, history}},
                             {.users = users}),
      "build_preference_pairs: known.offsets is [2] and must be [3] (as histories.offsets: the same users)", shape_error);
}

}  // namespace causaldpo::test
