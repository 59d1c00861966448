// SPDX-License-Identifier: Apache-2.0
// causal_dpo_objective: against its parts called one by one, finite differences of everything it is a function of, the
// identities of the conditional form, steady state, edges and errors.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/objective/causal_dpo_objective.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// A batch with memory of its own and room for every result.
template <class T>
struct objective_problem {
  index_t b, j, k, d = 3, f = 2;
  std::vector<T> chosen, rejected, reference_chosen, reference_rejected, chosen_offsets, rejected_offsets, q, features, centers,
      outputs, prior;
  std::vector<std::uint8_t> mask;
  std::vector<T> value, preference_term, penalty_terms, assigned, loss, grad_chosen, grad_rejected, grad_outputs, grad_features,
      posterior;

  objective_problem(index_t rows, index_t items, index_t environments, std::uint64_t seed = 8)
      : b(rows), j(items), k(environments) {
    random_source random(seed);
    chosen = random.normals<T>(b, 0.5, -3);
    rejected = random.normals<T>(b * j, 0.5, -4);
    reference_chosen = random.normals<T>(b, 0.5, -3);
    reference_rejected = random.normals<T>(b * j, 0.5, -4);
    chosen_offsets = random.normals<T>(b * k, 0.7, -5);
    rejected_offsets = random.normals<T>(b * j * k, 0.7, -5);
    q = random.memberships<T>(b, k);
    features = random.normals<T>(b * f);
    centers = random.normals<T>(k * f, 2);
    outputs = random.normals<T>(b * d);
    mask.assign(rejected.size(), 1);
    for (index_t i = 0; i < k; ++i) prior.push_back(static_cast<T>(random.uniform(0.2, 1)));
    for (auto* v : {&value, &preference_term}) v->assign(1, T(-9));
    penalty_terms.assign(2, T(-9));
    for (auto* v : {&loss, &grad_chosen}) v->assign(chosen.size(), T(-9));
    for (auto* v : {&assigned, &posterior}) v->assign(q.size(), T(-9));
    grad_rejected.assign(rejected.size(), T(-9));
    grad_outputs.assign(outputs.size(), T(-9));
    grad_features.assign(features.size(), T(-9));
  }
  objective_batch<T> batch() {
    return {.preference = {.policy_chosen_logps = chosen,
                           .policy_rejected_logps = matrix(rejected.data(), b, j),
                           .reference_chosen_logps = reference_chosen,
                           .reference_rejected_logps = matrix(reference_rejected.data(), b, j),
                           .rejected_mask = matrix(mask.data(), b, j)},
            .offsets = {matrix(chosen_offsets.data(), b, k), matrix(rejected_offsets.data(), b * j, k)},
            .q = matrix(q.data(), b, k),
            .features = matrix(features.data(), b, f),
            .centers = matrix(centers.data(), k, f),
            .outputs = matrix(outputs.data(), b, d),
            .prior = prior,
            .prev_env_weights = prior};
  }
  objective_results<T> results(objective_options const& o) {
    return {.value = value,
            .preference_term = preference_term,
            .penalty_terms = {penalty_terms.data(), o.penalty_count()},
            .q = matrix(assigned.data(), b, k),
            .loss = loss,
            .grad_chosen_logps = grad_chosen,
            .grad_rejected_logps = matrix(grad_rejected.data(), b, j),
            .grad_outputs = matrix(grad_outputs.data(), b, d),
            .grad_features = matrix(grad_features.data(), b, f)};
  }
  template <class B>
  void run(B& be, objective_options const& o) {
    causal_dpo_objective(be, batch(), results(o), o);
  }
};

