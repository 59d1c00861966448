// SPDX-License-Identifier: Apache-2.0
// sample_environments: the distribution, certain and empty rows, the same draws everywhere, and in sample_negatives.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/preference/negative_sampler.hpp"
#include "causaldpo/preference/sample_environments.hpp"
#include "causaldpo/preference/sample_negatives.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("sample_environments: frequencies, certain rows, empty rows", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  index_t const n = 20000;
  std::vector<T> q;
  for (index_t i = 0; i < n; ++i)
    for (T w : {T(0.125), T(0), T(0.5), T(0.375)}) q.push_back(i % 2 == 0 ? w : w * T(3));  // rows need not sum to 1
  std::vector<index_t> environments(static_cast<std::size_t>(n));
  sample_environments(be, matrix(q.data(), n, 4), {environments}, {.seed = 4});
  std::vector<double> count(4);
  std::vector<double> const share{0.125, 0, 0.5, 0.375};
  for (index_t e : environments) ++count[static_cast<std::size_t>(e)];
  for (std::size_t k = 0; k < 4; ++k)
    CHECK(std::abs(count[k] - share[k] * static_cast<double>(n)) <=
          5 * std::sqrt(share[k] * (1 - share[k]) * static_cast<double>(n)));

  std::vector<T> edges{0, 1, 0, 0, 0, 0, 0, 0, T(1e-30)};
  std::vector<index_t> few(3, 9), again(static_cast<std::size_t>(n)), padded(2, 9);
  sample_environments(be, matrix(edges.data(), 3, 3), {few});
  CHECK(few == std::vector<index_t>{1, -1, 2});
  sample_environments(be, matrix(edges.data(), 2, 1, 2), {padded});
  CHECK(padded == std::vector<index_t>{-1, -1});
  sample_environments(be, matrix(edges.data(), 3, 0), {few});
  CHECK(few == std::vector<index_t>{-1, -1, -1});

  reference_backend reference;
  sample_environments(reference, matrix(q.data(), n, 4), {again}, {.seed = 4});
  CHECK(again == environments);
  std::vector<std::int32_t> const names{7, 3};
  sample_environments(be, matrix(q.data(), 2, 4), {padded}, {.seed = 4}, names);
  CHECK(padded == std::vector<index_t>{environments[7], environments[3]});
}

TEST_CASE_TEMPLATE("sample_environments: rejected items from the mixture of an example's environments", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  index_t const n = 9000;
  T const out = -std::numeric_limits<T>::infinity();
  std::vector<T> log_p{0, out, out, out, out, 0, std::log(T(3)), out},
      q;  // environment 0 offers item 0, 1 offers 1 and 2 as 1 : 3
  for (index_t i = 0; i < n; ++i) q.insert(q.end(), {T(0.25), i == 0 ? T(0) : T(0.75)});
  q[0] = 0;
  auto const sampler = negative_sampler::from_log_probabilities(matrix(log_p.data(), 2, 4));
  std::vector<index_t> environments(static_cast<std::size_t>(n)), items(environments), chosen(environments.size(), 3);
  std::vector<std::uint8_t> mask(environments.size());
  sample_environments(be, matrix(q.data(), n, 2), {environments}, {.seed = 1, .stream = 1});
  sample_negatives(be, {.chosen = chosen, .environments = environments},
                   {.items = matrix(items.data(), n, 1), .mask = matrix(mask.data(), n, 1)},
                   {.source = negative_source::per_environment, .seed = 1, .stream = 2}, sampler.running());
  CHECK(environments[0] == -1);
  CHECK(mask[0] == 0);
  CHECK(std::count(mask.begin(), mask.end(), 1) == n - 1);
  double const all = static_cast<double>(n - 1), share[] = {0.25, 0.1875, 0.5625};
  for (index_t y = 0; y < 3; ++y) {
    double const p = share[y], found = static_cast<double>(std::count(items.begin() + 1, items.end(), y));
    CHECK(std::abs(found - p * all) < 5 * std::sqrt(p * (1 - p) * all));
  }
}

TEST_CASE_TEMPLATE("sample_environments: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> q{1, 0, 0, std::numeric_limits<T>::quiet_NaN()};
  std::vector<index_t> environments(2);
  CHECK_THROWS_WITH_AS(sample_environments(be, matrix(q.data(), 2, 2), {environments}),
                       doctest::Contains("sample_environments: q holds a NaN at flat position 3"), value_error);
  CHECK_THROWS_AS(sample_environments(be, matrix(q.data(), 1, 2), {environments}), shape_error);
  CHECK_THROWS_AS(sample_environments(be, matrix(q.data(), 2, 1), {environments}, {}, std::vector<std::int64_t>(3)), shape_error);
}

}  // namespace causaldpo::test
