// SPDX-License-Identifier: Apache-2.0
// Runs the golden cases of files and folders on one backend and counts how it went: the loop behind the program
// `conformance` (main.cpp) and behind the suite for a backend of your own (conformance/suite.hpp).
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "conformance/registry.hpp"

namespace causaldpo::conformance {

/// What to run: the cases of `paths` (files, or folders of them) whose operation is in `ops` (none: every one), except
/// those whose name matches a pattern of `deferred_file`.
struct run_request {
  std::string backend{};
  scalar_kind scalar = scalar_kind::f64;
  std::string deferred_file{};
  std::vector<std::string> ops{}, paths{};
};

struct run_counts {
  int passed = 0, failed = 0, skipped = 0;
  std::string missing{};  ///< why the backend cannot run on this machine; empty if it can
};

/// Writes `ok NAME`, `FAIL NAME: why` or `skip NAME: why` for each case (docs/conformance.md). Finding no case, or none of
/// an operation that was asked for, is a failure. Throws case_error when `deferred_file` cannot be read.
run_counts run_cases(run_request const& request, std::ostream& log);

}  // namespace causaldpo::conformance
