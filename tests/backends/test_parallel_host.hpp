// SPDX-License-Identifier: Apache-2.0
// What a backend on threads of the host adds to the primitives: the same bits for every number of threads, exceptions
// out of a team, and pack mathematics at the edges.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "causaldpo/backends/host/parallel_host.hpp"
#include "support/cell.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

/// Some 100 ns an element, so that a team is formed.
struct heavy_map {
  view<double const, 1> x;
  double operator()(index_t i) const {
    double s = x.at(i % x.size());
    for (int k = 0; k < 20; ++k) s = std::exp(-s * s);
    return s;
  }
  double operator()(index_t i, index_t j) const { return (*this)(i * 131 + j); }
};
template <class T>
struct heavy_lane {
  using lane_scalar = T;
  view<T const, 1> x;
  view<T, 1> y;
  template <class L>
  void operator()(L const& lane) const {
    using V = typename L::value;
    V s = lane.load(x);
    for (int k = 0; k < 30; ++k) s = math::sigmoid<V>(s) + math::tanh<V>(s);
    lane.store(y, s);
  }
};

template <class T>
struct outcome {
  std::vector<T> launched;
  std::vector<double> reduced;
  bool operator==(outcome const&) const = default;
};
template <class Backend, class T>
outcome<T> run_with(int threads, std::vector<double> const& x) {
  Backend be({.threads = threads});
  CHECK(be.threads() == threads);
  index_t const n = static_cast<index_t>(x.size());
  std::vector<T> const input(x.begin(), x.end());
  std::vector<T> launched(x.size());
  std::vector<double> rows(3000), cols(37), few(3), one(1);
  heavy_map const map{x};
  be.launch(n, heavy_lane<T>{input, launched});
  be.reduce(n, map, detail::sum_fold<>{}, vector(one.data(), 1));
  be.reduce_rows(3000, 7, map, detail::sum_fold<>{}, vector(rows.data(), 3000));
  be.reduce_rows(3, 5000, map, detail::log_sum_exp_fold{}, vector(few.data(), 3));
  be.reduce_cols(3000, 37, map, detail::sum_fold<>{}, vector(cols.data(), 37));
  outcome<T> o{launched, {}};
  for (auto const& part : {rows, cols, few, one}) o.reduced.insert(o.reduced.end(), part.begin(), part.end());
  return o;
}

template <class P, class T>
double worst_ulps(P (*pack)(P), long double (*exact)(long double), std::vector<T> x) {
  constexpr int width = pack_traits<P>::width;
  while (x.size() % width) x.push_back(T(1));
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); i += width) {
    auto const y = pack_traits<P>::elements(pack(pack_traits<P>::load(x.data() + i)));
    for (int w = 0; w < width; ++w) {
      long double const e = exact(static_cast<long double>(x[i + static_cast<std::size_t>(w)]));
      T const want = static_cast<T>(e), got = y[w];
      if (got == want || (std::isnan(got) && std::isnan(want))) continue;
      if (!std::isfinite(got) || !std::isfinite(want)) return std::numeric_limits<double>::infinity();
      T const ulp = std::nextafter(std::abs(want), std::numeric_limits<T>::infinity()) - std::abs(want);
      worst = std::max(worst, static_cast<double>(std::abs(static_cast<long double>(got) - e) / static_cast<long double>(ulp)));
    }
  }
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("parallel: 1, 2 and 3 threads give the same bits, twice", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  random_source random(5);
  auto const x = random.normals<double>(20011);
  auto const one = run_with<B, T>(1, x);
  for (int threads : {1, 2, 3}) CHECK((run_with<B, T>(threads, x) == one));
}

TEST_CASE_TEMPLATE("parallel: gemm gives the same bits again for a given number of threads, also inside the caller's own team",
                   Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  random_source random(6);
  auto const a = random.normals<T>(301 * 150), b = random.normals<T>(150 * 190);
  for (int threads : {1, 2, 3}) {
    typename Cell::backend be({.threads = threads});
    std::vector<T> first(301 * 190), second(first.size());
    auto multiply = [&](std::vector<T>& c) {
      be.gemm(transpose::no, transpose::no, T(1), matrix(a.data(), 301, 150), matrix(b.data(), 150, 190), T(0),
              matrix(c.data(), 301, 190));
    };
    multiply(first);
    be.team().split(0, 2, [&](index_t part) {
      if (part == 1) multiply(second);
    });
    CHECK(first == second);
  }
}

