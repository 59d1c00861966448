// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of mmd_penalty.
#pragma once

#include "causaldpo/invariance/mmd_penalty.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

/// The options of mmd_penalty in a case.
inline mmd_options read_mmd(case_options const& o) {
  auto const reduction = [&](char const* key) {
    return o.choice(key, averaging::mean, {{"mean", averaging::mean}, {"sum", averaging::sum}});
  };
  mmd_options options;
  if (o.is_text("bandwidths"))
    o.choice("bandwidths", 0, {{"median", 0}});
  else
    for (double s : o.numbers("bandwidths")) options.bandwidths.push_back(s);
  if (o.has("median_multipliers")) {
    options.median_multipliers = {};
    for (double s : o.numbers("median_multipliers")) options.median_multipliers.push_back(s);
  }
  options.kernel_reduction = reduction("kernel_reduction");
  options.pair_reduction = reduction("pair_reduction");
  options.unbiased = o.flag("unbiased", options.unbiased);
  options.min_mass = o.number("min_mass", options.min_mass);
  return options;
}

template <backend B, real_scalar T>
void conform_mmd_penalty(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  mmd_options const options = read_mmd(in.options());
  auto const x = in.matrix("outputs");
  auto const q = in.matrix("q");
  mmd_penalty(
      be, x, q,
      {.value = out.scalar("value"),
       .grad_outputs = out.matrix("grad_outputs", x.rows(), x.cols()),
       .grad_q = out.matrix("grad_q", q.rows(), q.cols()),
       .bandwidths_used = out.vector("bandwidths_used", bandwidth_rule{options.bandwidths, options.median_multipliers}.count()),
       .pairs_used = out.integer("pairs_used")},
      options);
}

}  // namespace causaldpo::conformance
