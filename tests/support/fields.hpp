// SPDX-License-Identifier: Apache-2.0
// The members of an aggregate as a tuple of references, so that a test can visit every view in the arguments of an operation.
#pragma once

#include <tuple>
#include <type_traits>

namespace causaldpo::test {

/// Initialises a member of any type, in unevaluated code.
struct any_member {
  template <class X>
  operator X() const;
};

template <class A, class... M>
consteval int field_count() {
  if constexpr (requires { A{M{}..., any_member{}}; })
    return field_count<A, M..., any_member>();
  else
    return static_cast<int>(sizeof...(M));
}

/// References to the members of `a`, an aggregate of at most 20 members without base classes.
template <class A>
auto fields(A& a) {
  constexpr int n = field_count<std::remove_const_t<A>>();
  static_assert(n >= 1 && n <= 20);
#define CAUSALDPO_FIELDS(count, ...) \
  else if constexpr (n == count) {   \
    auto& [__VA_ARGS__] = a;         \
    return std::tie(__VA_ARGS__);    \
  }
  if constexpr (n == 1) {
    auto& [a0] = a;
    return std::tie(a0);
  }
  CAUSALDPO_FIELDS(2, a0, a1)
  CAUSALDPO_FIELDS(3, a0, a1, a2)
  CAUSALDPO_FIELDS(4, a0, a1, a2, a3)
  CAUSALDPO_FIELDS(5, a0, a1, a2, a3, a4)
  CAUSALDPO_FIELDS(6, a0, a1, a2, a3, a4, a5)
  CAUSALDPO_FIELDS(7, a0, a1, a2, a3, a4, a5, a6)
  CAUSALDPO_FIELDS(8, a0, a1, a2, a3, a4, a5, a6, a7)
  CAUSALDPO_FIELDS(9, a0, a1, a2, a3, a4, a5, a6, a7, a8)
  CAUSALDPO_FIELDS(10, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9)
  CAUSALDPO_FIELDS(11, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10)
  CAUSALDPO_FIELDS(12, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11)
  CAUSALDPO_FIELDS(13, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12)
  CAUSALDPO_FIELDS(14, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13)
  CAUSALDPO_FIELDS(15, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14)
  CAUSALDPO_FIELDS(16, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15)
  CAUSALDPO_FIELDS(17, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16)
  CAUSALDPO_FIELDS(18, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17)
  CAUSALDPO_FIELDS(19, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18)
  CAUSALDPO_FIELDS(20, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19)
#undef CAUSALDPO_FIELDS
}

}  // namespace causaldpo::test