/// Settings that together reach every path.
inline std::vector<objective_options> objective_settings() {
  using both = weighted_penalty<vrex_options>;
  objective_options plain, soft = presets::paper(), conditional = presets::recommended(0.5), likelihood, risk, ipw;
  plain.vrex = both{.weight = 0.7, .options = {.prior = prior_kind::given}};
  soft.environment_gradient = true;
  soft.preference.beta = 0.8;
  soft.mmd->weight = 3;
  soft.vrex = both{.weight = 0.5};
  likelihood.preference = {.loss = loss::sdpo{}, .beta = 0.6, .nll_weight = 0.1};
  likelihood.conditional = environment_conditional{.mixture = preference_mixture::likelihood, .strength = 0.8};
  likelihood.adjustment.estimator = estimator::soft_worst{.temperature = 0.5};
  likelihood.mmd = weighted_penalty<mmd_options>{.weight = 0.4, .options = {.bandwidths = {0.7, 2}, .unbiased = true}};
  risk.conditional = environment_conditional{.mixture = preference_mixture::risk};
  risk.environment = {.kind = environment_kind::soft_assignment, .metric = distance_metric::sqeuclidean, .temperature = 2};
  ipw.adjustment.estimator = estimator::ipw{.prior = prior_kind::given, .self_normalize = true};
  return {plain, soft, conditional, likelihood, risk, ipw};
}

TEST_CASE_TEMPLATE("causal_dpo_objective: gradients agree with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    for (objective_options const& o : objective_settings())
      for (index_t b : {1, 7, 13})
        for (index_t j : {1, 3}) {
          objective_problem<double> p(b, j, 3);
          if (j > 1) p.mask[1] = 0;
          p.run(be, o);
          auto value = [&] {
            double v = 0;
            causal_dpo_objective(be, p.batch(), {.value = scalar(&v)}, o);
            return v;
          };
          CHECK(finite_difference_error(p.chosen, p.grad_chosen, value) < 1e-7);
          CHECK(finite_difference_error(p.rejected, p.grad_rejected, value) < 1e-7);
          CHECK(finite_difference_error(p.outputs, p.grad_outputs, value) < 1e-7);
          if (o.environment_gradient)
            CHECK(finite_difference_error(p.features, p.grad_features, value) < 1e-7);
          else
            CHECK(p.grad_features == std::vector<double>(p.features.size(), 0));
        }
  }
}

TEST_CASE_TEMPLATE("causal_dpo_objective: equals its parts", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  objective_problem<T> p(67, 2, 3);
  objective_options o;
  o.preference = {.loss = loss::sdpo{}, .beta = 0.4};
  o.mmd = weighted_penalty<mmd_options>{.weight = 0.25};
  o.vrex = weighted_penalty<vrex_options>{.weight = 2};
  std::vector<T> loss(67), term(1), mmd(1), vrex(1), grad_outputs(p.outputs.size());

  p.run(be, o);
  auto const q = matrix(p.q.data(), 67, 3);
  preference_loss(be, p.batch().preference, {.loss = loss}, o.preference);
  adjusted_loss(be, loss, q, {.value = term});
  mmd_penalty(be, matrix(p.outputs.data(), 67, 3), q, {.value = mmd, .grad_outputs = matrix(grad_outputs.data(), 67, 3)});
  vrex_penalty(be, loss, q, {.value = vrex});
  for (T& g : grad_outputs) g *= T(0.25);

  CHECK(p.loss == loss);
  CHECK(p.preference_term == term);
  CHECK(p.penalty_terms == std::vector<T>{mmd[0], vrex[0]});
  CHECK(static_cast<double>(p.value[0]) ==
        doctest::Approx(static_cast<double>(term[0]) + 0.25 * static_cast<double>(mmd[0]) + 2 * static_cast<double>(vrex[0])));
  CHECK(relative_error(p.grad_outputs, grad_outputs) < tolerance<T>());
  CHECK(p.assigned == p.q);
}

