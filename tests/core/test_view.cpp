// SPDX-License-Identifier: Apache-2.0
// Views, positions and the adapters of the standard library's types.
#include <doctest/doctest.h>

#include <array>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "causaldpo/concepts/tensor.hpp"
#include "causaldpo/core/indices.hpp"
#include "causaldpo/core/short_list.hpp"

namespace causaldpo::test {

struct far_space {
  static constexpr bool host_accessible = false;
};
template <class V> concept readable_on_host = requires(V v) { v(0); };
template <class V> concept matrix_readable_on_host = requires(V v) { v(0, 0); };

// What converts: const is added, never removed; the space never changes.
static_assert(std::is_convertible_v<view<float, 1>, view<float const, 1>> &&
              !std::is_convertible_v<view<float const, 1>, view<float, 1>>);
static_assert(std::is_convertible_v<view<float, 2>, view<float const, 2>> &&
              !std::is_convertible_v<view<float const, 2>, view<float, 2>>);
static_assert(!std::is_convertible_v<view<float, 1, far_space>, view<float const, 1>> &&
              !std::is_convertible_v<view<float, 1>, view<float, 1, far_space>>);
static_assert(!std::is_convertible_v<view<float, 1>, view<double const, 1>> &&
              !std::is_convertible_v<view<float, 1>, view<float, 2>>);
static_assert(readable_on_host<view<float, 1>> && !readable_on_host<view<float, 1, far_space>>);
static_assert(matrix_readable_on_host<view<float, 2>> && !matrix_readable_on_host<view<float, 2, far_space>>);
static_assert(std::is_trivially_copyable_v<view<double, 2>> && std::is_trivially_copyable_v<index_view<>>);
// What is a tensor.
static_assert(vector_like<std::vector<double> const> && vector_like<std::array<float, 3>> && vector_like<std::span<float const>>);
static_assert(!tensor<std::list<float>> && !tensor<std::vector<bool>> && !tensor<float*> && !tensor<std::string>);
static_assert(std::is_same_v<scalar_of<std::vector<float> const>, float> &&
              std::is_same_v<view_of<std::vector<float> const>, view<float const, 1>>);
static_assert(real_scalar<float> && real_scalar<double> && !real_scalar<int> && !real_scalar<long double>);
static_assert(memory_space<far_space> && !memory_space<int>);

TEST_CASE("view: a matrix with a leading dimension") {
  std::vector<int> memory(12);
  for (int i = 0; i < 12; ++i) memory[static_cast<std::size_t>(i)] = i;
  view<int, 2> const m = matrix(memory.data(), 3, 2, 4);
  CHECK(m.rows() == 3);
  CHECK(m.cols() == 2);
  CHECK(m.ld() == 4);
  CHECK(m(2, 1) == 9);
  CHECK(m.row(1)(1) == 5);
  CHECK(m.row(1).size() == 2);
  view<int, 2> const below = m.row_block(1, 2);
  CHECK(below.rows() == 2);
  CHECK(below(1, 0) == 8);
  view<int, 2> const right = m.col_block(1, 1);
  CHECK(right.cols() == 1);
  CHECK(right(2, 0) == 9);
  CHECK(right.ld() == 4);
  m(0, 0) = 70;
  CHECK(memory[0] == 70);
  CHECK(matrix(memory.data(), 3, 4)(2, 1) == 9);
}

TEST_CASE("view: given and left out") {
  view<float, 1> v;
  view<float, 2> m;
  CHECK_FALSE(v.given());
  CHECK_FALSE(m.given());
  CHECK(v.size() == 0);
  CHECK(m.rows() == 0);
  float x = 3;
  view<float, 1> const s = scalar(&x);
  CHECK(s.given());
  CHECK(s.size() == 1);
  s(0) = 4;
  CHECK(x == 4.0F);
  float numbers[5] = {0, 1, 2, 3, 4};
  CHECK(vector(numbers, 5).part(2, 3)(1) == 3.0F);
}

TEST_CASE("adapt: vectors, arrays and spans are viewed, not copied") {
  std::vector<double> v{1, 2};
  std::array<double, 2> a{3, 4};
  std::span<double> const s(v);
  view<double, 1> from_vector = v, from_array = a, from_span = s;
  CHECK(from_vector.data() == v.data());
  CHECK(from_array.data() == a.data());
  CHECK(from_span.data() == v.data());
  std::vector<double> const& c = v;
  view<double const, 1> from_const = c;
  CHECK(from_const.data() == v.data());
  CHECK(as_view(c).size() == 2);
  CHECK(as_view(from_array).data() == a.data());
}

TEST_CASE("index_view: both widths, parts, left out") {
  std::vector<std::int32_t> const narrow{1, -1, 7};
  std::vector<std::int64_t> const wide{std::int64_t{1} << 40, 2};
  index_view<> a = narrow, b = wide, none;
  CHECK(a.size() == 3);
  CHECK(a.at(1) == -1);
  CHECK(a.part(2, 1).at(0) == 7);
  CHECK(b.at(0) == std::int64_t{1} << 40);
  CHECK(b.part(1, 1).at(0) == 2);
  CHECK(a.given());
  CHECK(b.given());
  CHECK_FALSE(none.given());
  CHECK(none.size() == 0);
}

TEST_CASE("short_list: order, equality of length and content, too long") {
  short_list<double, 3> list{1, 2};
  list.push_back(4);
  double sum = 0;
  for (double x : list) sum = 10 * sum + x;
  CHECK(sum == 124);
  CHECK(list.size() == 3);
  CHECK(list[1] == 2);
  CHECK(short_list<double>{}.empty());
  CHECK_THROWS_WITH_AS(list.push_back(5), doctest::Contains("more than the 3 elements"), option_error);
  CHECK_THROWS_AS((list = {1, 2, 3, 4}), option_error);
}

}  // namespace causaldpo::test
