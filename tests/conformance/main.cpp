// SPDX-License-Identifier: Apache-2.0
// The conformance runner: runs golden cases through the library and compares (docs/conformance.md).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>

#include "conformance/registry.hpp"

namespace {

using namespace causaldpo::conformance;
namespace fs = std::filesystem;

#ifndef CONFORMANCE_DEFAULT_BACKEND
#define CONFORMANCE_DEFAULT_BACKEND "reference"
#endif

struct arguments {
  std::string backend = CONFORMANCE_DEFAULT_BACKEND, scalar = "f64", deferred_file;
  std::vector<std::string> ops, paths;
};

struct counts {
  int passed = 0, failed = 0, skipped = 0;
};

/// Glob with `*` only.
bool matches(std::string const& pattern, std::string const& name, std::size_t p = 0, std::size_t n = 0) {
  for (; p < pattern.size(); ++p, ++n) {
    if (pattern[p] == '*') {
      for (std::size_t rest = n; rest <= name.size(); ++rest)
        if (matches(pattern, name, p + 1, rest)) return true;
      return false;
    }
    if (n >= name.size() || pattern[p] != name[n]) return false;
  }
  return n == name.size();
}

/// One pattern of case names a line; `#` starts a comment.
std::vector<std::string> read_patterns(std::string const& file) {
  std::ifstream stream(file);
  if (!stream) throw case_error(file + " cannot be read");
  std::vector<std::string> patterns;
  for (std::string line; std::getline(stream, line);) {
    line = line.substr(0, line.find('#'));
    std::string const blank = " \t\r";
    auto const first = line.find_first_not_of(blank);
    if (first != std::string::npos) patterns.push_back(line.substr(first, line.find_last_not_of(blank) - first + 1));
  }
  return patterns;
}

void fail(counts& n, std::string const& name, std::string const& why) {
  std::cout << "FAIL " << name << ": " << why << std::endl;
  ++n.failed;
}

/// The *.json of a folder and of the folders in it, by name; a file as it is.
std::vector<fs::path> case_files(std::string const& path) {
  if (!fs::exists(path)) throw case_error("no such file or folder");
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (auto const& entry : fs::recursive_directory_iterator(path))
    if (!entry.is_directory() && entry.path().extension() == ".json") files.push_back(entry.path());
  if (files.empty()) throw case_error("the folder holds no case (*.json)");
  std::sort(files.begin(), files.end());
  return files;
}

void run_file(fs::path const& file, arguments const& args, std::vector<std::string> const& deferred, std::set<std::string>& seen,
              counts& n) {
  golden_case c;
  try {
    c = read_case(file);
  } catch (case_error const& e) {
    return fail(n, file.string(), e.what());
  }
  if (!args.ops.empty() && std::find(args.ops.begin(), args.ops.end(), c.op) == args.ops.end()) return;
  seen.insert(c.op);
  if (std::any_of(deferred.begin(), deferred.end(), [&](std::string const& pattern) { return matches(pattern, c.name); })) {
    std::cout << "skip " << c.name << ": deferred" << std::endl;
    ++n.skipped;
    return;
  }
  case_runner const* runner = find_in_registry({c.op, args.backend, args.scalar == "f64" ? scalar_kind::f64 : scalar_kind::f32});
  if (!runner) return fail(n, c.name, "unknown operation " + c.op);
  try {
    comparison const result = (*runner)(c);
    if (!result.ok) return fail(n, c.name, result.detail);
    std::cout << "ok " << c.name << std::endl;
    ++n.passed;
  } catch (case_error const& e) {
    fail(n, c.name, e.what());
  } catch (std::exception const& e) {
    fail(n, c.name, std::string("the operation threw: ") + e.what());
  }
}

int run(arguments const& args) {
  counts n;
  std::vector<std::string> deferred;
  std::set<std::string> seen;
  if (!args.deferred_file.empty()) deferred = read_patterns(args.deferred_file);
  for (std::string const& path : args.paths) {
    try {
      for (fs::path const& file : case_files(path)) run_file(file, args, deferred, seen, n);
    } catch (std::exception const& e) {
      fail(n, path, e.what());
    }
  }
  for (std::string const& op : std::set<std::string>(args.ops.begin(), args.ops.end()))
    if (!seen.count(op)) fail(n, op, "no case of this operation was found");
  if (n.passed + n.failed + n.skipped == 0) fail(n, "conformance", "no case was found");
  std::cout << n.passed << " passed, " << n.failed << " failed, " << n.skipped << " skipped" << std::endl;
  return n.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  arguments args;
  std::string backends;
  for (std::string const& name : registered_backends()) backends += (backends.empty() ? "" : ", ") + name;
  CLI::App app{
      "Runs golden cases through causaldpo and compares.\nPrints `ok NAME`, `FAIL NAME: why` or `skip NAME: why` for each case, "
      "then the counts.\n"
      "Exit status: 0 if nothing failed, 1 if something did, 2 for a wrong call.",
      "conformance"};
  app.add_option("--backend", args.backend, "what runs the operations: " + backends)->capture_default_str();
  app.add_option("--scalar", args.scalar, "f64 or f32")->capture_default_str()->check(CLI::IsMember({"f64", "f32"}));
  app.add_option("--op", args.ops, "run only the cases of this operation; may be repeated")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  app.add_option("--deferred", args.deferred_file, "a file of case names (* matches anything) that are skipped");
  app.add_option("PATH", args.paths, "case files, or folders of them")->required();
  try {
    app.parse(argc, argv);
    if (!registered_backends().count(args.backend))
      throw CLI::ValidationError("--backend", args.backend + " is not in this build, which has " + backends);
    return run(args);
  } catch (CLI::ParseError const& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (std::exception const& e) {
    std::cerr << "conformance: " << e.what() << '\n';
    return 2;
  }
}
