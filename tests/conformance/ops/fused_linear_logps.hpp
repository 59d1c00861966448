// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of fused_linear_logps.
#pragma once

#include "causaldpo/logprob/fused_linear_logps.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

template <backend B, real_scalar T>
void conform_fused_linear_logps(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  auto const& o = in.options();
  fused_linear_options options;
  options.ignore_index = o.integer("ignore_index", options.ignore_index);
  options.logit_softcap = o.number("logit_softcap", options.logit_softcap);
  options.temperature = o.number("temperature", options.temperature);

  auto const hidden = in.matrix("hidden"), weight = in.matrix("weight");
  auto const bias = in.vector("bias");
  index_t const n = hidden.rows(), d = hidden.cols(), v = weight.rows();
  fused_linear_results<T, typename B::space> results{.logps = out.vector("logps", n),
                                                     .lse = out.vector("lse", n),
                                                     .grad_hidden = out.matrix("grad_hidden", n, d),
                                                     .grad_weight = out.matrix("grad_weight", v, d)};
  if (bias.given()) results.grad_bias = out.vector("grad_bias", v);
  if (o.flag("statistics", false)) {
    results.entropy = out.vector("entropy", n);
    results.log_sum_p2 = out.vector("log_sum_p2", n);
  }
  fused_linear_logps(be, hidden, weight, in.indices("targets"), results, options, bias, in.vector("upstream"));
}

}  // namespace causaldpo::conformance
