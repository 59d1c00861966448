// SPDX-License-Identifier: Apache-2.0
// conditional_preference: a case worked by hand, finite differences of every mixture, identities, edges and errors.
#pragma once

#include "algorithms/preference_problem.hpp"
#include "causaldpo/backends/reference.hpp"
#include "causaldpo/preference/conditional_preference.hpp"
#include "support/cell.hpp"

namespace causaldpo::test {

/// The three mixtures with their names.
struct named_mixture {
  char const* name;
  preference_mixture mixture;
};
inline constexpr named_mixture all_mixtures[] = {{"expected", preference_mixture::expected},
                                                 {"likelihood", preference_mixture::likelihood},
                                                 {"risk", preference_mixture::risk}};

TEST_CASE_TEMPLATE("conditional_preference: by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  // z = 0; offsets shift the margin by 2 in the first environment and by -1 in the second
  std::vector<T> pc{-1}, pr{-1}, q{T(0.75), T(0.25)}, co{0, -1}, ro{-1, T(-0.5)}, loss(1), gc(1), gr(1), gco(2), gro(2),
      shifted(1);
  T mean = 0;
  preference_batch<T> const batch{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 1, 1)};
  exposure_offsets<T> const offsets{matrix(co.data(), 1, 2), matrix(ro.data(), 1, 2)};
  conditional_results<T> const results{.loss = loss,
                                       .loss_mean = scalar(&mean),
                                       .grad_chosen_logps = gc,
                                       .grad_rejected_logps = matrix(gr.data(), 1, 1),
                                       .grad_chosen_offsets = matrix(gco.data(), 1, 2),
                                       .grad_rejected_offsets = matrix(gro.data(), 1, 2),
                                       .shifted_margins = shifted};

  conditional_preference(be, batch, matrix(q.data(), 1, 2), offsets, results, {.loss = loss::ipo{}, .beta = 1, .strength = 2});
  // z = 0.75 * 2 - 0.25 * 1 = 1.25; (1.25 - 0.5)^2 with slope 1.5
  CHECK(loss[0] == T(0.5625));
  CHECK(mean == T(0.5625));
  CHECK((gc[0] == T(1.5) && gr[0] == T(-1.5)));
  CHECK(gco == std::vector<T>{T(2.25), T(0.75)});
  CHECK(gro == std::vector<T>{T(-2.25), T(-0.75)});
  CHECK(shifted[0] == T(1.25));

  conditional_preference(be, batch, matrix(q.data(), 1, 2), offsets, results,
                         {.loss = loss::hinge{}, .beta = 1, .mixture = preference_mixture::risk, .strength = 2});
  // losses 0 at z = 2 and 2 at z = -1
  CHECK(loss[0] == T(0.5));
  CHECK((gc[0] == T(-0.25) && gr[0] == T(0.25)));
  CHECK(gco == std::vector<T>{0, T(-0.5)});
  CHECK(gro == std::vector<T>{0, T(0.5)});
  CHECK(shifted[0] == T(1.25));

  auto with_posterior = results;
  std::vector<T> posterior(2);
  with_posterior.posterior = matrix(posterior.data(), 1, 2);
  conditional_preference(be, batch, matrix(q.data(), 1, 2), offsets, with_posterior,
                         {.loss = loss::hinge{}, .beta = 1, .mixture = preference_mixture::likelihood, .strength = 2});
  double const second = 0.25 * std::exp(-2.0), evidence = 0.75 + second;
  CHECK(std::abs(static_cast<double>(loss[0]) + std::log(evidence)) < tolerance<T>());
  CHECK(relative_error(posterior, std::vector<double>{0.75 / evidence, second / evidence}) < tolerance<T>());
  CHECK(std::abs(static_cast<double>(gc[0]) + second / evidence) < tolerance<T>());
}

