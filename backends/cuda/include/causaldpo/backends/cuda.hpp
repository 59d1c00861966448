// SPDX-License-Identifier: Apache-2.0
// The CUDA backend, the half that a plain C++ compiler reads: the class, its memory, its products by cuBLAS, and which
// algorithms it replaces. A program that is compiled by nvcc includes causaldpo/backends/cuda.cuh and needs nothing else;
// one that is not includes this header and links libcausaldpo-cuda, which holds every operation in float and double.
#pragma once

#include "causaldpo/backends/cuda/memory.hpp"
#include "causaldpo/backends/cuda/products.hpp"
#include "causaldpo/backends/cuda/watch_table.hpp"
#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/environment/gmm_pass.hpp"
#include "causaldpo/invariance/mmd_penalty.hpp"
#include "causaldpo/logprob/fused_linear_logps.hpp"
#include "causaldpo/ops/batched_gemm.hpp"
#include "causaldpo/ops/small_cholesky.hpp"
#include "causaldpo/ops/softmax_rows.hpp"
#include "causaldpo/preference/conditional_preference.hpp"

namespace causaldpo {

/// A backend in the memory of a CUDA device, on one stream of the caller's. Calls return at once; `synchronize` waits,
/// and throws what the operations since the last call found wrong in their data. After the first call with given sizes an
/// operation neither allocates nor waits, so a step can be captured in a CUDA graph. Reductions are made in a fixed
/// order: the same call gives the same bits, whatever other streams do.
/// One object serves one calling thread at a time. The device that is current when it is made must be current when it is used.
class cuda_backend {
 public:
  using space = device_space;

  /// `cublas`: a handle of the caller's, set to the same stream and left as it is (its workspace and modes are the caller's
  /// concern; it reads factors from the host); left out, a handle and a workspace of 32 MiB of its own. Errors: backend_error
  /// with CUDA's or cuBLAS's code, option_error for a handle on another stream.
  explicit cuda_backend(cudaStream_t stream = nullptr, cublasHandle_t cublas = nullptr)
      : stream_(stream_on_a_device(stream)), pool_(detail::stream_memory{stream}), watches_(stream), cublas_(stream, cublas) {}
  cuda_backend(cuda_backend const&) = delete;
  cuda_backend& operator=(cuda_backend const&) = delete;

  static constexpr char const* name() { return "cuda"; }
  /// How many devices there are; 0 also without a driver.
  static int devices() noexcept {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    static_cast<void>(cudaGetLastError());
    return 0;
  }
  cudaStream_t stream() const { return stream_; }
  cublasHandle_t cublas() const { return cublas_.get(); }

  template <class T>
  detail::device_scratch<T> allocate(index_t n) {
    return detail::device_scratch<T>(pool_, n);
  }
  std::size_t allocations() const { return pool_.allocations(); }
  std::size_t scratch_peak() const { return pool_.peak(); }
  void reset_scratch_peak() { pool_.reset_peak(); }

  /// Within the device, and between it and the host. Host memory that is not page-locked makes the call wait.
  template <class T, int Rank, class To, class From>
  void copy(view<T, Rank, To> to, view<T const, Rank, From> from) {
    detail::copy_async<T>(stream_, to, from);
  }

  // Defined in cuda.cuh.
  template <class F>
  void launch(index_t n, F f);
  template <class F>
  void launch_2d(index_t rows, index_t cols, F f);
  template <class Map, class Fold, class U>
  void reduce(index_t n, Map map, Fold fold, view<U, 1, space> out);
  template <class Map, class Fold, class U>
  void reduce_rows(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out);
  template <class Map, class Fold, class U>
  void reduce_cols(index_t rows, index_t cols, Map map, Fold fold, view<U, 1, space> out);

  template <real_scalar T>
  void gemm(transpose ta, transpose tb, T alpha, view<T const, 2, space> a, view<T const, 2, space> b, T beta,
            view<T, 2, space> c) {
    detail::cublas_products<T>(cublas(), ta, tb, alpha, a, 0, b, 0, beta, c, 0, 1);
  }

