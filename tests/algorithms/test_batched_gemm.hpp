// SPDX-License-Identifier: Apache-2.0
// Tests of batched_gemm: by hand, against single products in double, interleaved results, and what is refused.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/ops/batched_gemm.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("batched_gemm: two products by hand, one factor shared", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> const a{1, 2, 3, 4, 5, 6, 7, 8}, b{1, 1, 0, 2};
  std::vector<T> c{9, 9, 9, 9, 1, 1, 1, 1};
  batched_gemm(be, 2, transpose::no, transpose::no, 1, matrix(a.data(), 2, 2), 4, matrix(b.data(), 2, 2), 0, 0,
               matrix(c.data(), 2, 2), 4);
  CHECK(c == std::vector<T>{1, 5, 3, 11, 5, 17, 7, 23});
  batched_gemm(be, 1, transpose::yes, transpose::no, 2, matrix(a.data(), 2, 2), 4, matrix(b.data(), 2, 2), 0, -1,
               matrix(c.data(), 2, 2), 4);
  CHECK(c == std::vector<T>{1, 9, 1, 9, 5, 17, 7, 23});  // 2 [[1,3],[2,4]] b = [[2,14],[4,20]], less what was there
}

TEST_CASE_TEMPLATE("batched_gemm: every transpose, odd sizes, padded rows, heads side by side", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend oracle;
  for (index_t count : {1, 3, 17})
    for (index_t size : {1, 5, 31}) {
      index_t const m = size, n = size + 2, inner = 2 * size + 1, lda = m + inner + 3, ldb = n + inner + 2, ldc = count * n + 1;
      index_t const stride_a = (m + inner) * lda, stride_b = (n + inner) * ldb;
      random_source random(static_cast<std::uint64_t>(count * 100 + size));
      auto const a = random.normals<T>(count * stride_a), b = random.normals<T>(count * stride_b),
                 before = random.normals<T>(m * ldc);
      for (transpose ta : {transpose::no, transpose::yes})
        for (transpose tb : {transpose::no, transpose::yes}) {
          auto first_a = ta == transpose::no ? matrix(a.data(), m, inner, lda) : matrix(a.data(), inner, m, lda);
          auto first_b = tb == transpose::no ? matrix(b.data(), inner, n, ldb) : matrix(b.data(), n, inner, ldb);
          auto actual = before, expected = before;
          batched_gemm(be, count, ta, tb, T(0.5), first_a, stride_a, first_b, stride_b, T(2), matrix(actual.data(), m, n, ldc),
                       n);
          for (index_t i = 0; i < count; ++i)
            oracle.gemm(ta, tb, T(0.5), view<T const, 2>(first_a.data() + i * stride_a, first_a.rows(), first_a.cols(), lda),
                        view<T const, 2>(first_b.data() + i * stride_b, first_b.rows(), first_b.cols(), ldb), T(2),
                        matrix(expected.data() + i * n, m, n, ldc));
          CHECK(relative_error(actual, expected) < tolerance<T>(inner));
          for (index_t r = 0; r < m; ++r)
            CHECK(actual[static_cast<std::size_t>(r * ldc + count * n)] == before[static_cast<std::size_t>(r * ldc + count * n)]);
        }
    }
}

TEST_CASE_TEMPLATE("batched_gemm: nothing to do, an empty sum, and what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> a{1, 2, 3, 4}, c{std::numeric_limits<T>::quiet_NaN(), 7};
  auto const row = matrix(a.data(), 1, 2), column = matrix(a.data(), 2, 1);
  batched_gemm(be, 0, transpose::no, transpose::no, 1, row, 2, column, 2, 0, matrix(c.data(), 1, 1), 1);
  CHECK(c[1] == T(7));
  batched_gemm(be, 2, transpose::no, transpose::no, 1, matrix(a.data(), 1, 0), 2, matrix(a.data(), 0, 1), 2, 0,
               matrix(c.data(), 1, 1), 1);
  CHECK(c == std::vector<T>{0, 0});  // beta = 0 does not read the NaN

  CHECK_THROWS_WITH_AS(batched_gemm(be, 1, transpose::no, transpose::no, 1, row, 2, row, 2, 0, matrix(c.data(), 1, 1), 1),
                       "batched_gemm: b is [1, 2] and must be [2, 1] (op(a)'s columns by c's columns)", shape_error);
  CHECK_THROWS_AS(batched_gemm(be, 2, transpose::no, transpose::no, 1, row, 2, column, 2, 0, matrix(c.data(), 1, 1), 0),
                  option_error);
  CHECK_THROWS_AS(batched_gemm(be, -1, transpose::no, transpose::no, 1, row, 2, column, 2, 0, matrix(c.data(), 1, 1), 1),
                  option_error);
}

}  // namespace causaldpo::test
