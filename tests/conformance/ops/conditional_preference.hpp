// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of conditional_preference.
#pragma once

#include "causaldpo/preference/conditional_preference.hpp"
#include "conformance/ops/preference_loss.hpp"

namespace causaldpo::conformance {

/// The options of conditional_preference.
inline conditional_options read_conditional_options(case_options const& o) {
  auto options = read_shared_preference_options<conditional_options>(o);
  options.mixture = o.choice("mixture", options.mixture,
                             {{"expected", preference_mixture::expected},
                              {"likelihood", preference_mixture::likelihood},
                              {"risk", preference_mixture::risk}});
  options.strength = o.number("strength", options.strength);
  return options;
}

template <backend B, real_scalar T>
void conform_conditional_preference(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  auto const options = read_conditional_options(in.options());
  auto const batch = read_preference_batch(in);
  auto const q = in.matrix("q");
  index_t const b = batch.policy_chosen_logps.size(), j = batch.policy_rejected_logps.cols(), k = q.cols();
  conditional_results<T, typename B::space> results{.loss = out.vector("loss", b),
                                                    .loss_mean = out.scalar("loss_mean"),
                                                    .grad_chosen_logps = out.vector("grad_chosen_logps", b),
                                                    .grad_rejected_logps = out.matrix("grad_rejected_logps", b, j),
                                                    .grad_chosen_offsets = out.matrix("grad_chosen_offsets", b, k),
                                                    .grad_rejected_offsets = out.tensor("grad_rejected_offsets", {b, j, k})};
  if (options.mixture == preference_mixture::likelihood) results.posterior = out.matrix("posterior", b, k);
  conditional_preference(be, batch, q, {in.matrix("chosen_offsets"), in.matrix("rejected_offsets")}, results, options);
}

}  // namespace causaldpo::conformance
