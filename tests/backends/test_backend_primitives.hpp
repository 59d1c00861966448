// SPDX-License-Identifier: Apache-2.0
// Every primitive of a backend, at extents 0, 1, prime, block - 1, block, block + 1, and through padded views. A backend
// of your own passes these before anything else.
#pragma once

#include <cstdint>

#include "causaldpo/core/error.hpp"
#include "causaldpo/detail/folds.hpp"
#include "causaldpo/ops/batched_gemm.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// The extents at which blocks, packs and quarters begin and end.
inline constexpr index_t primitive_extents[] = {0, 1, 3, 17, 127, 255, 256, 257, 1023, 1024, 1025, 4097, 20011};

/// f(i): counts the calls at i.
struct count_call {
  std::int32_t* calls;
  CAUSALDPO_HD void operator()(index_t i) const { calls[i] += 1; }
};
struct count_cell {
  view<std::int32_t, 2> calls;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const { calls.at(i, j) += 1; }
};

/// f(lane): y = sigmoid(x) + position-dependent loads of every kind.
template <class T>
struct lane_work {
  using lane_scalar = T;
  view<T const, 1> x;
  view<T const, 2> m;                 // [n, 3], padded
  view<std::uint8_t const, 2> flags;  // [n, 2], padded
  view<T, 1> y;
  view<T, 2> out;  // [n, 2], padded
  nan_watch watch;
  template <class L>
  CAUSALDPO_HD void operator()(L const& lane) const {
    using V = typename L::value;
    auto const use = lane.flags_column(flags, 1);
    V const a = lane.load(x), b = lane.load_column(m, 2), c = lane.load_column_if(use, m, 0, L::broadcast(T(5)));
    lane.note(watch, 2, math::is_nan<V>(a), 3, 1);
    lane.store(y, math::sigmoid<V>(a) * b);
    lane.store_column(out, 1, math::select<V>(use, c, a - c));
  }
};

/// f(i, lane): out_ij = max(m_ij, i).
template <class T>
struct lane_cells {
  using lane_scalar = T;
  view<T const, 2> m;
  view<T, 2> out;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    using V = typename L::value;
    lane.store_row(out, i, math::max<V>(lane.load_row(m, i), L::broadcast(static_cast<T>(i))));
  }
};

template <class T>
struct read_vector {
  view<T const, 1> x;
  CAUSALDPO_HD T operator()(index_t i) const { return x.at(i); }
};
template <class T>
struct read_matrix {
  view<T const, 2> m;
  CAUSALDPO_HD T operator()(index_t i, index_t j) const { return m.at(i, j); }
};

/// x -> a x + b modulo 2^32: composition is associative and does not commute, so it shows the order of a fold.
struct affine {
  std::uint32_t a = 1, b = 0;
  CAUSALDPO_HD explicit operator std::uint32_t() const { return a * 7U + b; }
};
struct affine_fold {
  using value_type = affine;
  CAUSALDPO_HD static affine identity() { return {}; }
  CAUSALDPO_HD affine operator()(affine f, affine g) const { return {f.a * g.a, f.b * g.a + g.b}; }
};
struct affine_map {
  CAUSALDPO_HD affine operator()(index_t i) const {
    return {static_cast<std::uint32_t>(2 * i + 3), static_cast<std::uint32_t>(i * i + 1)};
  }
  CAUSALDPO_HD affine operator()(index_t i, index_t j) const { return (*this)(i * 31 + j); }
};

TEST_CASE_TEMPLATE("primitives: launch calls every position once", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  for (index_t n : primitive_extents) {
    std::vector<std::int32_t> calls(static_cast<std::size_t>(n + 1));
    be.launch(n, count_call{calls.data()});
    std::vector<std::int32_t> expected(static_cast<std::size_t>(n + 1), 1);
    expected.back() = 0;
    CHECK(calls == expected);
  }
  for (index_t rows : {0, 1, 7, 129, 2049})
    for (index_t cols : {0, 1, 5, 128, 129, 2047, 2049}) {
      if (rows * cols > 300000) continue;
      index_t const ld = cols + 2;
      std::vector<std::int32_t> calls(static_cast<std::size_t>(rows * ld)), expected(calls.size());
      be.launch_2d(rows, cols, count_cell{matrix(calls.data(), rows, cols, ld)});
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < cols; ++j) expected[static_cast<std::size_t>(i * ld + j)] = 1;
      CHECK(calls == expected);
    }
}

