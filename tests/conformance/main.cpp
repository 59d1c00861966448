// SPDX-License-Identifier: Apache-2.0
// The conformance runner: runs golden cases through the library and compares (docs/conformance.md).
#include <CLI/CLI.hpp>
#include <iostream>

#include "conformance/runner.hpp"

using namespace causaldpo::conformance;

#ifndef CONFORMANCE_DEFAULT_BACKEND
#define CONFORMANCE_DEFAULT_BACKEND "reference"
#endif

int main(int argc, char** argv) {
  run_request request{.backend = CONFORMANCE_DEFAULT_BACKEND};
  std::string scalar = "f64";
  std::string backends;
  for (std::string const& name : registered_backends()) backends += (backends.empty() ? "" : ", ") + name;
  CLI::App app{
      "Runs golden cases through causaldpo and compares.\nPrints `ok NAME`, `FAIL NAME: why` or `skip NAME: why` for each case, "
      "then the counts.\n"
      "Exit status: 0 if nothing failed, 1 if something did, 2 for a wrong call, 77 if the backend cannot run on this machine.",
      "conformance"};
  app.add_option("--backend", request.backend, "what runs the operations: " + backends)->capture_default_str();
  app.add_option("--scalar", scalar, "f64 or f32")->capture_default_str()->check(CLI::IsMember({"f64", "f32"}));
  app.add_option("--op", request.ops, "run only the cases of this operation; may be repeated")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  app.add_option("--deferred", request.deferred_file, "a file of case names (* matches anything) that are skipped");
  app.add_option("PATH", request.paths, "case files, or folders of them")->required();
  try {
    app.parse(argc, argv);
    if (!registered_backends().count(request.backend))
      throw CLI::ValidationError("--backend", request.backend + " is not in this build, which has " + backends);
    request.scalar = scalar == "f64" ? scalar_kind::f64 : scalar_kind::f32;
    run_counts const n = run_cases(request, std::cout);
    std::cout << n.passed << " passed, " << n.failed << " failed, " << n.skipped << " skipped" << std::endl;
    if (!n.missing.empty()) std::cout << "skipped: " << n.missing << std::endl;
    return n.failed > 0 ? 1 : n.missing.empty() ? 0 : 77;
  } catch (CLI::ParseError const& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (std::exception const& e) {
    std::cerr << "conformance: " << e.what() << '\n';
    return 2;
  }
}
