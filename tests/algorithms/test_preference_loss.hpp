// SPDX-License-Identifier: Apache-2.0
// preference_loss: values worked by hand, finite differences of every loss, edges, identities and errors.
#pragma once

#include "algorithms/preference_problem.hpp"
#include "causaldpo/backends/reference.hpp"
#include "causaldpo/preference/preference_loss.hpp"
#include "support/cell.hpp"

namespace causaldpo::test {

/// A loss that the library does not have: exp(-z).
struct exponential_loss {
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    V const e = math::exp<V>(-z);
    return {e, -e};
  }
};
static_assert(margin_loss<exponential_loss> && pairwise_loss<loss::kto_pair> && !margin_loss<loss::kto_pair>);
static_assert(listwise_loss<loss::sdpo> && !pairwise_loss<loss::sdpo> && !listwise_loss<loss::sigmoid> &&
              !preference_loss_function<int>);

TEST_CASE_TEMPLATE("preference_loss: by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  // log-ratios: a = 2, b = (0, 1); and a = 0, b = (0, 3) whose second item is masked
  std::vector<T> pc{-1, -2}, rc{-3, -2}, pr{-4, -4, -5, -1}, rr{-4, -5, -5, -4};
  std::vector<std::uint8_t> mask{1, 1, 1, 0};
  preference_batch<T> const batch{.policy_chosen_logps = pc,
                                  .policy_rejected_logps = matrix(pr.data(), 2, 2),
                                  .reference_chosen_logps = rc,
                                  .reference_rejected_logps = matrix(rr.data(), 2, 2),
                                  .rejected_mask = matrix(mask.data(), 2, 2)};
  std::vector<T> loss(2), gc(2), gr(4), rewards(2), lost(4), margins(2), counts(2), wins(2);
  T mean = -1, accuracy = -1, pair_accuracy = -1;
  preference_loss(be, batch,
                  {.loss = loss,
                   .loss_mean = scalar(&mean),
                   .grad_chosen_logps = gc,
                   .grad_rejected_logps = matrix(gr.data(), 2, 2),
                   .chosen_rewards = rewards,
                   .rejected_rewards = matrix(lost.data(), 2, 2),
                   .margins = margins,
                   .accuracy = scalar(&accuracy),
                   .pair_accuracy = scalar(&pair_accuracy),
                   .pair_counts = counts,
                   .pair_wins = wins},
                  {.loss = loss::ipo{}, .beta = 0.5});
  // d - 1 = (1, 0) and (-1): losses 1/2 and 1
  CHECK(loss == std::vector<T>{T(0.5), 1});
  CHECK(mean == T(0.75));
  CHECK(gc == std::vector<T>{T(0.5), -1});
  CHECK(gr == std::vector<T>{T(-0.5), 0, 1, 0});
  CHECK(rewards == std::vector<T>{1, 0});
  CHECK(lost == std::vector<T>{0, T(0.5), 0, 0});
  CHECK(margins == std::vector<T>{T(0.75), 0});
  CHECK(accuracy == T(0.5));
  CHECK(pair_accuracy == static_cast<T>(2.0 / 3));
  CHECK(counts == std::vector<T>{2, 1});
  CHECK(wins == std::vector<T>{2, 0});

  preference_loss(be, batch, {.loss = loss, .grad_chosen_logps = gc},
                  {.loss = loss::hinge{}, .beta = 0.5, .reduction = loss_reduction::sum});
  CHECK(loss == std::vector<T>{T(0.25), 1});  // margins (1, 1/2): the kink at 1 has slope 0
  CHECK(gc == std::vector<T>{T(-0.25), T(-0.5)});

  std::vector<T> const upstream{-2, 3};
  preference_loss(be, batch, {.grad_chosen_logps = gc, .grad_rejected_logps = matrix(gr.data(), 2, 2)},
                  {.loss = loss::ipo{}, .beta = 0.5}, upstream);
  CHECK(gc == std::vector<T>{-2, -6});
  CHECK(gr == std::vector<T>{2, 0, 6, 0});
}