TEST_CASE_TEMPLATE("primitives: lanes do what scalars do", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (index_t n : primitive_extents)
    for (index_t pad : {0, 2}) {
      random_source random(static_cast<std::uint64_t>(n + pad));
      index_t const ldm = 3 + pad, ldf = 2 + pad, ldo = 2 + pad;
      auto const x = random.normals<T>(n, 20), m = random.normals<T>(n * ldm), before = random.normals<T>(n * ldo);
      std::vector<std::uint8_t> flags(static_cast<std::size_t>(n * ldf));
      for (auto& f : flags) f = static_cast<std::uint8_t>(random.below(3));
      std::vector<T> y(static_cast<std::size_t>(n)), y_expected = y;
      auto out = before, out_expected = before;
      lane_work<T> work{x, matrix(m.data(), n, 3, ldm),   matrix(static_cast<std::uint8_t const*>(flags.data()), n, 2, ldf),
                        y, matrix(out.data(), n, 2, ldo), {}};
      be.launch(n, work);
      work.y = y_expected;
      work.out = matrix(out_expected.data(), n, 2, ldo);
      for (index_t i = 0; i < n; ++i) work(scalar_lane<T>(i));
      for (std::size_t i = 0; i < y.size(); ++i)
        CHECK(std::abs(y[i] - y_expected[i]) <= 8 * std::numeric_limits<T>::epsilon() * std::abs(y_expected[i]));
      CHECK(out == out_expected);
    }
  for (index_t rows : {0, 1, 9})
    for (index_t cols : {0, 1, 15, 16, 17, 2050}) {
      index_t const ld = cols + 3;
      random_source random(static_cast<std::uint64_t>(rows * 100 + cols));
      auto const m = random.normals<T>(rows * ld, 5);
      std::vector<T> out(m.size(), T(-1)), expected = out;
      be.launch_2d(rows, cols, lane_cells<T>{matrix(m.data(), rows, cols, ld), matrix(out.data(), rows, cols, ld)});
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < cols; ++j) {
          auto const e = static_cast<std::size_t>(i * ld + j);
          expected[e] = std::max(m[e], static_cast<T>(i));
        }
      CHECK(out == expected);
    }
}

TEST_CASE_TEMPLATE("primitives: lanes read masked slots only where the mask allows, and note NaN by position", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  index_t const n = 67;
  std::vector<T> x(static_cast<std::size_t>(n), T(1)), m(static_cast<std::size_t>(3 * n), T(2)), y(x.size()),
      out(static_cast<std::size_t>(2 * n));
  std::vector<std::uint8_t> flags(static_cast<std::size_t>(2 * n), 1);
  T const nan = std::numeric_limits<T>::quiet_NaN();
  m[3 * 40] = nan;
  flags[2 * 40 + 1] = 0;
  x[66] = x[35] = nan;
  char const* const names[] = {"a", "b", "x"};
  nan_watch const watch = be.open_watch({"op", names, 3});
  be.launch(n, lane_work<T>{x, matrix(m.data(), n, 3), matrix(static_cast<std::uint8_t const*>(flags.data()), n, 2), y,
                            matrix(out.data(), n, 2), watch});
  CHECK(out[2 * 40 + 1] == T(-4));  // a - otherwise
  CHECK_THROWS_WITH_AS(be.close_watch(watch), doctest::Contains("op: x holds a NaN at flat position 106"),
                       value_error);

  nan_watch const outer = be.open_watch({"op", names, 3}), inner = be.open_watch({"op", names, 3});
  inner.note(0, 3);
  outer.note(1, 9), outer.note(1, 4), outer.note(1, 6);
  be.drop_watch(inner);
  CHECK_THROWS_WITH_AS(be.close_watch(outer), doctest::Contains("b holds a NaN at flat position 4"), value_error);
}

