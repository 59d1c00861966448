// SPDX-License-Identifier: Apache-2.0
// Many equally shaped matrix products in one call: the heads of an attention layer, the blocks of a mixture.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {

namespace detail {

/// The first matrix of each factor and the distance in elements from one matrix to the next.
template <class T, class S>
struct batched_gemm_args {
  index_t count;
  transpose ta, tb;
  T alpha;
  view<T const, 2, S> a;
  index_t stride_a;
  view<T const, 2, S> b;
  index_t stride_b;
  T beta;
  view<T, 2, S> c;
  index_t stride_c;

  /// Factors and result of product i.
  view<T const, 2, S> a_at(index_t i) const { return {a.data() + i * stride_a, a.rows(), a.cols(), a.ld()}; }
  view<T const, 2, S> b_at(index_t i) const { return {b.data() + i * stride_b, b.rows(), b.cols(), b.ld()}; }
  view<T, 2, S> c_at(index_t i) const { return {c.data() + i * stride_c, c.rows(), c.cols(), c.ld()}; }
};

}  // namespace detail

namespace op {
/// Tag and generic body of batched_gemm.
struct batched_gemm {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::batched_gemm_args<T, S>>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::batched_gemm_args<T, typename B::space> const& x) {
    for (index_t i = 0; i < x.count; ++i) be.gemm(x.ta, x.tb, x.alpha, x.a_at(i), x.b_at(i), x.beta, x.c_at(i));
  }
};
}  // namespace op

/// c_i = alpha op(a_i) op(b_i) + beta c_i for 0 <= i < count; matrix i of each factor lies `stride` elements behind
/// matrix i - 1.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | a, b, c | op(a) [M,L], op(b) [L,N], c [M,N] | the first matrix of each; leading dimensions may exceed the columns |
/// | stride_a, stride_b | | may be 0: one factor shared by all products |
/// | stride_c | | keeps the results apart; they may interleave (heads side by side: stride N, ld count * N) |
///
/// beta = 0 does not read c. Edge cases: count = 0 or an empty result does nothing, L = 0 gives beta c. NaN and
/// infinity go through as in `gemm`. Throws shape_error, and option_error for a negative count or several results in one
/// place. Cost 2 count M N L, no scratch.
template <backend B, real_scalar T>
void batched_gemm(B& be, index_t count, transpose ta, transpose tb, std::type_identity_t<T> alpha,
                  std::type_identity_t<view<T const, 2, typename B::space>> a, index_t stride_a,
                  std::type_identity_t<view<T const, 2, typename B::space>> b, index_t stride_b, std::type_identity_t<T> beta,
                  view<T, 2, typename B::space> c, index_t stride_c) {
  constexpr char const* name = "batched_gemm";
  index_t const m = c.rows(), n = c.cols(), inner = ta == transpose::no ? a.cols() : a.rows();
  detail::expect_option(name, "count", count >= 0, count, ">= 0");
  if (ta == transpose::no)
    detail::expect_shape(name, "a", a, m, inner, "a row for each row of c");
  else
    detail::expect_shape(name, "a", a, inner, m, "transposed: a column for each row of c");
  if (tb == transpose::no)
    detail::expect_shape(name, "b", b, inner, n, "op(a)'s columns by c's columns");
  else
    detail::expect_shape(name, "b", b, n, inner, "transposed: c's columns by op(a)'s columns");
  detail::expect_shape(name, "c", c, m, n, "the result");
  detail::expect_option(name, "stride_c", count < 2 || stride_c != 0 || c.rows() * c.cols() == 0, stride_c,
                        "other than 0: the results must not overlap");
  detail::run<op::batched_gemm>(
      be, detail::batched_gemm_args<T, typename B::space>{count, ta, tb, alpha, a, stride_a, b, stride_b, beta, c, stride_c});
}

}  // namespace causaldpo
