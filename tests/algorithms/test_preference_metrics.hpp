// SPDX-License-Identifier: Apache-2.0
// preference_metrics: a batch worked by hand, environments, impossible items, and what is refused.
#pragma once

#include "algorithms/preference_problem.hpp"
#include "causaldpo/backends/reference.hpp"
#include "causaldpo/preference/metrics.hpp"
#include "support/cell.hpp"

namespace causaldpo::test {

template <class T>
struct metric_answers {
  std::vector<T> chosen, rejected, margins, accuracy, pairs, saturation, dropped, size;
  explicit metric_answers(std::size_t n) {
    for (auto* v : {&chosen, &rejected, &margins, &accuracy, &pairs, &saturation, &dropped, &size}) v->assign(n, -77);
  }
  preference_metric_results<T> views() {
    return {.chosen_rewards = chosen,
            .rejected_rewards = rejected,
            .margins = margins,
            .accuracy = accuracy,
            .pair_accuracy = pairs,
            .saturation = saturation,
            .dropped = dropped,
            .effective_sample_size = size};
  }
};

TEST_CASE_TEMPLATE("preference_metrics: by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  // rewards 4 | (0, 2): margin 3; 1 | (1): margin 0, a tie; 8 | (0): margin 8; dropped
  std::vector<T> chosen{4, 1, 8, 0}, rejected{0, 2, 1, 0, 0, 0, 0, 0}, margins{3, 0, 8, 0}, counts{2, 1, 1, 0}, wins{2, 0, 1, 0};
  std::vector<T> q{1, 0, 0, 1, T(0.5), T(0.5), T(0.25), T(0.75)}, weights{1, 1, 2, 5};
  preference_scores<T> const scores{.chosen_rewards = chosen,
                                    .rejected_rewards = matrix(rejected.data(), 4, 2),
                                    .margins = margins,
                                    .pair_counts = counts,
                                    .pair_wins = wins};
  metric_answers<T> a(3);
  preference_metrics(be, scores, matrix(q.data(), 4, 2), a.views(), weights);
  double const t = tolerance<T>();
  CHECK(relative_error(a.chosen, std::vector<double>{13.0 / 3, 8 / 1.5, 5 / 1.5}) < t);
  CHECK(relative_error(a.rejected, std::vector<double>{2.0 / 3, 1 / 1.5, 1 / 1.5}) < t);
  CHECK(relative_error(a.margins, std::vector<double>{11.0 / 3, 7 / 1.5, 4 / 1.5}) < t);
  CHECK(relative_error(a.accuracy, std::vector<double>{2.0 / 3, 1, 0.5 / 1.5}) < t);
  CHECK(relative_error(a.pairs, std::vector<double>{3.0 / 4, 1, 0.5 / 1.5}) < t);
  CHECK(relative_error(a.saturation, std::vector<double>{1.0 / 3, 0.5 / 1.5, 0.5 / 1.5}) < t);
  CHECK(relative_error(a.dropped, std::vector<double>{1, 0.25, 0.75}) < t);
  CHECK(relative_error(a.size, std::vector<double>{16.0 / 6, 2, 2}) < t);

  auto shifted = scores;
  std::vector<T> const seen{7, 7, T(6.9), 7};
  shifted.shifted_margins = seen;  // s(-z) < 1e-3 from z = log 999 = 6.9068 on
  metric_answers<T> only(1);
  preference_metrics(be, shifted, {}, only.views());
  CHECK(relative_error(only.saturation, std::vector<double>{2.0 / 3}) < t);
  CHECK(only.size[0] == T(3));

  T const inf = std::numeric_limits<T>::infinity();
  chosen[1] = margins[1] = -inf;  // an impossible item is left out of the means, and is still a wrong answer
  preference_metrics(be, scores, {}, only.views());
  CHECK((only.chosen[0] == T(6) && only.margins[0] == T(5.5)));
  CHECK(relative_error(only.accuracy, std::vector<double>{2.0 / 3}) < t);
}

TEST_CASE_TEMPLATE("preference_metrics: with preference_loss, and the reference backend", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  preference_problem<T> p(1025, 4, 3, 17);
  p.masked = true;
  p.mask[0] = p.mask[1] = p.mask[2] = p.mask[3] = 0;
  preference_answers<T> answers(p);
  preference_loss(be, p.batch(), answers.plain());
  preference_scores<T> const scores{.chosen_rewards = answers.chosen_rewards,
                                    .rejected_rewards = p.pairs(answers.rejected_rewards),
                                    .margins = answers.margins,
                                    .pair_counts = answers.counts,
                                    .pair_wins = answers.wins};
  metric_answers<T> a(4), b(4);
  preference_metrics(be, scores, p.memberships(), a.views(), p.sample_weights);
  auto const allocations = be.allocations();
  preference_metrics(be, scores, p.memberships(), a.views(), p.sample_weights);
  CHECK(be.allocations() == allocations);
  preference_metrics(reference, scores, p.memberships(), b.views(), p.sample_weights);
  CHECK(relative_error(a.margins, b.margins) < tolerance<T>());
  CHECK(relative_error(a.size, b.size) < tolerance<T>());
  CHECK(a.accuracy[0] == answers.accuracy);
  CHECK(a.pairs[0] == answers.pair_accuracy);
  CHECK(a.dropped[0] == T(1));
}

TEST_CASE_TEMPLATE("preference_metrics: nothing there, and what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> none;
  preference_scores<T> const empty{.rejected_rewards = matrix(none.data(), 0, 2)};
  metric_answers<T> a(1);
  preference_metrics(be, empty, {}, a.views());
  for (auto const* v : {&a.chosen, &a.accuracy, &a.saturation, &a.dropped, &a.size}) CHECK((*v)[0] == T(0));

  std::vector<T> two(2), rejected(2), three(3);
  preference_scores<T> const scores{.chosen_rewards = two,
                                    .rejected_rewards = matrix(rejected.data(), 2, 1),
                                    .margins = two,
                                    .pair_counts = two,
                                    .pair_wins = two};
  CHECK_THROWS_WITH_AS(preference_metrics(be, scores, matrix(two.data(), 1, 2), a.views()),
                       "preference_metrics: q is [1, 2] and must be [2, 2] (one for each example)", shape_error);
  CHECK_THROWS_WITH_AS(preference_metrics(be, scores, {}, {.accuracy = three}),
                       "preference_metrics: results.accuracy is [3] and must be [1] (the batch and each column of q)",
                       shape_error);
}

}  // namespace causaldpo::test