TEST_CASE_TEMPLATE("causal_dpo_objective: strength 0 is plain DPO to the bit", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (any_estimator const& e : {any_estimator{estimator::mean{}}, any_estimator{estimator::stratified{}}}) {
    objective_problem<T> plain(259, 3, 4), conditional(259, 3, 4);
    conditional.chosen_offsets.assign(conditional.chosen_offsets.size(), std::numeric_limits<T>::quiet_NaN());  // not read
    objective_options o;
    o.preference = {.loss = loss::sdpo{}, .beta = 0.3};
    o.adjustment.estimator = e;
    plain.run(be, o);
    o.conditional = environment_conditional{.strength = 0};
    conditional.run(be, o);

    CHECK(plain.value == conditional.value);
    CHECK(plain.loss == conditional.loss);
    CHECK(plain.grad_chosen == conditional.grad_chosen);
    CHECK(plain.grad_rejected == conditional.grad_rejected);

    if (!std::holds_alternative<estimator::mean>(e)) continue;
    std::vector<T> mean(1), grad(259);
    preference_loss(be, plain.batch().preference, {.loss_mean = mean, .grad_chosen_logps = grad}, o.preference);
    CHECK(plain.value == mean);
    CHECK(relative_error(plain.grad_chosen, grad) < tolerance<T>());
  }
}

TEST_CASE_TEMPLATE("causal_dpo_objective: K identical environments equal one", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (preference_mixture mixture : {preference_mixture::expected, preference_mixture::risk, preference_mixture::likelihood}) {
    objective_problem<T> one(131, 2, 1), many(131, 2, 5);
    one.q.assign(one.q.size(), T(1));
    for (std::size_t i = 0; i < many.chosen_offsets.size(); ++i) many.chosen_offsets[i] = one.chosen_offsets[i / 5];
    for (std::size_t i = 0; i < many.rejected_offsets.size(); ++i) many.rejected_offsets[i] = one.rejected_offsets[i / 5];
    for (auto member : {&objective_problem<T>::chosen, &objective_problem<T>::rejected, &objective_problem<T>::reference_chosen,
                        &objective_problem<T>::reference_rejected})
      many.*member = one.*member;
    objective_options o = presets::recommended();
    o.conditional->mixture = mixture;
    one.run(be, o);
    many.run(be, o);

    double const tol = std::is_same_v<T, double> ? 1e-12 : 1e-5;
    CHECK(relative_error(many.value, one.value) < tol);
    CHECK(relative_error(many.loss, one.loss) < tol);
    CHECK(relative_error(many.grad_chosen, one.grad_chosen) < tol);
    CHECK(relative_error(many.grad_rejected, one.grad_rejected) < tol);
  }
}

TEST_CASE_TEMPLATE("causal_dpo_objective: agrees with the reference backend; the second step allocates nothing", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  for (objective_options const& o : objective_settings()) {
    objective_problem<T> a(389, 3, 4), b(389, 3, 4), before(389, 3, 4);
    a.run(be, o);
    auto const allocations = be.allocations();
    auto const first = a;
    a.run(be, o);
    b.run(reference, o);

    CHECK(be.allocations() == allocations);
    CHECK(a.value == first.value);
    CHECK(a.grad_rejected == first.grad_rejected);
    CHECK(a.grad_features == first.grad_features);
    double const tol = 4 * tolerance<T>(389);
    CHECK(relative_error(a.value, b.value) < tol);
    CHECK(relative_error(a.grad_chosen, b.grad_chosen) < tol);
    CHECK(relative_error(a.grad_rejected, b.grad_rejected) < tol);
    CHECK(relative_error(a.grad_outputs, b.grad_outputs) < tol);
    CHECK(relative_error(a.grad_features, b.grad_features) < tol);
    for (auto input : {&objective_problem<T>::chosen, &objective_problem<T>::rejected, &objective_problem<T>::q,
                       &objective_problem<T>::features, &objective_problem<T>::outputs, &objective_problem<T>::chosen_offsets,
                       &objective_problem<T>::rejected_offsets})
      CHECK(a.*input == before.*input);
  }
}

