// SPDX-License-Identifier: Apache-2.0
// The table of backends in this program.
#include <map>
#include <stdexcept>

#include "app/engine.hpp"

namespace recommender {
namespace {

std::map<std::string, engine_entry>& table() {
  static std::map<std::string, engine_entry> entries;  // built on first use: entries are added before main
  return entries;
}

/// Names of the entries that `wanted` accepts, as a list in words.
template <class Wanted>
std::string names_of(Wanted wanted) {
  std::string list;
  for (auto const& [name, entry] : table())
    if (wanted(entry)) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

void add_engine(engine_entry entry) {
  std::string const name = entry.name;
  table().insert_or_assign(name, std::move(entry));
}

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (auto const& [name, entry] : table()) names.push_back(name);
  return names;
}

std::string engine_list() {
  return names_of([](engine_entry const&) { return true; });
}

std::string default_engine() { return RECOMMENDER_DEFAULT_BACKEND; }

std::unique_ptr<engine> make_engine(engine_options const& options) {
  std::string const name = options.backend.empty() ? default_engine() : options.backend;
  auto const found = table().find(name);
  if (found == table().end())
    throw std::invalid_argument("--backend is " + name + " and must be one of those in this build: " + engine_list());
  if (options.threads > 1 && !found->second.has_threads) {
    std::string const others = names_of([](engine_entry const& e) { return e.has_threads; });
    throw std::invalid_argument(
        "--threads is " + std::to_string(options.threads) + " and must be 0 or 1 with the " + name +
        " backend, which has no threads of its own (those that have: " + (others.empty() ? "none" : others) + ")");
  }
  return found->second.make(options.threads);
}

}  // namespace recommender