  nan_watch open_watch(watched_operation const& operation) { return watches_.open(operation); }
  void close_watch(nan_watch) {}
  void drop_watch(nan_watch) noexcept {}
  /// Waits for the stream. Throws value_error for a NaN (or another bad value) that an operation met since the last call.
  void synchronize() { watches_.synchronize(); }

 private:
  static cudaStream_t stream_on_a_device(cudaStream_t stream) {
    if (devices() == 0) throw backend_error("cuda_backend: no CUDA device", static_cast<int>(cudaErrorNoDevice));
    return stream;
  }

  cudaStream_t stream_;
  detail::device_pool pool_;
  detail::watch_table watches_;
  detail::cublas_handle cublas_;
};

static_assert(backend<cuda_backend>);

#if defined(CAUSALDPO_CUDA_COMPILED)
template <>
inline constexpr bool detail::compiled_apart<cuda_backend> = true;
/// The version of libcausaldpo-cuda: equal to `causaldpo::version` where library and headers are of one release. Nothing checks
/// it by itself.
char const* cuda_library_version();
#endif

// What this backend replaces (detail/dispatch.hpp), each held against `Op::generic` by a test.

template <>
inline constexpr bool overrides<op::batched_gemm, cuda_backend> = true;
template <real_scalar T>
void override_for(op::batched_gemm, cuda_backend& be, detail::batched_gemm_args<T, device_space> const& a) {
  detail::cublas_products<T>(be.cublas(), a.ta, a.tb, a.alpha, a.a, a.stride_a, a.b, a.stride_b, a.beta, a.c, a.stride_c,
                             a.count);
}
// In cuda/preference.cuh and cuda/softmax_rows.cuh.
template <>
inline constexpr bool overrides<op::preference_loss, cuda_backend> = true;
template <>
inline constexpr bool overrides<op::conditional_preference, cuda_backend> = true;
template <>
inline constexpr bool overrides<op::softmax_rows, cuda_backend> = true;

// Their bodies are cuda/mmd.cuh, cuda/gmm.cuh and cuda/small_cholesky.cuh.
template <>
inline constexpr bool overrides<op::mmd_penalty, cuda_backend> = true;
template <>
inline constexpr bool overrides<op::gmm_pass, cuda_backend> = true;
template <>
inline constexpr bool overrides<op::small_cholesky, cuda_backend> = true;

// Defined by cuda.cuh.
template <>
inline constexpr bool overrides<op::fused_linear_logps, cuda_backend> = true;
template <>
inline constexpr bool overrides<op::fused_linear_logps_half, cuda_backend> = true;

#if !defined(CAUSALDPO_CUDA_KERNELS)
#define CAUSALDPO_CUDA_WITHOUT_KERNELS 1
namespace detail {
template <class>
inline constexpr bool is_in_the_library = false;
template <class Call>
void expect_in_the_library() {
  static_assert(
      is_in_the_library<Call>,
      "causaldpo: this call is not in libcausaldpo-cuda (another scalar than float and double, or a loss, estimator or kernel of "
      "your own): compile the file with nvcc and include causaldpo/backends/cuda.cuh");
}
}  // namespace detail
// What a plain C++ compiler says to a call that is not in the library, whose operation is generic or replaced.
template <class F>
void cuda_backend::launch(index_t, F) {
  detail::expect_in_the_library<F>();
}
template <class F>
void cuda_backend::launch_2d(index_t, index_t, F) {
  detail::expect_in_the_library<F>();
}
template <class Map, class Fold, class U>
void cuda_backend::reduce(index_t, Map, Fold, view<U, 1, space>) {
  detail::expect_in_the_library<Map>();
}
template <class Map, class Fold, class U>
void cuda_backend::reduce_rows(index_t, index_t, Map, Fold, view<U, 1, space>) {
  detail::expect_in_the_library<Map>();
}
template <class Map, class Fold, class U>
void cuda_backend::reduce_cols(index_t, index_t, Map, Fold, view<U, 1, space>) {
  detail::expect_in_the_library<Map>();
}
template <class Op, class... Args>
void override_for(Op, cuda_backend&, Args const&...) {
  detail::expect_in_the_library<detail::call<Op, Args...>>();
}
#endif

}  // namespace causaldpo