TEST_CASE_TEMPLATE("causal_dpo_objective: padded rows give the same", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  objective_problem<T> p(19, 3, 2);
  std::vector<T> rejected(19 * 5, T(7)), outputs(19 * 4, T(7)), q(19 * 3, T(7)), grad_rejected(19 * 6, T(7)),
      grad_outputs(19 * 5, T(7)), value(1);
  for (std::size_t i = 0; i < 19; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      rejected[i * 5 + c] = p.rejected[i * 3 + c];
      outputs[i * 4 + c] = p.outputs[i * 3 + c];
      if (c < 2) q[i * 3 + c] = p.q[i * 2 + c];
    }
  objective_options o;
  o.mmd = weighted_penalty<mmd_options>{.options = {.bandwidths = {1}}};
  auto batch = p.batch();
  batch.preference.policy_rejected_logps = matrix(rejected.data(), 19, 3, 5);
  batch.outputs = matrix(outputs.data(), 19, 3, 4);
  batch.q = matrix(q.data(), 19, 2, 3);

  p.run(be, o);
  causal_dpo_objective(be, batch,
                       {.value = value,
                        .grad_rejected_logps = matrix(grad_rejected.data(), 19, 3, 6),
                        .grad_outputs = matrix(grad_outputs.data(), 19, 3, 5)},
                       o);

  CHECK(relative_error(value, p.value) < tolerance<T>());
  for (std::size_t i = 0; i < 19; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(grad_rejected[i * 6 + c] == p.grad_rejected[i * 3 + c]);
      CHECK(std::abs(static_cast<double>(grad_outputs[i * 5 + c] - p.grad_outputs[i * 3 + c])) < tolerance<T>());
      CHECK(grad_rejected[i * 6 + 3 + c] == T(7));
    }
}

TEST_CASE_TEMPLATE("causal_dpo_objective: dropped examples, impossible items, nothing valid", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (objective_options o : objective_settings()) {
    // an example without negatives is as if it were not there
    objective_problem<T> all(6, 2, 3), fewer(5, 2, 3);
    for (auto [member, width] : {std::pair{&objective_problem<T>::chosen, 1},
                                 {&objective_problem<T>::rejected, 2},
                                 {&objective_problem<T>::reference_chosen, 1},
                                 {&objective_problem<T>::reference_rejected, 2},
                                 {&objective_problem<T>::chosen_offsets, 3},
                                 {&objective_problem<T>::rejected_offsets, 6},
                                 {&objective_problem<T>::q, 3},
                                 {&objective_problem<T>::features, 2}})
      std::copy_n((fewer.*member).begin(), 5 * width, (all.*member).begin());
    for (auto member : {&objective_problem<T>::centers, &objective_problem<T>::prior}) all.*member = fewer.*member;
    all.mask[10] = all.mask[11] = 0;
    all.rejected[10] = nan;
    o.mmd.reset();  // its kernel is over all rows, this is about the losses
    all.run(be, o);
    fewer.run(be, o);
    CHECK(relative_error(all.value, fewer.value) < tolerance<T>(6));
    CHECK(all.loss[5] == T(0));
    CHECK(all.grad_chosen[5] == T(0));
    CHECK(all.grad_rejected[10] == T(0));
    CHECK(all.grad_features[10] == T(0));
  }
  for (objective_options const& o : objective_settings()) {
    objective_problem<T> p(6, 2, 3);
    p.chosen[2] = -inf;  // an impossible chosen item: value +inf, gradients finite
    p.run(be, o);
    CHECK(p.value[0] == inf);
    for (auto member : {&objective_problem<T>::grad_chosen, &objective_problem<T>::grad_rejected,
                        &objective_problem<T>::grad_outputs, &objective_problem<T>::grad_features})
      for (T g : p.*member) CHECK(std::isfinite(g));

    objective_problem<T> none(6, 2, 3);
    none.mask.assign(12, 0);
    none.run(be, o);
    CHECK(none.value[0] == T(0));
    CHECK(none.grad_chosen == std::vector<T>(6, T(0)));
    CHECK(none.grad_features == std::vector<T>(12, T(0)));

    objective_problem<T> empty(0, 2, 3);
    empty.run(be, o);
    CHECK(empty.value[0] == T(0));
  }
}

