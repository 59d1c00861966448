// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of causal_dpo_objective.
#pragma once

#include "causaldpo/objective/causal_dpo_objective.hpp"
#include "conformance/ops/adjusted_loss.hpp"
#include "conformance/ops/conditional_preference.hpp"
#include "conformance/ops/mmd_penalty.hpp"
#include "conformance/ops/vrex_penalty.hpp"

namespace causaldpo::conformance {

/// The options of a case; `kinds` receives the penalties in the order of the case.
inline objective_options read_objective(case_options const& o, std::vector<std::string>& kinds) {
  objective_options options;
  case_options const preference = o.object("preference");
  if (preference.has("mixture")) {
    auto const c = read_conditional_options(preference);
    options.preference = {c.loss, c.beta, c.reference_free, false, c.log_ratio_clamp, c.nll_weight, c.reduction, c.dr_beta};
    options.conditional = environment_conditional{c.mixture, c.strength};
  } else {
    options.preference = read_preference_options(preference);
  }
  options.preference.reduction = loss_reduction::mean;  // without meaning here: the adjustment reduces the losses
  case_options const environment = o.object("environment");
  options.environment.kind =
      environment.choice("kind", options.environment.kind,
                         {{"given", environment_kind::given}, {"soft_assignment", environment_kind::soft_assignment}});
  options.environment.metric =
      environment.choice("metric", options.environment.metric,
                         {{"euclidean", distance_metric::euclidean}, {"sqeuclidean", distance_metric::sqeuclidean}});
  options.environment.temperature = environment.number("temperature", options.environment.temperature);
  options.adjustment = read_adjustment(o.object("adjustment"));
  for (case_options const& p : o.list("penalties")) {
    std::string const kind = p.text("kind", "");
    double const weight = p.number("weight", 1);
    if (kind == "mmd" && !options.mmd)
      options.mmd = weighted_penalty<mmd_options>{weight, read_mmd(p)};
    else if (kind == "vrex" && !options.vrex)
      options.vrex = weighted_penalty<vrex_options>{weight, read_vrex(p)};
    else
      throw p.unknown_value("kind", kind);
    kinds.push_back(kind);
  }
  options.environment_gradient = o.flag("environment_gradient", options.environment_gradient);
  return options;
}

template <backend B, real_scalar T>
void conform_causal_dpo_objective(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  std::vector<std::string> kinds;
  objective_options const options = read_objective(in.options(), kinds);
  objective_batch<T, typename B::space> const batch{.preference = read_preference_batch(in),
                                                    .offsets = {in.matrix("chosen_offsets"), in.matrix("rejected_offsets")},
                                                    .q = in.matrix("q"),
                                                    .features = in.matrix("features"),
                                                    .centers = in.matrix("centers"),
                                                    .outputs = in.matrix("outputs"),
                                                    .prior = in.vector("prior"),
                                                    .prev_env_weights = in.vector("prev_env_weights"),
                                                    .assignment = in.matrix("assignment")};
  index_t const b = batch.preference.policy_chosen_logps.size(), j = batch.preference.policy_rejected_logps.cols();
  index_t const k = batch.q.given() ? batch.q.cols() : batch.centers.rows();
  std::vector<T> terms(2, T(0));  // in the order of the options
  objective_results<T, typename B::space> results{.value = out.scalar("value"),
                                                  .preference_term = out.scalar("preference_term"),
                                                  .penalty_terms = {terms.data(), options.penalty_count()},
                                                  .q = out.matrix("q", b, k),
                                                  .loss = out.vector("loss", b),
                                                  .grad_chosen_logps = out.vector("grad_chosen_logps", b),
                                                  .grad_rejected_logps = out.matrix("grad_rejected_logps", b, j)};
  if (batch.outputs.given()) results.grad_outputs = out.matrix("grad_outputs", b, batch.outputs.cols());
  if (batch.features.given()) results.grad_features = out.matrix("grad_features", b, batch.features.cols());
  if (out.expects("posterior")) results.posterior = out.matrix("posterior", b, k);
  causal_dpo_objective(be, batch, results, options);
  auto const in_order_of_case = out.vector("penalty_terms", static_cast<index_t>(kinds.size()));
  for (std::size_t p = 0; p < kinds.size(); ++p)
    in_order_of_case(static_cast<index_t>(p)) = terms[kinds[p] == "vrex" && options.mmd ? 1 : 0];
}

}  // namespace causaldpo::conformance
