// SPDX-License-Identifier: Apache-2.0
// What the xtensor backend adds to others on threads of the host: xtensor's types as tensors, and OpenBLAS left as it was.
#include <numeric>
#include <thread>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "causaldpo/backends/xtensor.hpp"
#include "causaldpo/invariance/vrex_penalty.hpp"
#include "support/cell.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

xt::xtensor<double, 2> counted(std::size_t rows, std::size_t cols) {
  xt::xtensor<double, 2> m({rows, cols});
  std::iota(m.begin(), m.end(), 0.0);
  return m;
}
/// What is said of an object when it is asked for as a view of rank R.
template <int R, class X>
std::string refusal(X&& x) {
  try {
    [[maybe_unused]] view<double const, R> const v = x;
    return "was taken";
  } catch (shape_error const& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("xtensor: tensors, arrays, adapted memory and fixed tensors become views of the same memory") {
  xt::xtensor<double, 2> m = counted(5, 4);
  view<double, 2> const whole = as_view(m);
  CHECK(whole.data() == m.data());
  CHECK(whole.rows() == 5);
  CHECK(whole.cols() == 4);
  CHECK(whole.ld() == 4);
  xt::xtensor<double, 2> const& fixed = m;
  static_assert(std::is_same_v<decltype(as_view(fixed)), view<double const, 2>>);
  static_assert(!std::is_convertible_v<decltype(fixed), view<double, 2>>);
  static_assert(matrix_like<decltype(m)> && !vector_like<decltype(m)>);

  xt::xtensor<float, 1> v = xt::zeros<float>({3});
  CHECK(view<float const, 1>(v).size() == 3);
  CHECK(as_view(v).data() == v.data());
  xt::xtensor<float, 1, xt::layout_type::column_major> either = xt::zeros<float>({3});
  CHECK(as_view(either).size() == 3);
  static_assert(vector_like<decltype(v)> && !matrix_like<decltype(v)>);

  std::vector<float> memory(20);
  auto mapped = xt::adapt(memory, std::array<std::size_t, 2>{4, 5});
  CHECK(as_view(mapped).data() == memory.data());
  CHECK(as_view(mapped).ld() == 5);
  auto read_only = xt::adapt(static_cast<float const*>(memory.data()), 20, xt::no_ownership(), std::array<std::size_t, 1>{20});
  static_assert(std::is_same_v<decltype(as_view(read_only)), view<float const, 1>>);

  xt::xtensor_fixed<double, xt::xshape<3, 2>> small;
  CHECK(as_view(small).data() == small.data());
  CHECK(as_view(small).rows() == 3);
  static_assert(matrix_like<decltype(small)>);

  xt::xtensor<std::int64_t, 1> positions = {4, 2};
  CHECK(index_view<>(positions).at(1) == 2);
}

TEST_CASE("xtensor: blocks are views with padded rows, also of one row or one column") {
  xt::xtensor<double, 2> m = counted(5, 4);
  auto block = xt::view(m, xt::range(1, 4), xt::range(2, 4));
  auto const inside = as_view(block);
  static_assert(std::is_same_v<decltype(inside), view<double, 2> const>);
  CHECK(inside.rows() == 3);
  CHECK(inside.cols() == 2);
  CHECK(inside.ld() == 4);
  CHECK(&inside(2, 1) == &m(3, 3));
  auto rows = xt::view(m, xt::range(2, 5));
  CHECK(&as_view(rows)(0, 3) == &m(2, 3));
  auto row = xt::view(m, 2);
  static_assert(std::is_same_v<decltype(as_view(row)), view<double, 1>>);
  CHECK(as_view(row).data() == &m(2, 0));
  auto part = xt::view(m, 2, xt::range(1, 3));
  CHECK(as_view(part).data() == &m(2, 1));
  CHECK(as_view(part).size() == 2);

  auto column = xt::view(m, xt::all(), xt::range(1, 2));
  CHECK(as_view(column).cols() == 1);
  CHECK(&as_view(column)(3, 0) == &m(3, 1));
  auto line = xt::view(m, xt::range(3, 4), xt::range(1, 3));
  CHECK(as_view(line).rows() == 1);
  CHECK(&as_view(line)(0, 1) == &m(3, 2));
  auto every_second = xt::view(m, xt::range(0, 5, 2), xt::range(1, 4));
  CHECK(as_view(every_second).ld() == 8);
  CHECK(&as_view(every_second)(2, 0) == &m(4, 1));

  xt::xtensor<double, 2> narrow({7, 1}), empty({0, 3});
  CHECK(as_view(narrow).ld() == 1);
  CHECK(as_view(narrow).rows() == 7);
  CHECK(as_view(empty).rows() == 0);
  CHECK(as_view(empty).cols() == 3);

  xt::xtensor<double, 2> const& fixed = m;
  auto read_only = xt::view(fixed, xt::range(1, 3), xt::range(0, 2));
  static_assert(std::is_same_v<decltype(as_view(read_only)), view<double const, 2>>);
}

TEST_CASE("xtensor: an xarray is the vector or the matrix that is asked for") {
  xt::xarray<double> m = counted(3, 4), v = xt::xtensor<double, 1>({1, 2, 3});
  static_assert(matrix_like<decltype(m)> && vector_like<decltype(m)>);
  static_assert(std::is_same_v<scalar_of<decltype(m)>, double>);
  view<double, 2> const matrix_of_m = m;
  CHECK(matrix_of_m.data() == m.data());
  CHECK(matrix_of_m.ld() == 4);
  view<double const, 1> const vector_of_v = v;
  CHECK(vector_of_v.size() == 3);
  xt::xarray<double> const& fixed = m;
  static_assert(std::is_convertible_v<decltype(fixed), view<double const, 2>>);
  static_assert(!std::is_convertible_v<decltype(fixed), view<double, 2>>);
  static_assert(!std::is_convertible_v<decltype(m)&, view<float, 2>>);
  xt::xarray<std::int32_t> positions = xt::xtensor<std::int32_t, 1>({5, 6});
  CHECK(index_view<>(positions).at(1) == 6);
  auto row = xt::row(m, 1);
  CHECK(view<double, 1>(row).data() == &m(1, 0));
  m.reshape({2, 6});
  CHECK(view<double, 2>(m).ld() == 6);

  CHECK(refusal<1>(m) ==
        "an xtensor object has 2 dimensions and must have 1 to be a vector (a row: xt::view(m, i)); causaldpo never copies");
  CHECK(refusal<2>(v).find("has 1 dimensions and must have 2 to be a matrix") != std::string::npos);
  xt::xarray<double> cube = xt::zeros<double>({2, 3, 4});
  CHECK(refusal<2>(cube).find("has 3 dimensions and must have 2") != std::string::npos);
}

TEST_CASE("xtensor: what only the object knows is refused by its strides") {
  xt::xtensor<double, 2> m = counted(5, 4);
  auto column = xt::view(m, xt::all(), 1);
  CHECK(refusal<1>(column).find("a vector whose elements lie 4 apart and must have neighbouring elements") != std::string::npos);
  auto stepped = xt::view(m, xt::all(), xt::range(0, 4, 2));
  CHECK(refusal<2>(stepped).find("a matrix in whose rows the elements lie 2 apart and must be row-major") != std::string::npos);
  auto transposed = xt::transpose(m);
  CHECK(refusal<2>(transposed).find("in whose rows the elements lie 4 apart") != std::string::npos);
  auto reversed = xt::flip(m, 0);
  CHECK(refusal<2>(reversed).find("4 columns whose rows lie -4 apart and must have rows in ascending order") !=
        std::string::npos);
  xt::xarray<double, xt::layout_type::dynamic> by_columns(std::vector<std::size_t>{3, 2}, xt::layout_type::column_major);
  CHECK(refusal<2>(by_columns).find("in whose rows the elements lie 3 apart") != std::string::npos);
  xt::xarray<double, xt::layout_type::dynamic> by_rows(std::vector<std::size_t>{3, 2}, xt::layout_type::row_major);
  CHECK(refusal<2>(by_rows) == "was taken");
}

TEST_CASE("xtensor: an operation takes tensors, arrays and blocks, and writes into them") {
  xtensor_backend be({.threads = 2});
  xt::xtensor<double, 1> losses = {1, 3, 5, 7};
  xt::xarray<double> q = xt::xtensor<double, 2>({{1, 0}, {1, 0}, {0, 1}, {0, 1}}), any_losses = losses;
  xt::xtensor<double, 2> padded = xt::zeros<double>({4, 5});
  xt::xtensor<double, 1> value = xt::zeros<double>({1}), grad = xt::zeros<double>({4});
  vrex_penalty(be, losses, q, {.value = value, .grad_losses = grad, .grad_q = xt::view(padded, xt::all(), xt::range(1, 3))});
  CHECK(value(0) == 4.0);
  CHECK(grad(0) == -grad(3));
  CHECK(padded(0, 0) == 0.0);
  CHECK(padded(0, 1) != 0.0);
  double again = 0;
  vrex_penalty(be, any_losses, q, {.value = scalar(&again)});
  CHECK(again == 4.0);
  CHECK_THROWS_AS(vrex_penalty(be, q, q, {.value = scalar(&again)}), shape_error);
}

TEST_CASE("xtensor: OpenBLAS keeps its number of threads, and the bits do not depend on it") {
  int const before = openblas_get_num_threads();
  random_source random(8);
  auto const a = random.normals<double>(200 * 300), b = random.normals<double>(300 * 150);
  auto const product = [&](int threads) {
    xtensor_backend be({.threads = threads});
    std::vector<double> c(200 * 150);
    be.gemm(transpose::no, transpose::no, 1.0, matrix(a.data(), 200, 300), matrix(b.data(), 300, 150), 0.0,
            matrix(c.data(), 200, 150));
    return c;
  };
  for (int of_blas : {3, 1, 2}) {
    openblas_set_num_threads(of_blas);
    int const set = openblas_get_num_threads();
    static auto const first = product(2);
    CHECK(product(2) == first);
    CHECK(openblas_get_num_threads() == set);
    {
      detail::blas_on_one_thread const outer, inner;
      CHECK(openblas_get_num_threads() == 1);
    }
    CHECK(openblas_get_num_threads() == set);
    std::vector<double> other;  // two backends at the same time: neither puts the number back under the other's hands
    std::thread neighbour([&] {
      for (int i = 0; i < 20; ++i) other = product(1);
    });
    for (int i = 0; i < 20; ++i) CHECK(product(2) == first);
    neighbour.join();
    CHECK(other == product(1));
    CHECK(openblas_get_num_threads() == set);
  }
  openblas_set_num_threads(before);
}

TEST_CASE("xtensor: an extent that BLAS cannot count is refused before anything is read") {
  xtensor_backend be;
  double one = 1;
  CHECK_THROWS_WITH_AS(be.gemm(transpose::no, transpose::no, 1.0, view<double const, 2>(&one, 1, index_t{3} << 30),
                               view<double const, 2>(&one, index_t{3} << 30, 1), 0.0, view<double, 2>(&one, 1, 1)),
                       "gemm: an extent is 3221225472 and must be at most 2147483647 for this BLAS", shape_error);
}

}  // namespace causaldpo::test
