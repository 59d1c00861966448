// SPDX-License-Identifier: Apache-2.0
// The xtensor backend: OpenMP threads, xsimd's batches for functors that take lanes, matrix products by OpenBLAS through
// xtensor-blas. The class, and which algorithms it replaces. Including this header also makes xtensor's row-major types
// tensors.
#pragma once

#include "causaldpo/backends/host/override_batched_gemm.hpp"
#include "causaldpo/backends/host/override_fused_linear_logps.hpp"
#include "causaldpo/backends/host/override_mmd_penalty.hpp"
#include "causaldpo/backends/host/override_softmax_rows.hpp"
#include "causaldpo/backends/host/parallel_host.hpp"
#include "causaldpo/backends/xtensor/adapt.hpp"
#include "causaldpo/backends/xtensor/gemm.hpp"
#include "causaldpo/backends/xtensor/pack.hpp"

namespace causaldpo {

/// Options of xtensor_backend.
struct xtensor_options {
  int threads = 0;  ///< 0: as many as OpenMP would use (OMP_NUM_THREADS, else every processor)
};

namespace detail {
/// xsimd's batches and OpenBLAS's products.
struct xtensor_arithmetic {
  template <class T>
  using pack = xsimd::batch<T>;
  template <class T>
  static void product(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
    xtensor_product(ta, tb, alpha, a, b, beta, c);
  }
};
}  // namespace detail

/// A backend in host memory for processors, whose packs are xsimd's and whose products are OpenBLAS's. How work is split over
/// threads, and which results depend on their number, stands at `detail::parallel_host`; OpenBLAS's own threads are off
/// for the length of a product, and its number of threads is as before afterwards.
/// One object serves one calling thread at a time; its scratch is kept between calls, so reuse the object.
class xtensor_backend : public detail::parallel_host<detail::xtensor_arithmetic> {
 public:
  explicit xtensor_backend(xtensor_options const& options = {}) : parallel_host(options.threads) {}
  static constexpr char const* name() { return "xtensor"; }
};

static_assert(backend<xtensor_backend>);

#if defined(CAUSALDPO_XTENSOR_COMPILED)
template <>
inline constexpr bool detail::compiled_apart<xtensor_backend> = true;
#endif

// What this backend replaces (detail/dispatch.hpp), by the bodies in backends/host. tests/backends holds each against
// `Op::generic`.
template <>
inline constexpr bool overrides<op::batched_gemm, xtensor_backend> = true;
template <>
inline constexpr bool overrides<op::fused_linear_logps, xtensor_backend> = true;
template <>
inline constexpr bool overrides<op::mmd_penalty, xtensor_backend> = true;
template <>
inline constexpr bool overrides<op::softmax_rows, xtensor_backend> = true;

}  // namespace causaldpo