TEST_CASE_TEMPLATE("conditional_preference: gradients agree with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    int variant = 0;
    for (char const* name : margin_loss_names())
      for (auto const& mixture : all_mixtures)
        for (index_t b : {1, 9})
          for (index_t j : {1, 3}) {
            CAPTURE(name);
            CAPTURE(mixture.name);
            CAPTURE(b);
            CAPTURE(j);
            index_t const k = 1 + (b + j) % 3;
            preference_problem<double> p(b, j, k, static_cast<std::uint64_t>(31 * b + j));
            p.masked = j > 1;
            p.paired = variant % 2 == 0;
            p.sampled = variant % 3 == 0;
            conditional_options options{.loss = named_loss(name), .beta = 0.4, .nll_weight = variant % 5 == 0 ? 0.3 : 0};
            options.mixture = mixture.mixture;
            options.strength = 0.6;
            options.reduction = variant % 4 == 1 ? loss_reduction::dr_dpo : loss_reduction::mean;
            if (variant % 4 == 3) options.log_ratio_clamp = {{-2, 2}};
            bool const by_upstream = variant++ % 3 == 2;
            auto value = [&] {
              double mean = 0, sum = 0;
              std::vector<double> losses(static_cast<std::size_t>(b));
              conditional_preference(be, p.batch(), p.memberships(), p.offsets(), {.loss = losses, .loss_mean = scalar(&mean)},
                                     options);
              for (std::size_t i = 0; i < losses.size(); ++i) sum += p.upstream[i] * losses[i];
              return by_upstream ? sum : mean;
            };
            preference_answers<double> a(p);
            conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional(), options,
                                   by_upstream ? view<double const, 1>(p.upstream) : view<double const, 1>());
            CHECK(finite_difference_error(p.policy_chosen, a.grad_chosen, value) < 1e-7);
            CHECK(finite_difference_error(p.policy_rejected, a.grad_rejected, value) < 1e-7);
            CHECK(finite_difference_error(p.chosen_offsets, a.grad_chosen_offsets, value) < 1e-7);
            CHECK(finite_difference_error(p.rejected_offsets, a.grad_rejected_offsets, value) < 1e-7);
          }
    for (auto const& mixture : all_mixtures) {  // many examples
      CAPTURE(mixture.name);
      preference_problem<double> p(521, 7, 4, 9);
      p.masked = p.paired = p.sampled = true;
      conditional_options const options{.loss = loss::sdpo{}, .beta = 0.4, .mixture = mixture.mixture, .strength = 1.3};
      auto value = [&] {
        double mean = 0;
        conditional_preference(be, p.batch(), p.memberships(), p.offsets(), {.loss_mean = scalar(&mean)}, options);
        return mean;
      };
      preference_answers<double> a(p);
      conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional(), options);
      CHECK(directional_error(p.policy_rejected, a.grad_rejected, value) < 1e-7);
      CHECK(directional_error(p.rejected_offsets, a.grad_rejected_offsets, value) < 1e-7);
    }
  }
}

TEST_CASE_TEMPLATE("conditional_preference: strength 0 is preference_loss to the bit and reads no offset", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  preference_problem<T> p(43, 3, 2, 14);
  p.masked = p.paired = p.sampled = true;
  p.chosen_offsets.assign(p.chosen_offsets.size(), std::numeric_limits<T>::quiet_NaN());
  for (char const* name : margin_loss_names()) {
    CAPTURE(name);
    preference_answers<T> plain(p), given(p), absent(p);
    preference_loss(be, p.batch(), plain.plain(), {.loss = named_loss(name), .beta = 0.4, .nll_weight = 0.2});
    conditional_options const options{.loss = named_loss(name), .beta = 0.4, .nll_weight = 0.2, .strength = 0};
    conditional_preference(be, p.batch(), p.memberships(), p.offsets(), given.conditional(), options);
    conditional_preference(be, p.batch(), p.memberships(), {}, absent.conditional(), options);
    CHECK(same_bits(given.all(), absent.all()));
    CHECK(given.loss_mean == plain.loss_mean);
    CHECK((same_bits(given.loss, plain.loss) && same_bits(given.grad_chosen, plain.grad_chosen) &&
           same_bits(given.grad_rejected, plain.grad_rejected) && same_bits(given.margins, plain.margins)));
    CHECK(same_bits(given.shifted_margins, plain.margins));
    for (T x : given.grad_rejected_offsets) CHECK(x == T(0));
  }
}