TEST_CASE_TEMPLATE("parallel: an exception of a block reaches the caller, from a team and from one thread", Cell,
                   CAUSALDPO_TEST_CELLS) {
  typename Cell::backend be({.threads = 3});
  auto throwing = [](index_t b) {
    if (b == 5) throw std::runtime_error("block 5");
  };
  CHECK_THROWS_WITH_AS(be.team().split(0, 9, throwing), "block 5", std::runtime_error);
  CHECK_THROWS_WITH_AS(be.team().for_each(9, throwing), "block 5", std::runtime_error);
  std::vector<int> done(9);
  be.team().split(2, 9, [&](index_t b) { done[static_cast<std::size_t>(b)]++; });
  CHECK(done == std::vector<int>{0, 0, 1, 1, 1, 1, 1, 1, 1});
}

TEST_CASE_TEMPLATE("parallel: pack mathematics within 8 ulp everywhere, exact at the limits", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  using P = typename Cell::backend::arithmetic::template pack<T>;
  auto const first = [](P x) { return pack_traits<P>::elements(x)[0]; };
  using limits = std::numeric_limits<T>;
  T const inf = limits::infinity();
  random_source random(7);
  std::vector<T> any{0,
                     -T(0),
                     inf,
                     -inf,
                     limits::quiet_NaN(),
                     limits::max(),
                     limits::lowest(),
                     limits::min(),
                     -limits::min(),
                     limits::denorm_min(),
                     -limits::denorm_min(),
                     T(88.5),
                     T(88.72),
                     T(88.73),
                     T(-87.5),
                     T(-100),
                     T(-104),
                     T(709.78),
                     T(-708.5),
                     T(-745),
                     T(-746)};
  std::vector<T> positive, above_minus_one{-1, 0, inf, limits::denorm_min(), limits::max(), limits::quiet_NaN()};
  for (int i = 0; i < 20000; ++i) {
    double const u = random.uniform(-1, 1), magnitude = std::pow(10.0, random.uniform(-30, 2.9));
    any.push_back(static_cast<T>(u < 0 ? -magnitude : magnitude));
    any.push_back(static_cast<T>(3 * u));
    positive.push_back(static_cast<T>(std::pow(10.0, (sizeof(T) == 4 ? 37 : 300) * u)));
    positive.push_back(static_cast<T>(1 + 0.5 * u));
    above_minus_one.push_back(static_cast<T>(u));
    above_minus_one.push_back(static_cast<T>(magnitude));
  }
  for (T x : {T(0), inf, limits::denorm_min(), limits::min() / 2, limits::max(), limits::quiet_NaN()}) positive.push_back(x);
  CHECK(worst_ulps<P, T>(lane_math<P>::exp, std::exp, any) < 8);
  CHECK(worst_ulps<P, T>(lane_math<P>::expm1, std::expm1, any) < 8);
  CHECK(worst_ulps<P, T>(lane_math<P>::tanh, std::tanh, any) < 8);
  CHECK(worst_ulps<P, T>(lane_math<P>::abs, std::abs, any) == 0);
  CHECK(worst_ulps<P, T>(lane_math<P>::log, std::log, positive) < 8);
  CHECK(worst_ulps<P, T>(lane_math<P>::sqrt, std::sqrt, positive) < 1);
  CHECK(worst_ulps<P, T>(lane_math<P>::log1p, std::log1p, above_minus_one) < 8);
  CHECK(first(lane_math<P>::expm1(P(-inf))) == T(-1));
  CHECK(first(math::sigmoid<P>(P(-inf))) == T(0));
  CHECK(first(math::softplus<P>(P(inf))) == inf);
  CHECK(std::signbit(first(P(T(-0.0)))));
  CHECK(lane_math<P>::any(lane_math<P>::is_nan(P(limits::quiet_NaN()))));
  CHECK_FALSE(lane_math<P>::any(lane_math<P>::is_nan(P(inf))));
}

}  // namespace causaldpo::test
