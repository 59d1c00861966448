// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of exposure_model.
#pragma once

#include "causaldpo/environment/exposure_model.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

template <backend B, real_scalar T>
void conform_exposure_model(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  auto const& o = in.options();
  exposure_model_options options;
  options.item_count = o.integer("item_count", options.item_count);
  options.smoothing = o.number("smoothing", options.smoothing);
  options.base_count = o.number("base_count", options.base_count);
  options.min_mass = o.number("min_mass", options.min_mass);

  auto const q = in.matrix("q");
  exposure_model(be, in.indices("items"), q,
                 {.log_marginal = out.vector("log_marginal", options.item_count),
                  .log_conditional = out.matrix("log_conditional", q.cols(), options.item_count),
                  .prior = out.vector("prior", q.cols())},
                 options, in.vector("weights"));
}

}  // namespace causaldpo::conformance
