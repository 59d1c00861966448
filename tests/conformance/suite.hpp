// SPDX-License-Identifier: Apache-2.0
// The golden cases as test cases of doctest, for one backend in both scalars; a part of causaldpo/testing/backend_suite.hpp.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <sstream>
#include <type_traits>

#include "conformance/runner.hpp"

namespace causaldpo::test {

/// The folder that holds `cases/`: the environment's CAUSALDPO_GOLDEN, else the macro of that name, else nothing.
inline std::filesystem::path golden_folder() {
  if (char const* given = std::getenv("CAUSALDPO_GOLDEN")) return given;
#ifdef CAUSALDPO_GOLDEN
  return CAUSALDPO_GOLDEN;
#else
  return {};
#endif
}

/// The list of cases whose options are not built yet: beside the cases where they are installed, or in the source tree.
inline std::string deferred_cases(std::filesystem::path const& golden) {
  for (auto const& file : {golden / "deferred.txt", golden / ".." / "conformance" / "deferred.txt"})
    if (std::filesystem::exists(file)) return file.string();
  return {};
}

TEST_CASE_TEMPLATE("conformance: golden cases", Cell, CAUSALDPO_TEST_CELLS) {
  namespace conform = causaldpo::conformance;
  std::filesystem::path const golden = golden_folder();
  REQUIRE_MESSAGE(!golden.empty(),
                  "set CAUSALDPO_GOLDEN to the folder of golden cases "
                  "(`pkg-config --variable=golden causaldpo-testing` prints it)");
  std::set<std::string> const ops = conform::registered_ops();
  std::ostringstream log;

  conform::run_counts const n = conform::run_cases(
      {.backend = CAUSALDPO_TEST_NAME,
       .scalar = std::is_same_v<typename Cell::scalar, double> ? conform::scalar_kind::f64 : conform::scalar_kind::f32,
       .deferred_file = deferred_cases(golden),
       .ops = {ops.begin(), ops.end()},
       .paths = {(golden / "cases").string()}},
      log);

  std::istringstream lines(log.str());
  for (std::string line; std::getline(lines, line);)
    if (line.compare(0, 5, "FAIL ") == 0) FAIL_CHECK(line);
  CHECK(n.failed == 0);
  CHECK(n.passed > 0);
  MESSAGE(n.passed << " golden cases passed, " << n.failed << " failed, " << n.skipped << " skipped");
}

}  // namespace causaldpo::test
