// SPDX-License-Identifier: Apache-2.0
// The rule by which results are held against a case (tests/golden/FORMAT.md, section 1, "Comparing").
#pragma once

#include <map>
#include <string>

#include "conformance/case.hpp"

namespace causaldpo::conformance {

/// The verdict on one output, or on all of a case.
struct comparison {
  bool ok = true;
  double error = 0;    ///< largest |P - E| over the finite entries; infinity where one is finite and the other is not
  double allowed = 0;  ///< atol + rtol * max|E|
  std::string detail;  ///< of a failure: "grad_q, largest error 1e-3, allowed 1e-9 (at [2, 1]: 0.5, expected 0.501)"
};

/// Holds one tensor against what is expected. Integers must be equal; -0.0 equals 0.0.
comparison compare_tensor(std::string const& name, tensor const& actual, tensor const& expected, tolerance_pair tolerance);

/// Holds all outputs against a case: the worst of them decides what is reported. An expected output that was not put
/// is a failure, except `grad_q`, `entropy` and `log_sum_p2`; an output that is not expected is ignored.
comparison compare_case(std::map<std::string, tensor> const& actual, golden_case const& c, tolerance_pair tolerance);

}  // namespace causaldpo::conformance