TEST_CASE_TEMPLATE("preference_loss: policy equal to reference", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> pc(5, T(-3)), pr(15, T(-4)), gc(5), gr(15);
  T mean = 0;
  preference_batch<T> const batch{.policy_chosen_logps = pc,
                                  .policy_rejected_logps = matrix(pr.data(), 5, 3),
                                  .reference_chosen_logps = pc,
                                  .reference_rejected_logps = matrix(pr.data(), 5, 3)};
  preference_loss(be, batch,
                  {.loss_mean = scalar(&mean), .grad_chosen_logps = gc, .grad_rejected_logps = matrix(gr.data(), 5, 3)},
                  {.loss = loss::sdpo{}, .beta = 1});
  CHECK(std::abs(static_cast<double>(mean) - std::log(4.0)) < tolerance<T>());
  CHECK(relative_error(gc, std::vector<double>(5, -0.75 / 5)) < tolerance<T>());
  CHECK(relative_error(gr, std::vector<double>(15, 0.25 / 5)) < tolerance<T>());
}

TEST_CASE_TEMPLATE("preference_loss: gradients agree with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    loss_reduction const reductions[] = {loss_reduction::mean, loss_reduction::sum, loss_reduction::dr_dpo};
    int variant = 0;
    for (char const* name : loss_names())
      for (index_t b : {1, 5, 17})
        for (index_t j : {1, 4}) {
          CAPTURE(name);
          CAPTURE(b);
          CAPTURE(j);
          preference_problem<double> p(b, j, 0, static_cast<std::uint64_t>(100 * b + j));
          p.masked = j > 1;
          p.paired = variant % 2 == 0;
          p.sampled = variant % 3 == 0;
          preference_options options{.loss = named_loss(name),
                                     .beta = 0.4,
                                     .length_normalize = variant % 4 == 0,
                                     .nll_weight = variant % 5 == 0 ? 0.3 : 0};
          options.reduction = reductions[++variant % 3];
          options.dr_beta = 0.8;
          if (variant % 4 == 3) options.log_ratio_clamp = {{-2, 2}};
          bool const by_upstream = variant % 5 == 2;
          auto value = [&] {
            double mean = 0, sum = 0;
            std::vector<double> losses(static_cast<std::size_t>(b));
            preference_loss(be, p.batch(), {.loss = losses, .loss_mean = scalar(&mean)}, options);
            for (std::size_t i = 0; i < losses.size(); ++i) sum += p.upstream[i] * losses[i];
            return by_upstream ? sum : mean;
          };
          std::vector<double> gc(p.policy_chosen.size()), gr(p.policy_rejected.size());
          preference_loss(be, p.batch(), {.grad_chosen_logps = gc, .grad_rejected_logps = p.pairs(gr)}, options,
                          by_upstream ? view<double const, 1>(p.upstream) : view<double const, 1>());
          CHECK(finite_difference_error(p.policy_chosen, gc, value) < 1e-7);
          CHECK(finite_difference_error(p.policy_rejected, gr, value) < 1e-7);
        }
    for (char const* name : {"sigmoid", "sdpo", "dmpo", "orpo"}) {  // many examples, many items
      CAPTURE(name);
      preference_problem<double> p(1031, 17, 0, 8);
      p.masked = p.paired = p.sampled = true;
      preference_options const options{.loss = named_loss(name), .beta = 0.4};
      std::vector<double> gc(p.policy_chosen.size()), gr(p.policy_rejected.size());
      auto value = [&] {
        double mean = 0;
        preference_loss(be, p.batch(), {.loss_mean = scalar(&mean)}, options);
        return mean;
      };
      preference_loss(be, p.batch(), {.grad_chosen_logps = gc, .grad_rejected_logps = p.pairs(gr)}, options);
      CHECK(directional_error(p.policy_chosen, gc, value) < 1e-7);
      CHECK(directional_error(p.policy_rejected, gr, value) < 1e-7);
    }
  }
}

