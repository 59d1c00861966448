// SPDX-License-Identifier: Apache-2.0
// What the Eigen backend adds to others on threads of the host: Eigen's types as tensors.
#include "causaldpo/backends/eigen.hpp"
#include "support/cell.hpp"

namespace causaldpo::test {

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