TEST_CASE_TEMPLATE("conditional_preference: identities", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  preference_problem<T> p(23, 3, 4, 15), one(23, 3, 1, 15);
  one.q.assign(one.q.size(), 1);
  for (std::size_t i = 0; i < 23; ++i) {  // four identical environments, and the one that they are
    T sum = 0;
    for (std::size_t k = 0; k < 3; ++k) sum += p.q[i * 4 + k] = std::round(p.q[i * 4 + k] * T(256)) / T(256);
    p.q[i * 4 + 3] = 1 - sum;  // exact: the row sums to 1
    for (std::size_t k = 0; k < 4; ++k) p.chosen_offsets[i * 4 + k] = one.chosen_offsets[i];
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t k = 0; k < 4; ++k) p.rejected_offsets[(i * 3 + c) * 4 + k] = one.rejected_offsets[i * 3 + c];
    one.policy_chosen[i] = p.policy_chosen[i];
  }
  one.policy_rejected = p.policy_rejected;
  one.reference_chosen = p.reference_chosen;
  one.reference_rejected = p.reference_rejected;
  one.smoothing = p.smoothing;
  double const allowed = std::is_same_v<T, double> ? 1e-12 : 1e-5;
  for (char const* name : margin_loss_names())
    for (auto const& mixture : all_mixtures) {
      CAPTURE(name);
      CAPTURE(mixture.name);
      preference_answers<T> a(p), b(one);
      conditional_options const options{.loss = named_loss(name), .beta = 0.4, .mixture = mixture.mixture, .strength = 1.2};
      conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional(), options);
      conditional_preference(be, one.batch(), one.memberships(), one.offsets(), b.conditional(), options);
      CHECK(relative_error(a.loss, b.loss) < allowed);
      CHECK(relative_error(a.grad_chosen, b.grad_chosen) < allowed);
      CHECK(relative_error(a.grad_rejected, b.grad_rejected) < allowed);

      std::vector<double> rows(23);  // d/d chosen = -sum_j d/d rejected, and tau/beta times it is the sum over offsets
      for (std::size_t i = 0; i < 23; ++i)
        for (std::size_t c = 0; c < 3; ++c) rows[i] -= static_cast<double>(a.grad_rejected[i * 3 + c]);
      CHECK(relative_error(a.grad_chosen, rows) < 10 * allowed);
      std::vector<double> sums(23);
      for (std::size_t i = 0; i < 23; ++i)
        for (std::size_t k = 0; k < 4; ++k) sums[i] += static_cast<double>(a.grad_chosen_offsets[i * 4 + k]) * 0.4 / 1.2;
      CHECK(relative_error(a.grad_chosen, sums) < 10 * allowed);
    }
}

TEST_CASE_TEMPLATE("conditional_preference: impossible offers and rows outside every environment", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  // chosen on offer nowhere; rejected on offer nowhere; neither (dropped); NaN where q is 0; in no environment (dropped)
  std::vector<T> pc(5, T(-2)), pr(5, T(-2)), q{T(0.5), T(0.5), T(0.5), T(0.5), T(0.5), T(0.5), 1, 0, 0, 0};
  std::vector<T> co{-inf, -inf, -1, -1, -inf, -inf, -1, nan, nan, nan}, ro{-1, -1, -inf, -inf, -inf, -inf, -1, nan, nan, nan};
  preference_batch<T> const batch{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 5, 1)};
  for (char const* name : {"sigmoid", "sdpo", "dmpo", "hinge"})
    for (auto const& mixture : all_mixtures) {
      CAPTURE(name);
      CAPTURE(mixture.name);
      std::vector<T> loss(5), gc(5), gr(5), gco(10), gro(10), counts(5), posterior(10);
      T mean = 0;
      conditional_results<T> results{.loss = loss,
                                     .loss_mean = scalar(&mean),
                                     .grad_chosen_logps = gc,
                                     .grad_rejected_logps = matrix(gr.data(), 5, 1),
                                     .grad_chosen_offsets = matrix(gco.data(), 5, 2),
                                     .grad_rejected_offsets = matrix(gro.data(), 5, 2)};
      results.pair_counts = counts;
      if (mixture.mixture == preference_mixture::likelihood) results.posterior = matrix(posterior.data(), 5, 2);
      conditional_preference(be, batch, matrix(q.data(), 5, 2), {matrix(co.data(), 5, 2), matrix(ro.data(), 5, 2)}, results,
                             {.loss = loss::by_name(name), .beta = 0.5, .mixture = mixture.mixture});
      CHECK((loss[0] == inf && loss[1] == T(0) && loss[2] == T(0) && loss[4] == T(0) && mean == inf));
      CHECK(counts == std::vector<T>{1, 1, 0, 1, 0});
      CHECK(std::abs(static_cast<double>(gc[0]) + 0.5 / 3) < tolerance<T>());
      CHECK(std::abs(static_cast<double>(gr[0]) - 0.5 / 3) < tolerance<T>());
      CHECK((gc[1] == T(0) && gc[2] == T(0) && gc[4] == T(0)));
      CHECK(relative_error(std::vector<T>(gco.begin(), gco.begin() + 2), std::vector<double>{-0.5 / 3, -0.5 / 3}) <
            tolerance<T>());
      CHECK((gco[7] == T(0) && gro[7] == T(0) && gro[8] == T(0)));
      for (auto const* v : {&gco, &gro})
        for (T x : *v) CHECK(!std::isnan(x));
      if (mixture.mixture == preference_mixture::likelihood) {
        CHECK(relative_error(posterior, std::vector<double>{0.5, 0.5, 0.5, 0.5, 0, 0, 1, 0, 0, 0}) < tolerance<T>());
      }
      if (name == std::string("sigmoid")) {
        std::vector<T> const upstream{0, 1, 1, 1, 1};
        conditional_preference(be, batch, matrix(q.data(), 5, 2), {matrix(co.data(), 5, 2), matrix(ro.data(), 5, 2)}, results,
                               {.loss = loss::ipo{}, .beta = 0.5, .mixture = mixture.mixture}, upstream);
        CHECK((gc[0] == T(0) && gr[0] == T(0) && gco[0] == T(0) && gro[0] == T(0)));  // although its slope is infinite
      }
    }
}