TEST_CASE_TEMPLATE("preference_loss: impossible items have limits, not NaN", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  // rejected impossible; chosen impossible; both (dropped); reference of the chosen impossible; masked NaN
  std::vector<T> pc{-1, -inf, -inf, -1, -1}, rc{-1, -1, -1, -inf, -1}, pr{-inf, -1, -inf, -1, nan}, rr{-1, -1, -1, -1, nan};
  std::vector<std::uint8_t> mask{1, 1, 1, 1, 0};
  preference_batch<T> const batch{.policy_chosen_logps = pc,
                                  .policy_rejected_logps = matrix(pr.data(), 5, 1),
                                  .reference_chosen_logps = rc,
                                  .reference_rejected_logps = matrix(rr.data(), 5, 1),
                                  .rejected_mask = matrix(mask.data(), 5, 1)};
  for (char const* name : {"sigmoid", "sdpo", "dmpo", "hinge"}) {
    CAPTURE(name);
    std::vector<T> loss(5), gc(5), gr(5), counts(5);
    T mean = 0;
    preference_loss(be, batch,
                    {.loss = loss,
                     .loss_mean = scalar(&mean),
                     .grad_chosen_logps = gc,
                     .grad_rejected_logps = matrix(gr.data(), 5, 1),
                     .pair_counts = counts},
                    {.loss = loss::by_name(name), .beta = 0.5});
    CHECK(loss == std::vector<T>{0, inf, 0, 0, 0});
    CHECK(mean == inf);
    CHECK(relative_error(gc, std::vector<double>{0, -0.5 / 3, 0, 0, 0}) < tolerance<T>());
    CHECK(relative_error(gr, std::vector<double>{0, 0.5 / 3, 0, 0, 0}) < tolerance<T>());
    CHECK(counts == std::vector<T>{1, 1, 0, 1, 0});
  }
  for (char const* name : loss_names()) {  // nothing is NaN for any loss, with or without the example's own weight
    CAPTURE(name);
    std::vector<T> loss(5), gc(5), gr(5), upstream{1, 0, 1, 1, 1}, smoothing(5, T(0.1));
    T mean = 0;
    auto with_smoothing = batch;
    with_smoothing.smoothing = smoothing;
    preference_loss(
        be, with_smoothing,
        {.loss = loss, .loss_mean = scalar(&mean), .grad_chosen_logps = gc, .grad_rejected_logps = matrix(gr.data(), 5, 1)},
        {.loss = named_loss(name), .beta = 0.5}, upstream);
    for (T x : loss) CHECK(!std::isnan(x));
    for (T x : gc) CHECK(!std::isnan(x));
    for (T x : gr) CHECK(!std::isnan(x));
    CHECK(gc[1] == T(0));
    CHECK(gr[1] == T(0));
  }
}

TEST_CASE_TEMPLATE("preference_loss: infinities of both signs drop the example", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity();
  std::vector<T> pc{-1}, pr{-inf, -1}, rr{-1, -inf}, gc{9}, gr{9, 9}, loss{9}, margins{9}, counts{9};
  preference_batch<T> const batch{.policy_chosen_logps = pc,
                                  .policy_rejected_logps = matrix(pr.data(), 1, 2),
                                  .reference_chosen_logps = pc,
                                  .reference_rejected_logps = matrix(rr.data(), 1, 2)};
  preference_results<T> const results{.loss = loss,
                                      .grad_chosen_logps = gc,
                                      .grad_rejected_logps = matrix(gr.data(), 1, 2),
                                      .margins = margins,
                                      .pair_counts = counts};
  preference_loss(be, batch, results, {.loss = loss::dmpo{}});  // the mean of +inf and -inf
  CHECK((loss[0] == T(0) && gc[0] == T(0) && gr == std::vector<T>{0, 0} && counts[0] == T(0) && margins[0] == T(0)));
  preference_loss(be, batch, results);  // sigmoid: 0 and +inf
  CHECK((loss[0] == inf && gc[0] == T(-0.1) / 2 && gr == std::vector<T>{0, T(0.1) / 2} && counts[0] == T(2)));
}

