// SPDX-License-Identifier: Apache-2.0
// Matrix products of row-major views by xtensor-blas over OpenBLAS, on the calling thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <string>

#include "causaldpo/backends/xtensor/config.hpp"
#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/core/error.hpp"

extern "C" {
int openblas_get_num_threads(void);
void openblas_set_num_threads(int);
}

namespace causaldpo::detail {

// Included before it knew of a BLAS, cxxblas would multiply by loops of its own; this name is then missing.
static_assert(sizeof(cxxblas::CBLAS::getCblasType(cxxblas::NoTrans)) > 0);

/// While one of these lives, OpenBLAS computes on the thread that calls it: the backend splits its products itself, so that
/// its number of threads is the one that was asked for and its bits do not depend on OPENBLAS_NUM_THREADS. OpenBLAS
/// knows only one number for the process; the first of these saves it and the last one puts it back.
class blas_on_one_thread {
 public:
  blas_on_one_thread() {
    for (int n = users_.load(); n > 0;)
      if (users_.compare_exchange_weak(n, n + 1)) return;
    std::lock_guard const lock(change_);
    if (users_.load() == 0) {
      saved_ = openblas_get_num_threads();
      if (saved_ != 1) openblas_set_num_threads(1);
    }
    users_.fetch_add(1);
  }
  ~blas_on_one_thread() {
    for (int n = users_.load(); n > 1;)
      if (users_.compare_exchange_weak(n, n - 1)) return;
    std::lock_guard const lock(change_);
    if (users_.fetch_sub(1) == 1 && saved_ != 1) openblas_set_num_threads(saved_);
  }
  blas_on_one_thread(blas_on_one_thread const&) = delete;
  blas_on_one_thread& operator=(blas_on_one_thread const&) = delete;

 private:
  inline static std::atomic<int> users_ = 0;
  inline static std::mutex change_;
  inline static int saved_ = 1;
};

/// An extent or leading dimension as BLAS takes it.
inline xt::blas_index_t blas_extent(index_t n) {
  if (n > std::numeric_limits<xt::blas_index_t>::max())
    throw shape_error("gemm: an extent is " + std::to_string(n) + " and must be at most " +
                      std::to_string(std::numeric_limits<xt::blas_index_t>::max()) + " for this BLAS");
  return static_cast<xt::blas_index_t>(n);
}

/// c = alpha op(a) op(b) + beta c on the calling thread. beta = 0 does not read c; an inner extent of 0 gives beta c.
template <class T>
void xtensor_product(transpose ta, transpose tb, T alpha, view<T const, 2> a, view<T const, 2> b, T beta, view<T, 2> c) {
  if (c.rows() == 0 || c.cols() == 0) return;
  auto const flag = [](transpose t) { return t == transpose::no ? cxxblas::NoTrans : cxxblas::Trans; };
  // A leading dimension is asked to be at least the columns, also where there is but one row or none.
  auto const leading = [](auto const& m) { return blas_extent(std::max({m.ld(), m.cols(), index_t(1)})); };
  auto const rows = blas_extent(c.rows()), cols = blas_extent(c.cols()),
             inner = blas_extent(ta == transpose::no ? a.cols() : a.rows()), lda = leading(a), ldb = leading(b), ldc = leading(c);
  blas_on_one_thread const alone;
  cxxblas::gemm(cxxblas::RowMajor, flag(ta), flag(tb), rows, cols, inner, alpha, a.data(), lda, b.data(), ldb, beta, c.data(),
                ldc);
}

}  // namespace causaldpo::detail