TEST_CASE_TEMPLATE("conditional_preference: infinite slopes beside finite ones", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity();
  // rows: rejected not on offer in the second environment, where the loss of ipo is +inf; not on offer are the rejected
  // item in the first and the chosen one in the second, so that slopes of +inf and -inf meet
  std::vector<T> pc{-2, -2}, pr{-1, -1}, q{T(0.5), T(0.5), T(0.5), T(0.5)}, co{-1, -1, -1, -inf}, ro{-3, -inf, -inf, -2};
  std::vector<T> loss(2), gc(2), gr(2), gco(4), gro(4), posterior(4), one_loss(1), one_gc(1), one_gr(1), one_gco(1), one_gro(1);
  conditional_results<T> results{.loss = loss,
                                 .grad_chosen_logps = gc,
                                 .grad_rejected_logps = matrix(gr.data(), 2, 1),
                                 .grad_chosen_offsets = matrix(gco.data(), 2, 2),
                                 .grad_rejected_offsets = matrix(gro.data(), 2, 2)};
  auto run = [&](preference_mixture mixture) {
    conditional_preference(be, preference_batch<T>{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), 2, 1)},
                           matrix(q.data(), 2, 2), {matrix(co.data(), 2, 2), matrix(ro.data(), 2, 2)}, results,
                           {.loss = loss::ipo{}, .beta = 0.5, .reduction = loss_reduction::sum, .mixture = mixture});
  };
  // the first row in its first environment alone
  conditional_preference(be,
                         preference_batch<T>{.policy_chosen_logps = {pc.data(), 1}, .policy_rejected_logps = {pr.data(), 1, 1}},
                         matrix(q.data(), 1, 1), {matrix(co.data(), 1, 1), matrix(ro.data(), 1, 1)},
                         {.loss = one_loss,
                          .grad_chosen_logps = one_gc,
                          .grad_rejected_logps = matrix(one_gr.data(), 1, 1),
                          .grad_chosen_offsets = matrix(one_gco.data(), 1, 1),
                          .grad_rejected_offsets = matrix(one_gro.data(), 1, 1)},
                         {.loss = loss::ipo{}, .beta = 0.5, .mixture = preference_mixture::likelihood});
  REQUIRE(one_gc[0] != T(0));

  run(preference_mixture::risk);
  CHECK((loss[0] == inf && loss[1] == inf));
  CHECK((gc[0] == inf && gr[0] == -inf && gco[1] == inf && gro[1] == -inf));
  CHECK((gc[1] == T(0) && gr[1] == T(0)));

  results.posterior = matrix(posterior.data(), 2, 2);
  run(preference_mixture::likelihood);
  CHECK((loss[0] == one_loss[0] && loss[1] == inf));
  CHECK(posterior == std::vector<T>{1, 0, T(0.5), T(0.5)});
  CHECK((gc[0] == one_gc[0] && gr[0] == one_gr[0]));
  CHECK((gco[0] == one_gco[0] && gco[1] == T(0) && gro[0] == one_gro[0] && gro[1] == T(0)));
  CHECK((gc[1] == T(0) && gr[1] == T(0)));
}

TEST_CASE_TEMPLATE("conditional_preference: offsets of 1e4, no rows, no environments", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (auto const& mixture : all_mixtures) {
    CAPTURE(mixture.name);
    preference_problem<T> p(13, 2, 3, 21);
    for (std::size_t i = 0; i < p.chosen_offsets.size(); ++i) p.chosen_offsets[i] = i % 2 == 0 ? T(10000) : T(-10000);
    preference_answers<T> a(p);
    conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional(), {.mixture = mixture.mixture});
    for (T x : a.all()) CHECK(std::isfinite(x));
    for (auto [b, k] : {std::pair<index_t, index_t>{0, 3}, {4, 0}}) {
      preference_problem<T> const empty(b, 2, k, 22);
      preference_answers<T> none(empty);
      conditional_preference(be, empty.batch(), empty.memberships(), empty.offsets(), none.conditional(),
                             {.mixture = mixture.mixture});
      CHECK(none.loss_mean == T(0));
      for (T x : none.grad_rejected) CHECK(x == T(0));
    }
  }
}

