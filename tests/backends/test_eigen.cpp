// SPDX-License-Identifier: Apache-2.0
// What the Eigen backend adds to the primitives: the same bits for every number of threads, exceptions out of a team,
// pack mathematics at the edges, and Eigen's types as tensors.
#include <numeric>
#include <stdexcept>

#include "causaldpo/backends/eigen.hpp"
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
struct heavy_lane {
  using lane_scalar = double;
  view<double const, 1> x;
  view<double, 1> y;
  template <class L>
  void operator()(L const& lane) const {
    using V = typename L::value;
    V s = lane.load(x);
    for (int k = 0; k < 30; ++k) s = math::sigmoid<V>(s) + math::tanh<V>(s);
    lane.store(y, s);
  }
};

struct outcome {
  std::vector<double> all;
  bool operator==(outcome const&) const = default;
};
outcome run_with(int threads, std::vector<double> const& x) {
  eigen_backend be({.threads = threads});
  CHECK(be.threads() == threads);
  index_t const n = static_cast<index_t>(x.size());
  std::vector<double> launched(x.size()), rows(3000), cols(37), few(3), one(1);
  heavy_map const map{x};
  be.launch(n, heavy_lane{x, launched});
  be.reduce(n, map, detail::sum_fold<>{}, vector(one.data(), 1));
  be.reduce_rows(3000, 7, map, detail::sum_fold<>{}, vector(rows.data(), 3000));
  be.reduce_rows(3, 5000, map, detail::log_sum_exp_fold{}, vector(few.data(), 3));
  be.reduce_cols(3000, 37, map, detail::sum_fold<>{}, vector(cols.data(), 37));
  outcome o{launched};
  for (auto const& part : {rows, cols, few, one}) o.all.insert(o.all.end(), part.begin(), part.end());
  return o;
}

template <class T>
double worst_ulps(eigen_pack<T> (*pack)(eigen_pack<T>), long double (*exact)(long double), std::vector<T> x) {
  constexpr int width = eigen_pack<T>::width;
  while (x.size() % width) x.push_back(T(1));
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); i += width) {
    eigen_pack<T> const y = pack(eigen_pack<T>::load(x.data() + i));
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

TEST_CASE("eigen: 1, 2 and 3 threads give the same bits, twice") {
  random_source random(5);
  auto const x = random.normals<double>(20011);
  outcome const one = run_with(1, x);
  for (int threads : {1, 2, 3}) CHECK(run_with(threads, x) == one);
}

TEST_CASE("eigen: gemm gives the same bits again for a given number of threads, also inside the caller's own team") {
  random_source random(6);
  auto const a = random.normals<float>(301 * 150), b = random.normals<float>(150 * 190);
  for (int threads : {1, 2, 3}) {
    eigen_backend be({.threads = threads});
    std::vector<float> first(301 * 190), second(first.size());
    auto multiply = [&](std::vector<float>& c) {
      be.gemm(transpose::no, transpose::no, 1.0F, matrix(a.data(), 301, 150), matrix(b.data(), 150, 190), 0.0F,
              matrix(c.data(), 301, 190));
    };
    multiply(first);
    be.team().split(0, 2, [&](index_t part) {
      if (part == 1) multiply(second);
    });
    CHECK(first == second);
  }
}

TEST_CASE("eigen: an exception of a block reaches the caller, from a team and from one thread") {
  eigen_backend be({.threads = 3});
  auto throwing = [](index_t b) {
    if (b == 5) throw std::runtime_error("block 5");
  };
  CHECK_THROWS_WITH_AS(be.team().split(0, 9, throwing), "block 5", std::runtime_error);
  CHECK_THROWS_WITH_AS(be.team().for_each(9, throwing), "block 5", std::runtime_error);
  std::vector<int> done(9);
  be.team().split(2, 9, [&](index_t b) { done[static_cast<std::size_t>(b)]++; });
  CHECK(done == std::vector<int>{0, 0, 1, 1, 1, 1, 1, 1, 1});
}

TEST_CASE_TEMPLATE("eigen: pack mathematics within 8 ulp everywhere, exact at the limits", T, float, double) {
  using P = eigen_pack<T>;
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
  CHECK(worst_ulps<T>(lane_math<P>::exp, std::exp, any) < 8);
  CHECK(worst_ulps<T>(lane_math<P>::expm1, std::expm1, any) < 8);
  CHECK(worst_ulps<T>(lane_math<P>::tanh, std::tanh, any) < 8);
  CHECK(worst_ulps<T>(lane_math<P>::abs, std::abs, any) == 0);
  CHECK(worst_ulps<T>(lane_math<P>::log, std::log, positive) < 8);
  CHECK(worst_ulps<T>(lane_math<P>::sqrt, std::sqrt, positive) < 1);
  CHECK(worst_ulps<T>(lane_math<P>::log1p, std::log1p, above_minus_one) < 8);
  CHECK(lane_math<P>::expm1(P(-inf))[0] == T(-1));
  CHECK(math::sigmoid<P>(P(-inf))[0] == T(0));
  CHECK(math::softplus<P>(P(inf))[0] == inf);
  CHECK(std::signbit(P(T(-0.0))[0]));
  CHECK(lane_math<P>::any(lane_math<P>::is_nan(P(limits::quiet_NaN()))));
  CHECK_FALSE(lane_math<P>::any(lane_math<P>::is_nan(P(inf))));
}

TEST_CASE("eigen: matrices, maps, blocks and vectors become views of the same memory") {
  using row_major = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  row_major m = row_major::Random(5, 4);
  view<double, 2> const whole = as_view(m);
  CHECK(whole.data() == m.data());
  CHECK(whole.cols() == 4);
  row_major const& fixed = m;
  static_assert(std::is_same_v<decltype(as_view(fixed)), view<double const, 2>>);
  auto const inside = as_view(m.block(1, 2, 3, 2));
  CHECK(inside.rows() == 3);
  CHECK(inside.ld() == 4);
  CHECK(&inside(2, 1) == &m(3, 3));
  CHECK(as_view(m.row(2)).data() == &m(2, 0));
  static_assert(vector_like<decltype(m.row(2))>);

  Eigen::VectorXf v(3);
  Eigen::RowVectorXf r(4);
  Eigen::ArrayXd a(5);
  CHECK(view<float, 1>(v).size() == 3);
  CHECK(view<float const, 1>(r).size() == 4);
  CHECK(view<double, 1>(a).size() == 5);
  CHECK(as_view(v.segment(1, 2)).data() == &v(1));
  Eigen::MatrixXd column_major(3, 2);
  CHECK(as_view(column_major.col(1)).data() == &column_major(0, 1));
  auto transposed = column_major.transpose();
  CHECK(as_view(transposed).rows() == 2);
  CHECK(as_view(transposed).ld() == 3);

  std::vector<float> memory(20);
  Eigen::Map<Eigen::Matrix<float, -1, -1, Eigen::RowMajor>, 0, Eigen::OuterStride<>> map(memory.data(), 3, 4,
                                                                                         Eigen::OuterStride<>(6));
  CHECK(as_view(map).ld() == 6);
  Eigen::Map<Eigen::VectorXf const> read_only(memory.data(), 20);
  static_assert(std::is_same_v<decltype(as_view(read_only)), view<float const, 1>>);
  static_assert(!std::is_convertible_v<decltype(read_only)&, view<float, 1>>);
}

}  // namespace causaldpo::test
