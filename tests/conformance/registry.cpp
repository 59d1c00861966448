// SPDX-License-Identifier: Apache-2.0
// The table of adapters.
#include "conformance/registry.hpp"

namespace causaldpo::conformance {

namespace {
std::map<registry_key, case_runner>& table() {
  static std::map<registry_key, case_runner> entries;  // built on first use: registrations run before main
  return entries;
}
}  // namespace

void add_to_registry(registry_key key, case_runner runner) { table().insert_or_assign(std::move(key), std::move(runner)); }

case_runner const* find_in_registry(registry_key const& key) {
  auto const found = table().find(key);
  return found == table().end() ? nullptr : &found->second;
}

std::set<std::string> registered_backends() {
  std::set<std::string> names;
  for (auto const& entry : table()) names.insert(entry.first.backend);
  return names;
}

std::set<std::string> registered_ops() {
  std::set<std::string> names;
  for (auto const& entry : table()) names.insert(entry.first.op);
  return names;
}

}  // namespace causaldpo::conformance
