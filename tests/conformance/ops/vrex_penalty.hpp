// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of vrex_penalty.
#pragma once

#include "causaldpo/invariance/vrex_penalty.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

/// The options of vrex_penalty in a case.
inline vrex_options read_vrex(case_options const& o) {
  vrex_options options;
  options.prior = o.choice("prior", options.prior,
                           {{"uniform", prior_kind::uniform}, {"batch", prior_kind::batch}, {"given", prior_kind::given}});
  options.min_mass = o.number("min_mass", options.min_mass);
  return options;
}

template <backend B, real_scalar T>
void conform_vrex_penalty(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  vrex_options const options = read_vrex(in.options());
  auto const losses = in.vector("per_example_losses");
  auto const q = in.matrix("q");
  vrex_penalty(be, losses, q,
               {.value = out.scalar("value"),
                .grad_losses = out.vector("grad_losses", losses.size()),
                .grad_q = out.matrix("grad_q", q.rows(), q.cols()),
                .env_losses = out.vector("env_losses", q.cols()),
                .env_weights = out.vector("env_weights", q.cols())},
               options, in.vector("prior"));
}

}  // namespace causaldpo::conformance