TEST_CASE_TEMPLATE("preference_loss: far tails keep their digits", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> pc{60, -60, 300}, pr{0, 0, 0}, loss(3), gc(3);
  preference_batch<T> const batch{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 3, 1)};
  for (char const* name : {"sigmoid", "sdpo", "dmpo"}) {
    preference_loss(be, batch, {.loss = loss, .grad_chosen_logps = gc}, {.loss = loss::by_name(name), .beta = 0.5},
                    std::vector<T>{1, 1, 1});
    double const z[] = {30, -30, 150};
    for (std::size_t i = 0; i < 3; ++i) {
      double const exact = std::max(-z[i], 0.0) + std::log1p(std::exp(-std::abs(z[i]))), slope = -0.5 / (1 + std::exp(z[i]));
      if (exact < static_cast<double>(std::numeric_limits<T>::min())) continue;  // below the smallest float
      CHECK(std::abs(static_cast<double>(loss[i]) - exact) <= tolerance<T>() * exact);
      CHECK(std::abs(static_cast<double>(gc[i]) - slope) <= tolerance<T>() * std::abs(slope));
    }
  }
}

TEST_CASE_TEMPLATE("preference_loss: identities", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  preference_problem<T> const p(37, 3, 0, 5);
  for (char const* name : loss_names()) {
    CAPTURE(name);
    preference_options const options{.loss = named_loss(name), .beta = 0.4};
    preference_answers<T> base(p), other(p);
    preference_loss(be, p.batch(), base.plain(), options);

    auto ones = p;  // pair weights and sample weights of 1
    ones.pair_weights.assign(ones.pair_weights.size(), 1);
    ones.sample_weights.assign(ones.sample_weights.size(), 1);
    ones.paired = ones.sampled = true;
    preference_loss(be, ones.batch(), other.plain(), options);
    CHECK(same_bits(base.all(), other.all()));

    std::vector<T> const per_example(37, T(1) / T(37));  // upstream 1/B is the mean
    preference_loss(be, p.batch(), other.plain(), options, per_example);
    CHECK(relative_error(other.grad_chosen, base.grad_chosen) < tolerance<T>());
    CHECK(relative_error(other.grad_rejected, base.grad_rejected) < tolerance<T>());

    auto turned = p;  // examples in another order
    for (auto* v : {&turned.policy_chosen, &turned.reference_chosen, &turned.smoothing})
      std::rotate(v->begin(), v->begin() + 5, v->end());
    for (auto* v : {&turned.policy_rejected, &turned.reference_rejected}) std::rotate(v->begin(), v->begin() + 15, v->end());
    preference_loss(be, turned.batch(), other.plain(), options);
    std::rotate(other.loss.begin(), other.loss.end() - 5, other.loss.end());
    std::rotate(other.grad_rejected.begin(), other.grad_rejected.end() - 15, other.grad_rejected.end());
    CHECK(relative_error(other.loss, base.loss) < tolerance<T>());
    CHECK(relative_error(other.grad_rejected, base.grad_rejected) < tolerance<T>());

    if (named_loss(name).index() < 10) {  // functions of the margin, the first ten of the variant
      std::vector<double> sums(37);
      for (std::size_t i = 0; i < 37; ++i)
        for (std::size_t c = 0; c < 3; ++c) sums[i] -= static_cast<double>(base.grad_rejected[i * 3 + c]);
      CHECK(relative_error(base.grad_chosen, sums) < 4 * tolerance<T>());
    }
  }
}