TEST_CASE_TEMPLATE("primitives: reductions fold every term once and in order", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  for (index_t n : primitive_extents) {
    affine expected;
    for (index_t i = 0; i < n; ++i) expected = affine_fold{}(expected, affine_map{}(i));
    std::uint32_t actual = 0;
    be.reduce(n, affine_map{}, affine_fold{}, scalar(&actual));
    CHECK(actual == static_cast<std::uint32_t>(expected));
  }
  for (index_t rows : {0, 1, 2, 7, 8, 9, 1025, 3000})
    for (index_t cols : {0, 1, 31, 32, 33, 511, 513, 5000}) {
      if (rows * cols > 600000) continue;
      std::vector<std::uint32_t> by_row(static_cast<std::size_t>(rows)), by_col(static_cast<std::size_t>(cols)), r = by_row,
                                                                                                                 c = by_col;
      be.reduce_rows(rows, cols, affine_map{}, affine_fold{}, vector(by_row.data(), rows));
      be.reduce_cols(rows, cols, affine_map{}, affine_fold{}, vector(by_col.data(), cols));
      std::vector<affine> down(static_cast<std::size_t>(cols));
      for (index_t i = 0; i < rows; ++i) {
        affine across;
        for (index_t j = 0; j < cols; ++j) {
          across = affine_fold{}(across, affine_map{}(i, j));
          auto& d = down[static_cast<std::size_t>(j)];
          d = affine_fold{}(d, affine_map{}(i, j));
        }
        r[static_cast<std::size_t>(i)] = static_cast<std::uint32_t>(across);
      }
      for (std::size_t j = 0; j < down.size(); ++j) c[j] = static_cast<std::uint32_t>(down[j]);
      CHECK(by_row == r);
      CHECK(by_col == c);
    }
}

TEST_CASE_TEMPLATE("primitives: sums in double, largest, and log-sum-exp at its limits", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity();
  std::vector<T> const ones(100000, T(0.1));
  T sum = 0;
  be.reduce(100000, read_vector<T>{ones}, detail::sum_fold<>{}, scalar(&sum));
  CHECK(std::abs(static_cast<double>(sum) - 1e5 * static_cast<double>(T(0.1))) <
        1e-7 + 1e4 * static_cast<double>(std::numeric_limits<T>::epsilon()));

  random_source random(3);
  index_t const rows = 37, cols = 1031, ld = 1040;
  auto m = random.normals<T>(rows * ld, 30);
  for (index_t j = 0; j < cols; ++j) m[static_cast<std::size_t>(5 * ld + j)] = -inf;
  m[static_cast<std::size_t>(6 * ld + 700)] = inf;
  std::vector<T> lse(static_cast<std::size_t>(rows)), expected = lse, largest(static_cast<std::size_t>(cols)),
                                                      largest_expected(largest.size(), -inf);
  view<T const, 2> const v = matrix(static_cast<T const*>(m.data()), rows, cols, ld);
  be.reduce_rows(rows, cols, read_matrix<T>{v}, detail::log_sum_exp_fold{}, vector(lse.data(), rows));
  be.reduce_cols(rows, cols, read_matrix<T>{v}, detail::max_fold<T>{}, vector(largest.data(), cols));
  for (index_t i = 0; i < rows; ++i) {
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (index_t j = 0; j < cols; ++j) {
      top = std::max(top, static_cast<double>(v(i, j)));
      auto& l = largest_expected[static_cast<std::size_t>(j)];
      l = std::max(l, v(i, j));
    }
    for (index_t j = 0; j < cols; ++j) total += std::exp(static_cast<double>(v(i, j)) - top);
    expected[static_cast<std::size_t>(i)] = static_cast<T>(std::isfinite(top) ? top + std::log(total) : top);
  }
  CHECK(relative_error(lse, expected) < tolerance<T>());
  CHECK(largest == largest_expected);
}

