// SPDX-License-Identifier: Apache-2.0
// The functors between the operations that causal_dpo_objective composes, and its checks.
#pragma once

#include "causaldpo/objective/objective_types.hpp"

namespace causaldpo::detail {

template <class T, class S>
struct objective_args {
  objective_batch<T, S> batch;
  objective_results<T, S> out;

  index_t examples() const { return batch.preference.policy_chosen_logps.size(); }
  index_t items() const { return batch.preference.policy_rejected_logps.cols(); }
};

/// f(i, k): q_ik, or 0 in the row of a dropped example, which is then not read.
template <class T, class S>
struct keep_rows {
  view<T const, 1, S> counts;
  view<T const, 2, S> q;
  view<T, 2, S> kept;
  CAUSALDPO_HD void operator()(index_t i, index_t k) const { kept.at(i, k) = counts.at(i) > T(0) ? q.at(i, k) : T(0); }
};

/// f(i): sum += weight * x.
template <class T, class S>
struct add_weighted {
  accumulator weight;
  view<T const, 1, S> x;
  view<T, 1, S> sum;
  CAUSALDPO_HD void operator()(index_t i) const {
    sum.at(i) = static_cast<T>(static_cast<accumulator>(sum.at(i)) + weight * static_cast<accumulator>(x.at(i)));
  }
};

/// f(i, j): x *= weight.
template <class T, class S>
struct scale_entries {
  accumulator weight;
  view<T, 2, S> x;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const {
    x.at(i, j) = static_cast<T>(weight * static_cast<accumulator>(x.at(i, j)));
  }
};

/// f(i, j): x = 0.
template <class T, class S>
struct clear_entries {
  view<T, 2, S> x;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const { x.at(i, j) = T(0); }
};

/// One work item: the sum of the terms. A penalty of weight 0 is not added, so 0 * inf never arises.
template <class T, class S>
struct add_terms {
  view<T const, 1, S> terms;  // the preference term, then the penalties
  double weights[2];
  objective_results<T, S> out;
  CAUSALDPO_HD void operator()(index_t) const {
    accumulator value = static_cast<accumulator>(terms.at(0));
    for (index_t p = 0; p + 1 < terms.size(); ++p) {
      if (weights[p] != 0) value += weights[p] * static_cast<accumulator>(terms.at(p + 1));
      if (out.penalty_terms.given()) out.penalty_terms.at(p) = terms.at(p + 1);
    }
    if (out.preference_term.given()) out.preference_term.at(0) = terms.at(0);
    if (out.value.given()) out.value.at(0) = static_cast<T>(value);
  }
};

/// A matrix of b rows and any number of columns, which the message calls `columns`.
template <class M>
void expect_rows(char const* op, char const* argument, M const& m, index_t b, char const* columns, char const* why) {
  std::ostringstream must;
  must << '[' << b << ", " << columns << ']';
  if (m.rows() != b) throw_shape(op, argument, m.given() ? shape_text(m.rows(), m.cols()) : "left out", must.str(), why);
  expect_shape(op, argument, m, b, m.cols(), why);
}

/// Everything that can be known before the first operation writes.
template <class T, class S, class O>
void check_objective(char const* name, objective_args<T, S> const& a, O const& o) {
  constexpr char const* per_example = "one row for each example";
  auto const& in = a.batch;
  auto const& out = a.out;
  index_t const b = a.examples(), j = a.items();
  bool const given = o.environment.kind == environment_kind::given;
  index_t const k = given ? in.q.cols() : in.centers.rows();
  if (given)
    expect_rows(name, "q", in.q, b, "K", per_example);
  else {
    expect_rows(name, "features", in.features, b, "F", per_example);
    expect_shape(name, "centers", in.centers, k, in.features.cols(), "as many columns as features");
    expect_option(name, "environment.temperature", o.environment.temperature > 0 && is_finite(o.environment.temperature),
                  o.environment.temperature, "finite and > 0");
  }
  expect_option(name, "preference.sample_weights", !in.preference.sample_weights.given(), "given",
                "left out: the adjustment weights the examples");
  expect_option(name, "preference.reduction", o.preference.reduction == loss_reduction::mean, "sum or dr_dpo",
                "mean: the adjustment takes its place");
  visit_loss_option(o.preference.loss, [&]<class L>(L const& l) {
    preference_options_for<L> const p{
        l, o.preference.beta, o.preference.reference_free, false, o.preference.log_ratio_clamp, o.preference.nll_weight};
    auto const plan = plan_preference<T>(name, p);
    preference_args<T, S> args{.batch = in.preference};
    args.out.loss = out.loss;
    args.out.grad_chosen_logps = out.grad_chosen_logps;
    args.out.grad_rejected_logps = out.grad_rejected_logps;
    check_preference_batch(name, args, plan.reference, o.preference.length_normalize, loss_needs_smoothing<L>);
    if (o.conditional)
      expect_option(name, "preference.loss", shiftable_loss<L>, l.name(),
                    "a function of the margins (sigmoid, hinge, ipo, sdpo, dmpo, ...)");
  });
  if (o.conditional) {
    expect_option(name, "preference.length_normalize", !o.preference.length_normalize, "true", "false with `conditional`");
    expect_option(name, "conditional.strength", is_finite(o.conditional->strength), o.conditional->strength, "finite");
    if (static_cast<T>(o.conditional->strength) != T(0)) {
      expect_shape(name, "offsets.chosen", in.offsets.chosen, b, k, "as q");
      expect_shape(name, "offsets.rejected", in.offsets.rejected, b * j, k, "row i*J + j for rejected item j of example i");
    }
  }
  bool const likelihood = o.conditional && o.conditional->mixture == preference_mixture::likelihood;
  expect_option(name, "posterior", likelihood || !out.posterior.given(), "asked for", "asked of the mixture likelihood only");
  expect_shape_if_given(name, "posterior", out.posterior, b, k, "as q");
  expect_option(name, "adjustment.min_mass", o.adjustment.min_mass >= 0, o.adjustment.min_mass, ">= 0");
  adjusted_loss_args<T, S> adjustment{in.preference.policy_chosen_logps,
                                      {static_cast<T const*>(nullptr), b, k},
                                      {in.prior, in.prev_env_weights, in.assignment},
                                      {},
                                      o.adjustment.min_mass,
                                      {}};
  adjustment.out.env_weights = out.env_weights;
  adjustment.out.updated_prior = out.updated_prior;
  visit_estimator(o.adjustment.estimator, [&](auto const& e) { check_estimator(name, e, adjustment); });
  if (o.mmd) {
    expect_rows(name, "outputs", in.outputs, b, "D", "the penalty mmd needs one row for each example");
    expect_rule(name, {o.mmd->options.bandwidths, o.mmd->options.median_multipliers});
    expect_option(name, "mmd.weight", is_finite(o.mmd->weight), o.mmd->weight, "finite");
    expect_option(name, "mmd.min_mass", o.mmd->options.min_mass >= 0, o.mmd->options.min_mass, ">= 0");
  }
  if (o.vrex) {
    expect_option(name, "vrex.weight", is_finite(o.vrex->weight), o.vrex->weight, "finite");
    expect_option(name, "vrex.prior", o.vrex->options.prior != prior_kind::ema, "ema", "uniform, batch or given");
    expect_prior(name, o.vrex->options.prior, in.prior, k);
  }
  expect_size_if_given(name, "value", out.value, 1, "a scalar");
  expect_size_if_given(name, "preference_term", out.preference_term, 1, "a scalar");
  expect_size_if_given(name, "penalty_terms", out.penalty_terms, o.penalty_count(), "one for each penalty");
  expect_shape_if_given(name, "results.q", out.q, b, k, "one column for each environment");
  expect_shape_if_given(name, "grad_outputs", out.grad_outputs, b, in.outputs.cols(), "as outputs");
  expect_shape_if_given(name, "grad_features", out.grad_features, b, in.features.cols(), "as features");
  for (auto const* v : {&out.env_losses, &out.env_mass, &out.env_weights, &out.updated_prior})
    expect_size_if_given(name, "an environment's result", *v, k, "one for each environment");
}

}  // namespace causaldpo::detail
