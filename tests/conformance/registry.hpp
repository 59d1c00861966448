// SPDX-License-Identifier: Apache-2.0
// The table of what can be run: an adapter for each operation, on each backend, in each scalar. A translation unit
// adds its entry by defining one `registration` at namespace scope (CAUSALDPO_CONFORMANCE_ENTRY in the suite writes them; see
// README.md).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "conformance/compare.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

enum class scalar_kind { f64, f32 };

/// Runs one case and says how it went; throws what the operation throws.
using case_runner = std::function<comparison(golden_case const&)>;

/// The backend is in this build and cannot run on this machine.
struct backend_missing : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The name under which an adapter is found.
struct registry_key {
  std::string op, backend;
  scalar_kind scalar;
  bool operator<(registry_key const& o) const {
    return op != o.op ? op < o.op : backend != o.backend ? backend < o.backend : scalar < o.scalar;
  }
};

void add_to_registry(registry_key key, case_runner runner);
/// Null when there is no such entry.
case_runner const* find_in_registry(registry_key const& key);
std::set<std::string> registered_backends();
std::set<std::string> registered_ops();

/// What the author of an adapter writes: calls the operation with views from `in` and memory from `out`.
template <backend B, real_scalar T>
using adapter = void (*)(B& backend, case_inputs<B, T>& in, case_outputs<B, T>& out);

/// Runs an adapter on a fresh backend; then nothing in the case may be unread, changed or different.
template <backend B, real_scalar T>
comparison run_case(golden_case const& c, adapter<B, T> call) {
  if constexpr (requires { B::missing(); })
    if (char const* why = B::missing()) throw backend_missing(why);
  B be;
  case_inputs<B, T> in(c);
  case_outputs<B, T> out(c);
  call(be, in, out);
  be.synchronize();
  std::string const unknown = in.options().unread();
  if (!unknown.empty()) throw case_error("unknown option " + unknown);
  comparison result = compare_case(out.collect(), c, std::is_same_v<T, double> ? c.f64 : c.f32);
  if (result.ok && in.changed()) return {false, 0, 0, "an input was modified"};
  if (!result.ok && !in.unread().empty()) result.detail += "; inputs that the adapter does not read: " + in.unread();
  return result;
}

/// Enters one operation on one backend in both scalars.
struct registration {
  template <backend B>
  registration(char const* op, char const* backend_name, adapter<B, double> f64, adapter<B, float> f32) {
    add_to_registry({op, backend_name, scalar_kind::f64}, [f64](golden_case const& c) { return run_case<B, double>(c, f64); });
    add_to_registry({op, backend_name, scalar_kind::f32}, [f32](golden_case const& c) { return run_case<B, float>(c, f32); });
  }
};

}  // namespace causaldpo::conformance
