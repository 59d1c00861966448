// SPDX-License-Identifier: Apache-2.0
// The loop over cases.
#include "conformance/runner.hpp"

#include <algorithm>
#include <fstream>
#include <ostream>

namespace causaldpo::conformance {

namespace {

namespace fs = std::filesystem;

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

/// The counts so far and where the lines go.
struct progress {
  std::ostream& log;
  run_counts counts{};
  void fail(std::string const& name, std::string const& why) {
    log << "FAIL " << name << ": " << why << std::endl;
    ++counts.failed;
  }
};

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

void run_file(fs::path const& file, run_request const& request, std::vector<std::string> const& deferred,
              std::set<std::string>& seen, progress& p) {
  golden_case c;
  try {
    c = read_case(file);
  } catch (case_error const& e) {
    return p.fail(file.string(), e.what());
  }
  if (!request.ops.empty() && std::find(request.ops.begin(), request.ops.end(), c.op) == request.ops.end()) return;
  seen.insert(c.op);
  if (std::any_of(deferred.begin(), deferred.end(), [&](std::string const& pattern) { return matches(pattern, c.name); })) {
    p.log << "skip " << c.name << ": deferred" << std::endl;
    ++p.counts.skipped;
    return;
  }
  case_runner const* runner = find_in_registry({c.op, request.backend, request.scalar});
  if (!runner) return p.fail(c.name, "unknown operation " + c.op);
  try {
    comparison const result = (*runner)(c);
    if (!result.ok) return p.fail(c.name, result.detail);
    p.log << "ok " << c.name << std::endl;
    ++p.counts.passed;
  } catch (backend_missing const& e) {
    p.log << "skip " << c.name << ": " << e.what() << std::endl;
    ++p.counts.skipped;
    p.counts.missing = e.what();
  } catch (case_error const& e) {
    p.fail(c.name, e.what());
  } catch (std::exception const& e) {
    p.fail(c.name, std::string("the operation threw: ") + e.what());
  }
}

}  // namespace

run_counts run_cases(run_request const& request, std::ostream& log) {
  progress p{log};
  std::vector<std::string> deferred;
  std::set<std::string> seen;
  if (!request.deferred_file.empty()) deferred = read_patterns(request.deferred_file);
  for (std::string const& path : request.paths) {
    try {
      for (fs::path const& file : case_files(path)) run_file(file, request, deferred, seen, p);
    } catch (std::exception const& e) {
      p.fail(path, e.what());
    }
  }
  for (std::string const& op : std::set<std::string>(request.ops.begin(), request.ops.end()))
    if (!seen.count(op)) p.fail(op, "no case of this operation was found");
  run_counts const& n = p.counts;
  if (n.passed + n.failed + n.skipped == 0) p.fail("conformance", "no case was found");
  return n;
}

}  // namespace causaldpo::conformance
