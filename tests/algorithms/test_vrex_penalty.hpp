// SPDX-License-Identifier: Apache-2.0
// vrex_penalty: a case worked by hand, finite differences, edges and errors.
#pragma once

#include "causaldpo/invariance/vrex_penalty.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("vrex_penalty: two hard environments by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> losses{1, 3, 5, 7}, q{1, 0, 1, 0, 0, 1, 0, 1}, grad(4), risks(2), weights(2);
  T value = -1;

  vrex_penalty(be, losses, matrix(q.data(), 4, 2),
               {.value = scalar(&value), .grad_losses = grad, .env_losses = risks, .env_weights = weights});

  CHECK(value == T(4));  // risks 2 and 6, mean 4, variance 4
  CHECK(risks == std::vector<T>{2, 6});
  CHECK(weights == std::vector<T>{T(0.5), T(0.5)});
  CHECK(grad == std::vector<T>{-1, -1, 1, 1});
}

TEST_CASE_TEMPLATE("vrex_penalty: gradients agree with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    for (index_t b : {1, 7, 67})
      for (index_t k : {1, 3}) {
        random_source random(static_cast<std::uint64_t>(b * 10 + k));
        auto losses = random.normals<double>(b), q = random.memberships<double>(b, k);
        std::vector<double> prior(static_cast<std::size_t>(k), 0.3), gl(losses.size()), gq(q.size());
        prior[0] = 0.6;
        auto value = [&] {
          double v = 0;
          vrex_penalty(be, losses, matrix(q.data(), b, k), {.value = scalar(&v)}, {.prior = prior_kind::given}, prior);
          return v;
        };
        vrex_penalty(be, losses, matrix(q.data(), b, k), {.grad_losses = gl, .grad_q = matrix(gq.data(), b, k)},
                     {.prior = prior_kind::given}, prior);
        CHECK(finite_difference_error(losses, gl, value) < 1e-7);
        CHECK(finite_difference_error(q, gq, value, 1e-4) < 1e-7);
      }
  }
}

TEST_CASE_TEMPLATE("vrex_penalty: empty environments, no rows, and what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> losses{1, 2}, q{1, 0, 1, 0}, grad{9, 9}, empty;
  T value = 9;

  vrex_penalty(be, losses, matrix(q.data(), 2, 2), {.value = scalar(&value), .grad_losses = grad});
  CHECK(value == T(0));
  CHECK(grad == std::vector<T>{0, 0});

  value = 9;
  vrex_penalty(be, empty, matrix(empty.data(), 0, 3), {.value = scalar(&value)});
  CHECK(value == T(0));

  // an infinite risk: alone it has no variance, beside another the value is infinite and nothing is moved
  std::vector<T> impossible{1, std::numeric_limits<T>::infinity()}, apart{1, 0, 0, 1}, grad_q(4, T(9));
  vrex_penalty(be, impossible, matrix(q.data(), 2, 2), {.value = scalar(&value)});
  CHECK(value == T(0));
  vrex_penalty(be, impossible, matrix(apart.data(), 2, 2), {.value = scalar(&value), .grad_losses = grad, .grad_q = matrix(grad_q.data(), 2, 2)});
  CHECK(value == std::numeric_limits<T>::infinity());
  CHECK(grad == std::vector<T>{0, 0});
  CHECK(grad_q == std::vector<T>{0, 0, 0, 0});

  CHECK_THROWS_WITH_AS(vrex_penalty(be, losses, matrix(q.data(), 1, 2), {.value = scalar(&value)}),
                       "vrex_penalty: q is [1, 2] and must be [2, 2] (one row for each loss)", shape_error);
  CHECK_THROWS_AS(vrex_penalty(be, losses, matrix(q.data(), 2, 2), {}, {.prior = prior_kind::given}), shape_error);
  std::vector<T> prior{1, T(-0.5)};
  CHECK_THROWS_WITH_AS(vrex_penalty(be, losses, matrix(q.data(), 2, 2), {.value = scalar(&value)}, {.prior = prior_kind::given}, prior),
                       doctest::Contains("prior at flat position 1"), value_error);
  losses[1] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(vrex_penalty(be, losses, matrix(q.data(), 2, 2), {.value = scalar(&value)}),
                       doctest::Contains("per_example_losses holds a NaN at flat position 1"), value_error);
}

}  // namespace causaldpo::test