TEST_CASE_TEMPLATE("conditional_preference: memory, strides, repetition, agreement with the reference backend", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  preference_problem<T> dense(31, 2, 3, 4, 0), strided(31, 2, 3, 4, 3), large(1031, 3, 5, 6);
  dense.paired = strided.paired = large.paired = large.masked = large.sampled = true;
  for (char const* name : {"sigmoid", "ipo", "sdpo", "dmpo"})
    for (auto const& mixture : all_mixtures) {
      CAPTURE(name);
      CAPTURE(mixture.name);
      bool const likelihood = mixture.mixture == preference_mixture::likelihood;
      conditional_options const options{.loss = loss::by_name(name), .beta = 0.5, .mixture = mixture.mixture, .strength = 0.7};
      auto const before = dense;
      preference_answers<T> first(dense), second(dense), wide(strided), a(large), b(large);
      conditional_preference(be, dense.batch(), dense.memberships(), dense.offsets(), first.conditional(likelihood), options);
      auto const allocations = be.allocations();
      conditional_preference(be, dense.batch(), dense.memberships(), dense.offsets(), second.conditional(likelihood), options);
      CHECK(be.allocations() == allocations);
      CHECK(same_bits(first.all(), second.all()));
      conditional_preference(be, strided.batch(), strided.memberships(), strided.offsets(), wide.conditional(likelihood),
                             options);
      CHECK(same_bits(first.all(), wide.all()));
      CHECK((wide.grad_rejected_offsets[3] == T(-77) && wide.grad_chosen_offsets[5] == T(-77) && wide.posterior[4] == T(-77)));
      CHECK((same_bits(before.q, dense.q) && same_bits(before.chosen_offsets, dense.chosen_offsets) &&
             same_bits(before.rejected_offsets, dense.rejected_offsets)));

      conditional_preference(be, large.batch(), large.memberships(), large.offsets(), a.conditional(likelihood), options);
      conditional_preference(reference, large.batch(), large.memberships(), large.offsets(), b.conditional(likelihood), options);
      CHECK(relative_error(a.loss, b.loss) < tolerance<T>());
      CHECK(relative_error(a.posterior, b.posterior) < 4 * tolerance<T>());
      CHECK(relative_error(a.grad_rejected, b.grad_rejected) < 4 * tolerance<T>());
      CHECK(relative_error(a.grad_chosen_offsets, b.grad_chosen_offsets) < 4 * tolerance<T>());
      CHECK(relative_error(a.grad_rejected_offsets, b.grad_rejected_offsets) < 4 * tolerance<T>());
    }
}

TEST_CASE_TEMPLATE("conditional_preference: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  preference_problem<T> p(4, 2, 3, 3);
  preference_answers<T> a(p);
  CHECK_THROWS_WITH_AS(
      conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional(), {.loss = loss::kto_pair{}}),
      doctest::Contains("conditional_preference: loss is kto_pair and must be a function of the margins"), option_error);
  CHECK_THROWS_WITH_AS(conditional_preference(be, p.batch(), p.memberships(), {}, a.conditional()),
                       doctest::Contains("offsets.chosen is left out and must be [4, 3]"), shape_error);
  CHECK_THROWS_WITH_AS(conditional_preference(be, p.batch(), p.memberships().row_block(0, 3), p.offsets(), a.conditional()),
                       "conditional_preference: q is [3, 3] and must be [4, 3] (one row for each chosen item)", shape_error);
  CHECK_THROWS_AS(conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional(true)), option_error);
  CHECK_THROWS_AS(conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional(),
                                         {.strength = std::numeric_limits<double>::infinity()}),
                  option_error);
  for (T x : a.all()) CHECK(x == T(-77));
  p.rejected_offsets[7] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional()),
                       doctest::Contains("rejected_offsets holds a NaN at flat position 7"), value_error);
  p.q[3] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(conditional_preference(be, p.batch(), p.memberships(), p.offsets(), a.conditional()),
                       doctest::Contains("q holds a NaN at flat position 3"), value_error);
}

}  // namespace causaldpo::test
