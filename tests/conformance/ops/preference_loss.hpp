// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of preference_loss.
#pragma once

#include "causaldpo/preference/losses_by_name.hpp"
#include "causaldpo/preference/preference_loss.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

/// The loss of a case with the parameters that the case sets.
inline loss::any read_loss(case_options const& o) {
  loss::parameters const parameters{.label_smoothing = o.number_if_given("label_smoothing"),
                                    .gamma = o.number_if_given("gamma"),
                                    .kl = o.number_if_given("kl"),
                                    .desirable_weight = o.number_if_given("desirable_weight"),
                                    .undesirable_weight = o.number_if_given("undesirable_weight"),
                                    .bco_delta = o.number_if_given("bco_delta")};
  std::string const name = o.text("loss", "sigmoid");
  try {
    return loss::by_name(name, parameters);
  } catch (option_error const&) {
    throw o.unknown_value("loss", name);
  }
}

/// The options that preference_loss and conditional_preference share.
template <class Options>
Options read_shared_preference_options(case_options const& o) {
  Options options;
  options.loss = read_loss(o);
  options.beta = o.number("beta", options.beta);
  options.reference_free = o.flag("reference_free", options.reference_free);
  std::vector<double> const clamp = o.numbers("log_ratio_clamp");
  if (clamp.size() == 2)
    options.log_ratio_clamp = log_ratio_range{clamp[0], clamp[1]};
  else if (!clamp.empty())
    throw case_error("log_ratio_clamp must be [low, high]");
  options.nll_weight = o.number("nll_weight", options.nll_weight);
  options.reduction =
      o.choice("reduction", options.reduction,
               {{"mean", loss_reduction::mean}, {"sum", loss_reduction::sum}, {"dr_dpo", loss_reduction::dr_dpo}});
  options.dr_beta = o.number("dr_beta", options.dr_beta);
  return options;
}

/// The options of preference_loss.
inline preference_options read_preference_options(case_options const& o) {
  auto options = read_shared_preference_options<preference_options>(o);
  options.length_normalize = o.flag("length_normalize", options.length_normalize);
  return options;
}

/// The inputs of a case that form a batch.
template <backend B, real_scalar T>
preference_batch<T, typename B::space> read_preference_batch(case_inputs<B, T>& in) {
  return {.policy_chosen_logps = in.vector("policy_chosen_logps"),
          .policy_rejected_logps = in.matrix("policy_rejected_logps"),
          .reference_chosen_logps = in.vector("reference_chosen_logps"),
          .reference_rejected_logps = in.matrix("reference_rejected_logps"),
          .rejected_mask = in.mask("rejected_mask"),
          .pair_weights = in.matrix("pair_weights"),
          .sample_weights = in.vector("sample_weights"),
          .chosen_lengths = in.vector("chosen_lengths"),
          .rejected_lengths = in.matrix("rejected_lengths"),
          .smoothing = in.vector("smoothing")};
}

template <backend B, real_scalar T>
void conform_preference_loss(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  auto const options = read_preference_options(in.options());
  auto const batch = read_preference_batch(in);
  index_t const b = batch.policy_chosen_logps.size(), j = batch.policy_rejected_logps.cols();
  preference_loss(be, batch,
                  {.loss = out.vector("loss", b),
                   .loss_mean = out.scalar("loss_mean"),
                   .grad_chosen_logps = out.vector("grad_chosen_logps", b),
                   .grad_rejected_logps = out.matrix("grad_rejected_logps", b, j),
                   .chosen_rewards = out.vector("chosen_rewards", b),
                   .rejected_rewards = out.matrix("rejected_rewards", b, j),
                   .margins = out.vector("margins", b),
                   .accuracy = out.scalar("accuracy"),
                   .pair_accuracy = out.scalar("pair_accuracy")},
                  options);
}

}  // namespace causaldpo::conformance