TEST_CASE_TEMPLATE("causal_dpo_objective: presets and metrics", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  objective_options const recommended = presets::recommended(1, 0.5), paper = presets::paper();
  CHECK(recommended.conditional->strength == doctest::Approx(0.5));
  CHECK(recommended.penalty_count() == 0);
  CHECK(paper.mmd->weight == doctest::Approx(0.001));
  CHECK(paper.mmd->options.bandwidths[0] == 1);
  CHECK(!paper.conditional);

  objective_problem<T> p(5, 2, 2);
  p.mask[0] = p.mask[1] = 0;
  p.q = {1, 0, 1, 0, 1, 0, 0, 1, 0, 1};
  std::vector<T> accuracy(3), dropped(3), ess(3), margins(3), own(5), counts(5), env_losses(2);
  causal_dpo_objective(be, p.batch(),
                       {.loss = p.loss,
                        .env_losses = env_losses,
                        .metrics = {.margins = margins, .accuracy = accuracy, .dropped = dropped, .effective_sample_size = ess}},
                       {.preference = {.beta = 1}});
  preference_loss(be, p.batch().preference, {.margins = own, .pair_counts = counts}, {.beta = 1});
  CHECK(dropped == std::vector<T>{1, 1, 0});
  CHECK(static_cast<double>(ess[1]) == doctest::Approx(2));  // equal slopes within an environment
  CHECK(static_cast<double>(margins[2]) == doctest::Approx(static_cast<double>(own[3] + own[4]) / 2));
  CHECK(static_cast<double>(margins[0]) == doctest::Approx(static_cast<double>(own[1] + own[2] + own[3] + own[4]) / 4));
  CHECK(static_cast<double>(env_losses[1]) == doctest::Approx(static_cast<double>(p.loss[3] + p.loss[4]) / 2));
}

TEST_CASE_TEMPLATE("causal_dpo_objective: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  objective_problem<T> p(3, 2, 2);
  auto batch = p.batch();
  auto with = [&](objective_options const& o) { causal_dpo_objective(be, batch, p.results(o), o); };

  batch.q = {};
  CHECK_THROWS_WITH_AS(with({}), "causal_dpo_objective: q is left out and must be [3, K] (one row for each example)",
                       shape_error);
  batch.q = p.batch().q;
  batch.outputs = {};
  CHECK_THROWS_WITH_AS(with({.mmd = {{.weight = 1}}}), doctest::Contains("causal_dpo_objective: outputs is left out"),
                       shape_error);
  batch.outputs = p.batch().outputs;
  batch.offsets = {};
  CHECK_THROWS_WITH_AS(with({.conditional = {{.strength = 2}}}),
                       doctest::Contains("offsets.chosen is left out and must be [3, 2]"), shape_error);
  batch.preference.sample_weights = p.chosen;
  CHECK_THROWS_WITH_AS(with({}), doctest::Contains("preference.sample_weights"), option_error);
  batch.preference.sample_weights = {};
  CHECK_THROWS_AS(with({.preference = {.reduction = loss_reduction::sum}}), option_error);
  CHECK_THROWS_WITH_AS(with({.preference = {.beta = 0}}), doctest::Contains("causal_dpo_objective: beta is 0"), option_error);
  CHECK_THROWS_AS(with({.preference = {.loss = loss::orpo{}}, .conditional = {{.strength = 0}}}), option_error);
  CHECK_THROWS_WITH_AS(with({.adjustment = {.estimator = estimator::soft_worst{.temperature = -1}}}),
                       "causal_dpo_objective: temperature is -1 and must be finite and > 0", option_error);
  CHECK_THROWS_AS(with({.mmd = {{.options = {.bandwidths = {-1}}}}}), option_error);
  batch.prior = {};
  CHECK_THROWS_AS(with({.vrex = {{.options = {.prior = prior_kind::given}}}}), shape_error);
  CHECK(p.value[0] == T(-9));  // nothing was written
  CHECK(p.loss[0] == T(-9));
  CHECK(p.assigned[0] == T(-9));

  p.chosen[1] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(with({}), doctest::Contains("policy_chosen_logps holds a NaN at flat position 1"), value_error);
}

}  // namespace causaldpo::test