TEST_CASE_TEMPLATE("preference_loss: pair weights repeat pairs, sdpo at J = 1 is sigmoid", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  preference_problem<T> p(19, 2, 0, 6);
  p.paired = true;
  preference_problem<T> repeated(19, 3, 0, 6);
  for (std::size_t i = 0; i < 19; ++i) {
    p.pair_weights[2 * i] = 2;
    p.pair_weights[2 * i + 1] = 1;
    repeated.policy_chosen[i] = p.policy_chosen[i];
    repeated.reference_chosen[i] = p.reference_chosen[i];
    repeated.smoothing[i] = p.smoothing[i];
    for (std::size_t c = 0; c < 3; ++c) {
      repeated.policy_rejected[3 * i + c] = p.policy_rejected[2 * i + c / 2];
      repeated.reference_rejected[3 * i + c] = p.reference_rejected[2 * i + c / 2];
    }
  }
  for (char const* name : loss_names()) {
    CAPTURE(name);
    preference_answers<T> a(p), b(repeated);
    preference_loss(be, p.batch(), a.plain(), {.loss = named_loss(name), .beta = 0.4});
    preference_loss(be, repeated.batch(), b.plain(), {.loss = named_loss(name), .beta = 0.4});
    CHECK(relative_error(a.loss, b.loss) < tolerance<T>());
    CHECK(relative_error(a.grad_chosen, b.grad_chosen) < 4 * tolerance<T>());
  }
  preference_problem<T> const single(19, 1, 0, 7);
  preference_answers<T> listwise(single), pairwise(single);
  preference_loss(be, single.batch(), listwise.plain(), {.loss = loss::sdpo{}, .beta = 0.4});
  preference_loss(be, single.batch(), pairwise.plain(), {.beta = 0.4});
  CHECK(same_bits(listwise.loss, pairwise.loss));
  CHECK(relative_error(listwise.grad_rejected, pairwise.grad_rejected) < tolerance<T>());
}

TEST_CASE_TEMPLATE("preference_loss: wild pair weights and log-ratios of 1e4", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> pc{0, 10000, -10000}, pr{0, 0, 0, 0, 0, 0}, w{T(1e-30), T(1e30), T(1e-30), T(1e-30), T(1e30), T(1e30)}, loss(3),
      gc(3), gr(6);
  pr[1] = -2;
  preference_batch<T> const batch{
      .policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 3, 2), .pair_weights = matrix(w.data(), 3, 2)};
  preference_results<T> const results{.loss = loss, .grad_chosen_logps = gc, .grad_rejected_logps = matrix(gr.data(), 3, 2)};
  preference_loss(be, batch, results, {.beta = 0.5}, std::vector<T>{1, 1, 1});
  CHECK(relative_error(loss, std::vector<double>{std::log1p(std::exp(-1.0)), 0, 5000}) < tolerance<T>());
  CHECK(relative_error(gr, std::vector<double>{0, 0.5 / (1 + std::exp(1.0)), 0, 0, 0.25, 0.25}) < tolerance<T>());
  preference_loss(be, batch, results, {.loss = loss::sdpo{}, .beta = 0.5}, std::vector<T>{1, 1, 1});
  CHECK(relative_error(loss, std::vector<double>{30 * std::log(10.0) - 1, 0, 5000 + 30 * std::log(10.0) + std::log(2.0)}) <
        tolerance<T>());
  CHECK(relative_error(gc, std::vector<double>{-0.5, 0, -0.5}) < tolerance<T>());
}

