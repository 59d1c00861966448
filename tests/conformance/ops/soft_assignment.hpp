// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of soft_assignment.
#pragma once

#include "causaldpo/environment/soft_assignment.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

template <backend B, real_scalar T>
void conform_soft_assignment(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  auto const& o = in.options();
  soft_assignment_options options;
  options.metric = o.choice("metric", options.metric,
                            {{"euclidean", distance_metric::euclidean}, {"sqeuclidean", distance_metric::sqeuclidean}});
  options.temperature = o.number("temperature", options.temperature);

  auto const x = in.matrix("x"), centers = in.matrix("centers");
  soft_assignment(be, x, centers,
                  {.q = out.matrix("q", x.rows(), centers.rows()),
                   .grad_x = out.matrix("grad_x", x.rows(), x.cols()),
                   .grad_centers = out.matrix("grad_centers", centers.rows(), centers.cols())},
                  options, in.matrix("upstream"));
}

}  // namespace causaldpo::conformance
