// SPDX-License-Identifier: Apache-2.0
// The Eigen backend: OpenMP threads, SIMD packs for functors that take lanes, matrix products by Eigen. The class,
// and which algorithms it replaces. Including this header also makes Eigen's row-major types tensors.
#pragma once

#include "causaldpo/backends/eigen/adapt.hpp"
#include "causaldpo/backends/eigen/gemm.hpp"
#include "causaldpo/backends/eigen/pack.hpp"
#include "causaldpo/backends/host/override_batched_gemm.hpp"
#include "causaldpo/backends/host/override_fused_linear_logps.hpp"
#include "causaldpo/backends/host/override_mmd_penalty.hpp"
#include "causaldpo/backends/host/override_softmax_rows.hpp"
#include "causaldpo/backends/host/parallel_host.hpp"

namespace causaldpo {

/// Options of eigen_backend.
struct eigen_options {
  int threads = 0;  ///< 0: as many as OpenMP would use (OMP_NUM_THREADS, else every processor)
};

namespace detail {
/// Eigen's packets and Eigen's products.
struct eigen_arithmetic {
  template <class T>
  using pack = eigen_pack<T>;
  template <class T>
  static void product(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
    eigen_product(ta, tb, alpha, a, b, beta, c);
  }
};
}  // namespace detail

/// A backend in host memory for processors, whose packs and products are Eigen's. How work is split over threads, and which
/// results depend on their number, stands at `detail::parallel_host`.
/// One object serves one calling thread at a time; its scratch is kept between calls, so reuse the object.
class eigen_backend : public detail::parallel_host<detail::eigen_arithmetic> {
 public:
  explicit eigen_backend(eigen_options const& options = {}) : parallel_host(options.threads) {}
  static constexpr char const* name() { return "eigen"; }
};

static_assert(backend<eigen_backend>);

#if defined(CAUSALDPO_EIGEN_COMPILED)
template <>
inline constexpr bool detail::compiled_apart<eigen_backend> = true;
#endif

// What this backend replaces (detail/dispatch.hpp), by the bodies in backends/host. tests/backends holds each against
// `Op::generic`.
template <>
inline constexpr bool overrides<op::batched_gemm, eigen_backend> = true;
template <>
inline constexpr bool overrides<op::fused_linear_logps, eigen_backend> = true;
template <>
inline constexpr bool overrides<op::mmd_penalty, eigen_backend> = true;
template <>
inline constexpr bool overrides<op::softmax_rows, eigen_backend> = true;

}  // namespace causaldpo