TEST_CASE_TEMPLATE("primitives: copy and gemm through padded views", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  for (index_t n : {0, 1, 32767, 32769, 70001}) {
    random_source random(static_cast<std::uint64_t>(n));
    auto const from = random.normals<T>(n);
    std::vector<T> to(from.size());
    be.copy(vector(to.data(), n), vector(from.data(), n));
    CHECK(to == from);
  }
  random_source random(9);
  auto const source = random.normals<T>(300 * 120);
  std::vector<T> target(300 * 130, T(7)), target_expected = target;
  be.copy(matrix(target.data(), 300, 113, 130), matrix(source.data(), 300, 113, 120));
  for (std::size_t i = 0; i < 300; ++i)
    for (std::size_t j = 0; j < 113; ++j) target_expected[i * 130 + j] = source[i * 120 + j];
  CHECK(target == target_expected);

  for (index_t m : {0, 1, 2, 31, 160})
    for (index_t n : {0, 1, 3, 33, 170})
      for (index_t inner : {0, 1, 47, 130})
        for (int form = 0; form < 4; ++form) {
          transpose const ta = form % 2 ? transpose::yes : transpose::no, tb = form / 2 ? transpose::yes : transpose::no;
          index_t const lda = (form % 2 ? m : inner) + 1, ldb = (form / 2 ? inner : n) + 2, ldc = n + 3;
          auto const a = random.normals<T>((form % 2 ? inner : m) * lda), b = random.normals<T>((form / 2 ? n : inner) * ldb);
          auto const va = form % 2 ? matrix(a.data(), inner, m, lda) : matrix(a.data(), m, inner, lda);
          auto const vb = form / 2 ? matrix(b.data(), n, inner, ldb) : matrix(b.data(), inner, n, ldb);
          for (T beta : {T(0), T(1), T(-0.5)}) {
            std::vector<T> c(static_cast<std::size_t>(m * ldc), T(2)), expected = c;
            if (beta == T(0)) std::fill(c.begin(), c.end(), std::numeric_limits<T>::quiet_NaN());
            be.gemm(ta, tb, T(1.5), va, vb, beta, matrix(c.data(), m, n, ldc));
            for (index_t i = 0; i < m; ++i)
              for (index_t j = 0; j < ldc; ++j) {
                auto const e = static_cast<std::size_t>(i * ldc + j);
                if (j >= n) {
                  CHECK((beta == T(0) ? std::isnan(c[e]) : c[e] == T(2)));
                  c[e] = expected[e];
                  continue;
                }
                double sum = 0;
                for (index_t k = 0; k < inner; ++k)
                  sum +=
                      static_cast<double>(form % 2 ? va(k, i) : va(i, k)) * static_cast<double>(form / 2 ? vb(j, k) : vb(k, j));
                expected[e] = static_cast<T>(1.5 * sum + 2 * static_cast<double>(beta));
              }
            CHECK(relative_error(c, expected) < tolerance<T>(inner));
            if (inner == 0) CHECK(c == expected);
          }
        }
}

TEST_CASE_TEMPLATE("primitives: scratch is reused and counted", Cell, CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be;
  for (int repeat = 0; repeat < 2; ++repeat) {
    auto const before = be.allocations();
    auto a = be.template allocate<double>(1000);
    auto b = be.template allocate<float>(1000);
    CHECK(static_cast<void*>(a.data()) != static_cast<void*>(b.data()));
    CHECK(a.vector().size() == 1000);
    CHECK(b.matrix(10, 100).ld() == 100);
    CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % 64 == 0);
    CHECK((repeat == 0 ? be.allocations() > before : be.allocations() == before));
    CHECK(be.scratch_peak() >= 12000U);
    CHECK(be.scratch_peak() < 16000U);
  }
  be.reset_scratch_peak();
  CHECK(be.scratch_peak() == 0U);
}

}  // namespace causaldpo::test
