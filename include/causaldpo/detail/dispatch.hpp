// SPDX-License-Identifier: Apache-2.0
// How a front door runs its operation, how a backend replaces a whole algorithm, and how the operations of a backend are
// compiled once, in a library, for programs that would otherwise compile them in every file.
//
// Replacing. An operation is a tag with a static `generic`. A backend that has something better sets
// `overrides<Op, Backend>` to true beside its class and provides `override_for(Op, backend, args, options)`, found by
// argument-dependent lookup. Because the trait decides, an override that is missing or whose signature has drifted is a
// compile error, never a silent slow path.
//
// Compiling apart. A tag lists in `calls<T, Space>` what its front door runs it with. A library defines `compiled<Call>`
// for each of them (backends/instances.cpp.in); a program that links it says so to the backend's header, which sets
// `compiled_apart<Backend>`. What is not listed, a loss of your own say, is compiled where it is called.
#pragma once

#include <tuple>
#include <type_traits>
#include <variant>

namespace causaldpo {

/// True where Backend brings its own implementation of Op.
template <class Op, class Backend>
inline constexpr bool overrides = false;

namespace detail {

/// The arguments, after the backend, of one call of an operation; and those of all.
template <class... Args>
struct call {};
template <class... Calls>
struct call_list {};

template <class... Lists>
struct joined_lists {
  using type = call_list<>;
};
template <class... Calls>
struct joined_lists<call_list<Calls...>> {
  using type = call_list<Calls...>;
};
template <class... A, class... B, class... Rest>
struct joined_lists<call_list<A...>, call_list<B...>, Rest...> : joined_lists<call_list<A..., B...>, Rest...> {};

/// One call for each alternative X of a variant for which Wanted<X> holds: call<Args, Options<X>>.
template <class Args, template <class> class Options, class Variant, template <class> class Wanted>
struct calls_for_each;
template <class Args, template <class> class Options, class... X, template <class> class Wanted>
struct calls_for_each<Args, Options, std::variant<X...>, Wanted>
    : joined_lists<std::conditional_t<Wanted<X>::value, call_list<call<Args, Options<X>>>, call_list<>>...> {};

template <class List, class Call>
inline constexpr bool lists = false;
template <class... Calls, class Call>
inline constexpr bool lists<call_list<Calls...>, Call> = (std::is_same_v<Calls, Call> || ...);

/// Op lists a call with these arguments, in float or in double.
template <class Op, class Space, class... Args>
concept listed_call = requires {
  typename Op::template calls<float, Space>;
}
&&(lists<typename Op::template calls<float, Space>, call<Args...>> ||
   lists<typename Op::template calls<double, Space>, call<Args...>>);

/// Runs an operation here: the backend's replacement, or the generic body.
template <class Op, class Backend, class... Args>
void run_here(Backend& backend, Args const&... args) {
  if constexpr (overrides<Op, Backend>)
    override_for(Op{}, backend, args...);
  else
    Op::generic(backend, args...);
}

/// A call of Op on a backend.
template <class Op, class Backend, class... Args>
struct bound_call {
  using backend = Backend;
  using arguments = std::tuple<Args const&...>;
  static void perform(Backend& backend, arguments const& a) {
    std::apply([&backend](Args const&... args) { run_here<Op>(backend, args...); }, a);
  }
};

/// Defined in the library of compiled operations, for each listed call.
template <class Call>
void compiled(typename Call::backend& backend, typename Call::arguments const& arguments);

/// True in a program that links such a library for Backend.
template <class Backend>
inline constexpr bool compiled_apart = false;

/// Runs an operation whose arguments were checked by its front door. An override that cannot serve a case calls
/// `Op::generic(backend, args...)` itself; tests do too, to hold the two against each other.
template <class Op, class Backend, class... Args>
void run(Backend& backend, Args const&... args) {
  if constexpr (compiled_apart<Backend> && listed_call<Op, typename Backend::space, Args...>) {
    using this_call = bound_call<Op, Backend, Args...>;
    compiled<this_call>(backend, typename this_call::arguments(args...));
  } else {
    run_here<Op>(backend, args...);
  }
}

}  // namespace detail
}  // namespace causaldpo