TEST_CASE_TEMPLATE("preference_loss: Dr.DPO in log space", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity();
  std::vector<T> pc{-10000, -10002, -20000}, pr{0, 0, 0}, gc(3);
  T mean = 0;
  preference_batch<T> batch{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 3, 1)};
  preference_options const options{.beta = 1, .reduction = loss_reduction::dr_dpo, .dr_beta = 2};
  preference_loss(be, batch, {.loss_mean = scalar(&mean), .grad_chosen_logps = gc}, options);
  CHECK(relative_error(std::vector<T>{mean}, std::vector<double>{10000 - 2 * std::log((1 + std::exp(-1.0)) / 3)}) <
        tolerance<T>());
  CHECK(relative_error(gc, std::vector<double>{-1 / (1 + std::exp(-1.0)), -1 / (1 + std::exp(1.0)), 0}) < tolerance<T>());
  pc = {-inf, -inf, -inf};  // every loss +inf: the mean is, and the weights are those of the sample
  preference_loss(be, batch, {.loss_mean = scalar(&mean), .grad_chosen_logps = gc}, options);
  CHECK(mean == inf);
  CHECK(relative_error(gc, std::vector<double>(3, -1.0 / 3)) < tolerance<T>());
  pc = {-inf, 0, 0};  // one impossible example does not count
  preference_loss(be, batch, {.loss_mean = scalar(&mean), .grad_chosen_logps = gc}, options);
  CHECK(relative_error(std::vector<T>{mean}, std::vector<double>{std::log(2.0) - 2 * std::log(2.0 / 3)}) < tolerance<T>());
  CHECK(relative_error(gc, std::vector<double>{0, -0.25, -0.25}) < tolerance<T>());
}

TEST_CASE_TEMPLATE("preference_loss: weights 0, nothing valid, no rows, no items", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity();
  std::vector<T> pc{-inf, -1}, pr{-1, -1}, w{0, 2}, gc{9, 9};
  T mean = 9;
  preference_batch<T> batch{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 2, 1), .sample_weights = w};
  preference_loss(be, batch, {.loss_mean = scalar(&mean), .grad_chosen_logps = gc});
  CHECK(std::abs(static_cast<double>(mean) - std::log(2.0)) < tolerance<T>());  // an infinite loss of weight 0 does not count
  CHECK(gc[0] == T(0));
  w = {0, 0};
  preference_loss(be, batch, {.loss_mean = scalar(&mean), .grad_chosen_logps = gc});
  CHECK((mean == T(0) && gc == std::vector<T>{0, 0}));

  for (loss_reduction reduction : {loss_reduction::mean, loss_reduction::sum, loss_reduction::dr_dpo}) {
    preference_problem<T> p(3, 2, 0, 2);
    p.mask.assign(p.mask.size(), 0);
    p.masked = true;
    p.policy_chosen[0] = std::numeric_limits<T>::quiet_NaN();  // of an example that uses no slot
    preference_answers<T> a(p);
    preference_loss(be, p.batch(), a.plain(), {.reduction = reduction});
    for (T x : {a.loss_mean, a.accuracy, a.pair_accuracy}) CHECK(x == T(0));
    for (auto const* v :
         {&a.loss, &a.grad_chosen, &a.grad_rejected, &a.chosen_rewards, &a.rejected_rewards, &a.margins, &a.counts})
      for (T x : *v) CHECK(x == T(0));
    for (index_t b : {0, 3}) {
      preference_problem<T> const none(b, b == 0 ? 2 : 0, 0, 2);
      preference_answers<T> empty(none);
      preference_loss(be, none.batch(), empty.plain(), {.reduction = reduction});
      CHECK(empty.loss_mean == T(0));
      CHECK(empty.accuracy == T(0));
      for (T x : empty.grad_chosen) CHECK(x == T(0));
    }
  }
}

TEST_CASE_TEMPLATE("preference_loss: orpo near and at certainty", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity();
  std::vector<T> pc{0, -1, T(-1e-6)}, pr{-1, 0, -1}, loss(3), gc(3), gr(3);
  preference_batch<T> const batch{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 3, 1)};
  preference_loss(be, batch, {.loss = loss, .grad_chosen_logps = gc, .grad_rejected_logps = matrix(gr.data(), 3, 1)},
                  {.loss = loss::orpo{}, .beta = 1}, std::vector<T>{1, 1, 1});
  double const odds = 1 / std::expm1(1.0), p = std::exp(static_cast<double>(pc[2])),
               rest = -std::expm1(static_cast<double>(pc[2]));
  CHECK((loss[0] == T(0) && loss[1] == inf && gr[0] == T(0)));
  CHECK(std::abs(static_cast<double>(gc[0]) + odds) < tolerance<T>() * odds);  // the limit e^b / (1 - e^b)
  CHECK(std::abs(static_cast<double>(gc[1]) + 1 / -std::expm1(-1.0)) < 2 * tolerance<T>());
  CHECK(gr[1] == inf);
  CHECK(std::abs(static_cast<double>(loss[2]) - std::log1p(odds * rest / p)) < tolerance<T>() * odds * rest);
  pc = pr = {0, 0, -1};  // two certain items leave no odds to compare
  preference_loss(be, batch, {.loss = loss, .grad_chosen_logps = gc, .grad_rejected_logps = matrix(gr.data(), 3, 1)},
                  {.loss = loss::orpo{}, .beta = 1});
  CHECK((loss[0] == T(0) && gc[0] == T(0) && gr[1] == T(0)));
}

