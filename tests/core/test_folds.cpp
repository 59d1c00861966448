// SPDX-License-Identifier: Apache-2.0
// Folds: neutral elements, associativity, and the two that merge softmax statistics.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "causaldpo/detail/folds.hpp"
#include "causaldpo/logprob/softmax_moments.hpp"

namespace causaldpo::test {

using detail::log_sum_exp;
using detail::log_sum_exp_fold;
using detail::softmax_moments;
using detail::softmax_moments_fold;

double const infinity = std::numeric_limits<double>::infinity();

TEST_CASE("sum_fold, max_fold, min_fold") {
  CHECK(detail::sum_fold<>{}(detail::sum_fold<>::identity(), 3) == 3);
  CHECK(detail::sum_fold<index_t>{}(2, 3) == 5);
  CHECK(detail::max_fold<float>{}(detail::max_fold<float>::identity(), -5) == -5.0F);
  CHECK(detail::max_fold<double>{}(1, 2) == 2);
  CHECK(detail::min_fold<float>{}(detail::min_fold<float>::identity(), 5) == 5.0F);
  CHECK(detail::min_fold<double>{}(1, 2) == 1);
}

TEST_CASE("log_sum_exp_fold: values, order, and infinities") {
  log_sum_exp_fold const fold;
  auto of = [&](std::vector<double> const& xs) {
    log_sum_exp s = log_sum_exp_fold::identity();
    for (double x : xs) s = fold(s, log_sum_exp(x));
    return s.value();
  };
  CHECK(of({std::log(1.0), std::log(2.0), std::log(5.0)}) == doctest::Approx(std::log(8.0)).epsilon(1e-14));
  CHECK(of({1000, 1000}) == doctest::Approx(1000 + std::log(2.0)).epsilon(1e-14));
  CHECK(of({-1e4, 1e4, 0}) == 1e4);
  CHECK(of({}) == -infinity);
  CHECK(of({-infinity, -infinity}) == -infinity);
  CHECK(of({-infinity, 2}) == 2);
  CHECK(of({3, infinity, 2}) == infinity);
  log_sum_exp const a = fold(log_sum_exp(1), log_sum_exp(5)), b = fold(log_sum_exp(2), log_sum_exp(-3));
  CHECK(fold(a, b).value() == doctest::Approx(of({-3, 5, 2, 1})).epsilon(1e-14));
  CHECK(static_cast<double>(a) == a.value());
}

TEST_CASE("softmax_moments_fold: the same from any grouping, against the definitions") {
  softmax_moments_fold const fold;
  std::vector<double> const y{0.3, -2, 1.7, 1.7, -40, -infinity, 0.9};
  double sum = 0, entropy = 0, squares = 0;
  for (double v : y) sum += std::exp(v);
  for (double v : y) {
    double const p = std::exp(v) / sum;
    if (p > 0) entropy -= p * std::log(p);
    squares += p * p;
  }
  for (std::size_t cut = 0; cut <= y.size(); ++cut) {
    softmax_moments a, b;
    for (std::size_t i = 0; i < cut; ++i) a = fold(a, softmax_moments(y[i]));
    for (std::size_t i = y.size(); i > cut; --i) b = fold(b, softmax_moments(y[i - 1]));
    softmax_moments const m = fold(a, b);
    CHECK(m.log_sum_exp() == doctest::Approx(std::log(sum)).epsilon(1e-14));
    CHECK(m.entropy() == doctest::Approx(entropy).epsilon(1e-13));
    CHECK(m.log_sum_p2() == doctest::Approx(std::log(squares)).epsilon(1e-13));
    CHECK(m.log_probability(-2) == doctest::Approx(-2 - std::log(sum)).epsilon(1e-14));
    CHECK(m.log_probability(-infinity) == -infinity);
  }
}

TEST_CASE("softmax_moments: nearly certain, and nothing at all") {
  softmax_moments_fold const fold;
  softmax_moments const m = fold(softmax_moments(0), softmax_moments(-50));
  double const odds = std::exp(-50.0);
  CHECK(std::abs(m.log_probability(0) + odds) < 1e-14 * odds);
  CHECK(std::abs(m.entropy() - 51 * odds) < 1e-13 * odds);
  CHECK(std::abs(m.log_sum_p2() + 2 * odds) < 1e-13 * odds);

  softmax_moments const none = fold(softmax_moments(-infinity), softmax_moments_fold::identity());
  CHECK(none.empty());
  CHECK(none.log_sum_exp() == -infinity);
  CHECK(none.log_probability(-infinity) == -infinity);
  CHECK(none.entropy() == 0);

  softmax_moments const two = fold(fold(softmax_moments(infinity), softmax_moments(3)), softmax_moments(infinity));
  CHECK(two.log_sum_exp() == infinity);
  CHECK(two.log_probability(infinity) == doctest::Approx(-std::log(2.0)));
  CHECK(two.log_probability(3) == -infinity);
}

}  // namespace causaldpo::test
