// SPDX-License-Identifier: Apache-2.0
// Every operation that a library of compiled operations holds, and how its parts find what to define.
#pragma once

#include <cstddef>

#include "causaldpo/causaldpo.hpp"

namespace causaldpo {

namespace detail {
template <class... Ops>
struct operation_list {};
}  // namespace detail

namespace op {
/// The operations of the library that run on a backend, a name a line. One added here is in every backend's library.
// clang-format off
using all = detail::operation_list<
    adjusted_loss,
    batched_gemm,
    build_preference_pairs,
    causal_dpo_objective,
    conditional_preference,
    expected_ranking_metrics,
    exposure_model,
    fused_linear_logps,
    fused_linear_logps_half,
    gmm_em,
    gmm_initialize,
    gmm_posterior,
    mmd_penalty,
    preference_loss,
    preference_metrics,
    ranking_metrics,
    sample_environments,
    sample_negatives,
    soft_assignment,
    softmax_rows,
    take_rows,
    vrex_penalty>;
// clang-format on
}  // namespace op

namespace detail {

/// Stands for a call beyond the end of a list; defining it does nothing.
template <class Backend, int Operation, int Index, class T>
struct no_call {
  using backend = Backend;
  using arguments = std::tuple<>;
  static void perform(Backend&, arguments const&) {}
};

template <class Op, class Backend, class Call>
struct bind_call;
template <class Op, class Backend, class... Args>
struct bind_call<Op, Backend, call<Args...>> {
  using type = bound_call<Op, Backend, Args...>;
};

template <int Index, class List>
struct list_entry_at {
  using type = void;
};
template <int Index, template <class...> class List, class First, class... Rest>
struct list_entry_at<Index, List<First, Rest...>> : list_entry_at<Index - 1, List<Rest...>> {};
template <template <class...> class List, class First, class... Rest>
struct list_entry_at<0, List<First, Rest...>> {
  using type = First;
};

template <class List>
inline constexpr int list_size = 0;
template <template <class...> class List, class... X>
inline constexpr int list_size<List<X...>> = static_cast<int>(sizeof...(X));

/// Call `Index` of operation `Operation` on a backend in scalar T; `no_call` beyond the ends, and for double where float
/// has the same call (an operation without reals).
template <class Backend, int Operation, int Index, class T>
struct listed_call_at {
  template <class U>
  static auto find() {
    using operation = typename list_entry_at<Operation, op::all>::type;
    if constexpr (!std::is_void_v<operation>) {
      using found = typename list_entry_at<Index, typename operation::template calls<U, typename Backend::space>>::type;
      if constexpr (!std::is_void_v<found>)
        return std::type_identity<typename bind_call<operation, Backend, found>::type>{};
      else
        return std::type_identity<no_call<Backend, Operation, Index, U>>{};
    } else {
      return std::type_identity<no_call<Backend, Operation, Index, U>>{};
    }
  }
  using of_float = typename decltype(find<float>())::type;
  using own = typename decltype(find<T>())::type;
  using type = std::conditional_t<std::is_same_v<T, double> && std::is_same_v<own, of_float>,
                                  no_call<Backend, Operation, Index, double>, own>;
};

}  // namespace detail
}  // namespace causaldpo