TEST_CASE_TEMPLATE("preference_loss: memory, strides, repetition, inputs", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  preference_problem<T> dense(29, 3, 0, 4, 0), strided(29, 3, 0, 4, 2);
  dense.masked = strided.masked = dense.paired = strided.paired = true;
  strided.mask.assign(strided.mask.size(), 0);
  for (std::size_t i = 0; i < 29; ++i)
    for (std::size_t c = 0; c < 3; ++c) strided.mask[i * 5 + c] = dense.mask[i * 3 + c];
  for (char const* name : loss_names()) {
    CAPTURE(name);
    preference_options const options{.loss = named_loss(name), .length_normalize = true, .reduction = loss_reduction::dr_dpo};
    auto const before = dense;
    preference_answers<T> first(dense), second(dense), wide(strided);
    preference_loss(be, dense.batch(), first.plain(), options);
    auto const allocations = be.allocations();
    preference_loss(be, dense.batch(), second.plain(), options);
    CHECK(be.allocations() == allocations);
    CHECK(same_bits(first.all(), second.all()));
    preference_loss(be, strided.batch(), wide.plain(), options);
    CHECK(same_bits(first.all(), wide.all()));
    CHECK((wide.grad_rejected[3] == T(-77) && wide.grad_rejected[4] == T(-77) && wide.rejected_rewards[4] == T(-77)));
    CHECK((same_bits(before.policy_chosen, dense.policy_chosen) && same_bits(before.policy_rejected, dense.policy_rejected) &&
           same_bits(before.pair_weights, dense.pair_weights) && before.mask == dense.mask));
  }
}

TEST_CASE_TEMPLATE("preference_loss: agrees with the reference backend", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  preference_problem<T> p(2053, 5, 0, 12);
  p.masked = p.paired = p.sampled = true;
  for (char const* name : loss_names()) {
    CAPTURE(name);
    preference_answers<T> a(p), b(p);
    preference_options const options{.loss = named_loss(name), .beta = 0.3, .length_normalize = true, .nll_weight = 0.1};
    preference_loss(be, p.batch(), a.plain(), options);
    preference_loss(reference, p.batch(), b.plain(), options);
    CHECK(relative_error(a.loss, b.loss) < tolerance<T>());
    CHECK(relative_error(a.grad_chosen, b.grad_chosen) < 4 * tolerance<T>());
    CHECK(relative_error(a.grad_rejected, b.grad_rejected) < 4 * tolerance<T>());
    CHECK(same_bits(a.counts, b.counts));
    CHECK(std::abs(static_cast<double>(a.loss_mean - b.loss_mean)) < tolerance<T>());
  }
}

