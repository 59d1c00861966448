// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of adjusted_loss.
#pragma once

#include "causaldpo/adjustment/adjusted_loss.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

/// The options of adjusted_loss in a case: also those that the case's estimator has no use for.
inline adjustment_options read_adjustment(case_options const& o) {
  prior_kind const prior = o.choice(
      "prior", prior_kind::uniform,
      {{"uniform", prior_kind::uniform}, {"batch", prior_kind::batch}, {"given", prior_kind::given}, {"ema", prior_kind::ema}});
  double const ema_rate = o.number("ema_rate", 0.1);
  estimator::ipw ipw{.prior = prior, .ema_rate = ema_rate};
  ipw.propensity_floor = o.number("propensity_floor", ipw.propensity_floor);
  ipw.self_normalize = o.flag("self_normalize", ipw.self_normalize);
  ipw.weight_clip_min = o.number("weight_clip_min", ipw.weight_clip_min);
  ipw.weight_clip_max = o.number("weight_clip_max", ipw.weight_clip_max);
  ipw.assignment =
      o.choice("assignment", ipw.assignment, {{"largest", assignment_kind::largest}, {"given", assignment_kind::given}});
  estimator::group_dro group_dro;
  group_dro.eta = o.number("eta", group_dro.eta);
  estimator::soft_worst soft_worst{.prior = prior, .ema_rate = ema_rate};
  soft_worst.temperature = o.number("temperature", soft_worst.temperature);

  adjustment_options options;
  options.min_mass = o.number("min_mass", options.min_mass);
  std::string const name = o.text("estimator", "stratified");
  if (name == "stratified")
    options.estimator = estimator::stratified{.prior = prior, .ema_rate = ema_rate};
  else if (name == "mean")
    options.estimator = estimator::mean{};
  else if (name == "ipw")
    options.estimator = ipw;
  else if (name == "group_dro")
    options.estimator = group_dro;
  else if (name == "soft_worst")
    options.estimator = soft_worst;
  else if (name == "worst")
    options.estimator = estimator::worst{};
  else
    throw o.unknown_value("estimator", name);
  return options;
}

template <backend B, real_scalar T>
void conform_adjusted_loss(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  adjustment_options const options = read_adjustment(in.options());
  auto const losses = in.vector("per_example_losses");
  auto const q = in.matrix("q");
  index_t const b = losses.size(), k = q.cols();
  adjusted_loss_results<T, typename B::space> results{.value = out.scalar("value"),
                                                      .grad_losses = out.vector("grad_losses", b),
                                                      .grad_q = out.matrix("grad_q", b, k),
                                                      .env_losses = out.vector("env_losses", k),
                                                      .env_mass = out.vector("env_mass", k)};
  if (out.expects("env_weights")) results.env_weights = out.vector("env_weights", k);
  if (out.expects("updated_prior")) results.updated_prior = out.vector("updated_prior", k);
  if (out.expects("weights")) results.weights = out.vector("weights", b);
  if (out.expects("effective_sample_size")) results.effective_sample_size = out.scalar("effective_sample_size");
  adjusted_loss(
      be, losses, q, results, options,
      {.prior = in.vector("prior"), .prev_env_weights = in.vector("prev_env_weights"), .assignment = in.matrix("assignment")});
}

}  // namespace causaldpo::conformance
