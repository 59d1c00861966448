// SPDX-License-Identifier: Apache-2.0
// How a backend replaces a whole algorithm. An operation is a tag with a static `generic`. A backend that has
// something better sets `overrides<Op, Backend>` to true beside its class and provides
// `override_for(Op, backend, args, options)`, found by argument-dependent lookup. Because the trait decides, an
// override that is missing or whose signature has drifted is a compile error, never a silent slow path.
#pragma once

namespace causaldpo {

/// True where Backend brings its own implementation of Op.
template <class Op, class Backend>
inline constexpr bool overrides = false;

namespace detail {

/// Runs an operation whose arguments were checked by its front door. An override that cannot serve a case calls
/// `Op::generic(backend, args...)` itself; tests do too, to hold the two against each other.
template <class Op, class Backend, class... Args>
void run(Backend& backend, Args const&... args) {
  if constexpr (overrides<Op, Backend>) override_for(Op{}, backend, args...);
  else Op::generic(backend, args...);
}

}  // namespace detail
}  // namespace causaldpo
