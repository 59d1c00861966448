// SPDX-License-Identifier: Apache-2.0
// exposure_model: a case worked by hand, identities, edges, agreement with the reference at several tables, errors.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/environment/exposure_model.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("exposure_model: three clicks by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<std::int32_t> items{0, 1, 0};
  std::vector<T> q{1, 0, 1, 0, 0, 1}, marginal(2), conditional(4), prior(2);

  exposure_model(be, items, matrix(q.data(), 3, 2),
                 {.log_marginal = marginal, .log_conditional = matrix(conditional.data(), 2, 2), .prior = prior},
                 {.smoothing = 2, .base_count = 0.5});

  // n = (2.5, 1.5), p = (5/8, 3/8); environment 0 saw (1, 1), environment 1 (1, 0).
  std::vector<double> const p{0.625, 0.375}, c{2.25 / 4, 1.75 / 4, 2.25 / 3, 0.75 / 3};
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(static_cast<double>(marginal[i]) == doctest::Approx(std::log(p[i])).epsilon(tolerance<T>()));
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(static_cast<double>(conditional[i]) == doctest::Approx(std::log(c[i])).epsilon(tolerance<T>()));
  CHECK(relative_error(prior, std::vector<double>{2.0 / 3, 1.0 / 3}) < tolerance<T>());
}

TEST_CASE_TEMPLATE(
    "exposure_model: several tables agree with the reference and with counting; bits repeat; nothing is allocated twice", Cell,
    CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  index_t const v = 53, k = 3, pad = 2;
  for (index_t n : {8191, 8193, 40009}) {
    random_source random(static_cast<std::uint64_t>(n));
    std::vector<std::int64_t> items(static_cast<std::size_t>(n));
    for (auto& y : items) y = random.below(v);
    auto const q = random.memberships<T>(n, k + pad);
    auto weights = random.normals<T>(n);
    for (T& w : weights) w = w < 0 ? T(0) : w;
    auto const items_before = items;
    auto const q_before = q;
    std::vector<T> m(static_cast<std::size_t>(v)), c(static_cast<std::size_t>(k * (v + pad)), T(-7)),
        p(static_cast<std::size_t>(k)), m2 = m, c2 = c, p2 = p;
    auto const run = [&](auto& backend, std::vector<T>& a, std::vector<T>& b, std::vector<T>& e) {
      exposure_model(backend, items, matrix(q.data(), n, k, k + pad),
                     {.log_marginal = a, .log_conditional = matrix(b.data(), k, v, v + pad), .prior = e}, {.smoothing = 20},
                     weights);
    };
    run(be, m, c, p);
    run(reference, m2, c2, p2);
    CHECK(relative_error(m, m2) < tolerance<T>());
    CHECK(relative_error(c, c2) < tolerance<T>());
    CHECK(relative_error(p, p2) < tolerance<T>());
    CHECK(c[static_cast<std::size_t>(v)] == T(-7));
    CHECK((items == items_before && q == q_before));

    std::vector<double> count(static_cast<std::size_t>(v), 0.5), soft(static_cast<std::size_t>(v), 0.0);
    double total = 0.5 * static_cast<double>(v), mass = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      double const w = static_cast<double>(weights[i]), s = w * static_cast<double>(q[i * static_cast<std::size_t>(k + pad) + 1]);
      count[static_cast<std::size_t>(items[i])] += w;
      soft[static_cast<std::size_t>(items[i])] += s;
      total += w;
      mass += s;
    }
    for (std::size_t y = 0; y < count.size(); ++y) {
      CHECK(static_cast<double>(m[y]) == doctest::Approx(std::log(count[y] / total)).epsilon(tolerance<T>()));
      CHECK(static_cast<double>(c[static_cast<std::size_t>(v + pad) + y]) ==
            doctest::Approx(std::log((soft[y] + 20 * count[y] / total) / (mass + 20))).epsilon(tolerance<T>(n)));
    }
    std::size_t const before = be.allocations();
    auto const m1 = m, c1 = c, p1 = p;
    run(be, m, c, p);
    CHECK(be.allocations() == before);
    CHECK((m == m1 && c == c1 && p == p1));
  }
}

TEST_CASE_TEMPLATE("exposure_model: weights are repetitions, rows may be shuffled, equal environments have equal rows", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<std::int64_t> items{2, 0, 1}, repeated{1, 2, 2, 0, 2};
  std::vector<T> q{T(0.5), T(0.5), T(0.25), T(0.25), 1, 1},
      qr{1, 1, T(0.5), T(0.5), T(0.5), T(0.5), T(0.25), T(0.25), T(0.5), T(0.5)}, w{3, 1, 1}, a(8), b(8);
  exposure_model(be, items, matrix(q.data(), 3, 2), {.log_conditional = matrix(a.data(), 2, 4)}, {.smoothing = 1}, w);
  exposure_model(be, repeated, matrix(qr.data(), 5, 2), {.log_conditional = matrix(b.data(), 2, 4)}, {.smoothing = 1});
  CHECK(relative_error(a, b) < tolerance<T>());
  for (std::size_t y = 0; y < 4; ++y) CHECK(a[y] == a[y + 4]);
}

TEST_CASE_TEMPLATE("exposure_model: rows of weight 0 are not read; no rows; no base count", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<std::int64_t> items{1, -5};
  std::vector<T> q{1, 0, nan, nan}, w{1, 0}, marginal(3), prior(2), none;
  exposure_model(be, items, matrix(q.data(), 2, 2), {.log_marginal = marginal, .prior = prior}, {}, w);
  CHECK(prior == std::vector<T>{1, 0});
  CHECK(static_cast<double>(marginal[1]) == doctest::Approx(std::log(1.5 / 2.5)).epsilon(tolerance<T>()));

  std::vector<std::int64_t> no_items;
  exposure_model(be, no_items, matrix(none.data(), 0, 2), {.log_marginal = marginal, .prior = prior}, {.base_count = 0});
  CHECK(prior == std::vector<T>{0, 0});
  for (T m : marginal) CHECK(m == -math::infinity<T>());
}

TEST_CASE_TEMPLATE("exposure_model: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<std::int64_t> items{0, 3};
  std::vector<T> q{1, 1}, m(3), w{1, 1};
  auto const qs = matrix(q.data(), 2, 1);
  CHECK_THROWS_WITH_AS(
      exposure_model(be, items, qs, {.log_marginal = m}),
      "exposure_model: items at flat position 1 (row-major) is outside the catalogue and must lie in [0, item_count)",
      value_error);
  items[1] = 2;
  CHECK_THROWS_WITH_AS(exposure_model(be, items, qs, {.log_marginal = m}, {.item_count = 4}),
                       "exposure_model: log_marginal is [3] and must be [4] (one for each item of the catalogue)", shape_error);
  CHECK_THROWS_AS(exposure_model(be, items, qs, {.prior = w}), option_error);
  CHECK_THROWS_AS(exposure_model(be, items, qs, {.log_marginal = m}, {.smoothing = -1}), option_error);
  CHECK_THROWS_AS(exposure_model(be, items, matrix(q.data(), 1, 1), {.log_marginal = m}), shape_error);
  q[1] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(exposure_model(be, items, qs, {.log_marginal = m}), doctest::Contains("q holds a NaN at flat position 1"),
                       value_error);
  q[1] = 1;
  w[0] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(exposure_model(be, items, qs, {.log_marginal = m}, {}, w),
                       doctest::Contains("weights holds a NaN at flat position 0"), value_error);
}

}  // namespace causaldpo::test