TEST_CASE_TEMPLATE("preference_loss: a loss of one's own, and losses by name", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  if constexpr (compiles_own_functors<typename Cell::backend>) {
    std::vector<T> pc{-1, -2}, pr{-2, -2}, loss(2), gc(2);
    preference_batch<T> const batch{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 2, 1)};
    preference_loss(be, batch, {.loss = loss, .grad_chosen_logps = gc}, preference_options_for<exponential_loss>{.beta = 2});
    CHECK(relative_error(loss, std::vector<double>{std::exp(-2.0), 1}) < tolerance<T>());
    CHECK(relative_error(gc, std::vector<double>{-std::exp(-2.0), -1}) < tolerance<T>());
  }
  CHECK(std::get<loss::simpo>(loss::by_name("simpo", {.gamma = 0.25})).gamma == 0.25);
  CHECK(std::get<loss::exo_pair>(loss::by_name("exo_pair")).label_smoothing == 1e-3);
  CHECK_THROWS_WITH_AS(loss::by_name("sigmoidal"), doctest::Contains("must be one of sigmoid cpo rosepo"), option_error);
}

TEST_CASE_TEMPLATE("preference_loss: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  preference_problem<T> p(4, 2, 0, 3);
  preference_answers<T> a(p);
  auto const batch = p.batch();
  auto wrong = batch;
  wrong.reference_chosen_logps = wrong.reference_chosen_logps.part(0, 3);
  CHECK_THROWS_WITH_AS(preference_loss(be, wrong, a.plain()),
                       "preference_loss: reference_chosen_logps is [3] and must be [4] (one for each chosen item)", shape_error);
  wrong = batch;
  wrong.policy_rejected_logps = wrong.policy_rejected_logps.row_block(0, 3);
  CHECK_THROWS_AS(preference_loss(be, wrong, a.plain()), shape_error);
  wrong = batch;
  wrong.chosen_lengths = {};
  CHECK_THROWS_WITH_AS(preference_loss(be, wrong, a.plain(), {.length_normalize = true}),
                       doctest::Contains("chosen_lengths is left out and must be [4]"), shape_error);
  wrong = batch;
  wrong.smoothing = {};
  CHECK_THROWS_WITH_AS(preference_loss(be, wrong, a.plain(), {.loss = loss::rosepo{}}),
                       doctest::Contains("smoothing is left out"), shape_error);
  CHECK_THROWS_WITH_AS(preference_loss(be, batch, a.plain(), {.beta = -1}),
                       "preference_loss: beta is -1 and must be finite and > 0", option_error);
  CHECK_THROWS_AS(preference_loss(be, batch, a.plain(), {.reduction = loss_reduction::dr_dpo, .dr_beta = 0}), option_error);
  CHECK_THROWS_AS(preference_loss(be, batch, a.plain(), {.log_ratio_clamp = {{1, -1}}}), option_error);
  CHECK_THROWS_AS(preference_loss(be, batch, a.plain(), {.loss = loss::robust{.label_smoothing = 0.5}}), option_error);
  CHECK_THROWS_AS(preference_loss(be, batch, a.plain(), {.loss = loss::exo_pair{.label_smoothing = 0}}), option_error);
  CHECK_THROWS_AS(preference_loss(be, batch, a.plain(), {}, std::vector<T>(3)), shape_error);
  for (T x : a.all()) CHECK(x == T(-77));  // nothing was written

  T const nan = std::numeric_limits<T>::quiet_NaN();
  p.policy_rejected[5] = nan;
  CHECK_THROWS_WITH_AS(preference_loss(be, p.batch(), a.plain()),
                       doctest::Contains("policy_rejected_logps holds a NaN at flat position 5"), value_error);
  p.mask = {1, 1, 1, 1, 1, 0, 1, 1};
  p.masked = true;
  preference_loss(be, p.batch(), a.plain());  // the slot is not in use
  p.sampled = true;
  p.sample_weights[3] = nan;
  CHECK_THROWS_WITH_AS(preference_loss(be, p.batch(), a.plain()),
                       doctest::Contains("sample_weights holds a NaN at flat position 3"), value_error);
  p.sample_weights[3] = 1;
  p.upstream[2] = nan;
  CHECK_THROWS_WITH_AS(preference_loss(be, p.batch(), a.plain(), {}, p.upstream),
                       doctest::Contains("upstream holds a NaN at flat position 2"), value_error);
}

}  // namespace causaldpo::test
