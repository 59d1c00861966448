// SPDX-License-Identifier: Apache-2.0
// soft_assignment: a case worked by hand, finite differences, edges, identities, agreement with the reference, errors.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/environment/soft_assignment.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("soft_assignment: two centres on a line by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{1, 0}, centers{0, 3}, upstream{1, 0, 1, 0}, q(4), gx(2), gc(2);

  soft_assignment(be, matrix(x.data(), 2, 1), matrix(centers.data(), 2, 1),
                  {.q = matrix(q.data(), 2, 2), .grad_x = matrix(gx.data(), 2, 1), .grad_centers = matrix(gc.data(), 2, 1)}, {},
                  matrix(upstream.data(), 2, 2));

  // Row 0 has distances 1 and 2: q = s(1), slope of q_0 by either distance is -/+ s(1) s(-1), both distances move with x.
  // Row 1 sits on centre 0: distances 0 and 3, and the first has derivative 0.
  double const s1 = 1 / (1 + std::exp(-1.0)), s3 = 1 / (1 + std::exp(-3.0)), g1 = s1 * (1 - s1), g3 = s3 * (1 - s3);
  CHECK(relative_error(q, std::vector<double>{s1, 1 - s1, s3, 1 - s3}) < tolerance<T>());
  CHECK(relative_error(gx, std::vector<double>{-2 * g1, -g3}) < tolerance<T>());
  CHECK(relative_error(gc, std::vector<double>{g1, g1 + g3}) < tolerance<T>());
}

TEST_CASE_TEMPLATE("soft_assignment: gradients agree with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    for (distance_metric metric : {distance_metric::euclidean, distance_metric::sqeuclidean})
      for (index_t n : {1, 31, 67})
        for (index_t k : {1, 5}) {
          index_t const d = n == 31 ? 17 : 3;
          random_source random(static_cast<std::uint64_t>(n * 10 + k));
          auto x = random.normals<double>(n * d), c = random.normals<double>(k * d), up = random.normals<double>(n * k);
          std::vector<double> q(up.size()), gx(x.size()), gc(c.size());
          auto const run = [&](soft_assignment_results<double, typename Cell::backend::space> results) {
            soft_assignment(be, matrix(x.data(), n, d), matrix(c.data(), k, d), results, {.metric = metric, .temperature = 0.7},
                            matrix(up.data(), n, k));
          };
          auto value = [&] {
            run({.q = matrix(q.data(), n, k)});
            double v = 0;
            for (std::size_t i = 0; i < q.size(); ++i) v += q[i] * up[i];
            return v;
          };
          run({.grad_x = matrix(gx.data(), n, d), .grad_centers = matrix(gc.data(), k, d)});
          CHECK(finite_difference_error(x, gx, value) < 1e-7);
          CHECK(finite_difference_error(c, gc, value) < 1e-7);
        }
  }
}

TEST_CASE_TEMPLATE("soft_assignment: agrees with the reference on padded rows, repeats its bits and allocates once", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  index_t const n = 1031, d = 19, k = 7, pad = 3;
  random_source random(5);
  auto const x = random.normals<T>(n * (d + pad), 1, 100), c = random.normals<T>(k * (d + pad), 1, 100),
             up = random.normals<T>(n * (k + pad));
  auto const x_before = x, c_before = c, up_before = up;
  std::vector<T> q(up.size(), T(-7)), gx(x.size(), T(-7)), gc(c.size(), T(-7)), q2(up.size(), T(-7)), gx2(x.size(), T(-7)),
      gc2(c.size(), T(-7));
  auto const run = [&](auto& backend, std::vector<T>& a, std::vector<T>& b, std::vector<T>& e) {
    soft_assignment(backend, matrix(x.data(), n, d, d + pad), matrix(c.data(), k, d, d + pad),
                    {.q = matrix(a.data(), n, k, k + pad),
                     .grad_x = matrix(b.data(), n, d, d + pad),
                     .grad_centers = matrix(e.data(), k, d, d + pad)},
                    {.temperature = 2}, matrix(up.data(), n, k, k + pad));
  };

  run(be, q, gx, gc);
  run(reference, q2, gx2, gc2);
  CHECK(relative_error(q, q2) < tolerance<T>(k));
  CHECK(relative_error(gx, gx2) < tolerance<T>(k));
  CHECK(relative_error(gc, gc2) < tolerance<T>(n));
  CHECK((q[static_cast<std::size_t>(k)] == T(-7) && gx[static_cast<std::size_t>(d)] == T(-7) &&
         gc[static_cast<std::size_t>(d)] == T(-7)));
  CHECK((x == x_before && c == c_before && up == up_before));

  std::size_t const before = be.allocations();
  auto const first_q = q, first_gx = gx, first_gc = gc;
  run(be, q, gx, gc);
  CHECK(be.allocations() == before);
  CHECK((q == first_q && gx == first_gx && gc == first_gc));
}

TEST_CASE_TEMPLATE("soft_assignment: far rows, far centres, no rows, no centres", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = math::infinity<T>(), nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> x{T(1e15), 0, inf}, c{T(1e15), T(-1e15)}, up{1, nan, 0, 1, 1, 0}, q(6), gx(3), gc(2);
  soft_assignment(be, matrix(x.data(), 3, 1), matrix(c.data(), 2, 1),
                  {.q = matrix(q.data(), 3, 2), .grad_x = matrix(gx.data(), 3, 1), .grad_centers = matrix(gc.data(), 2, 1)},
                  {.metric = distance_metric::sqeuclidean}, matrix(up.data(), 3, 2));
  CHECK(q[0] == T(1));  // and the upstream of the impossible one is not read
  CHECK(q[1] == T(0));
  CHECK((q[2] == T(0.5) && q[3] == T(0.5) && q[4] == T(0.5) && q[5] == T(0.5)));
  CHECK((gx[0] == T(0) && gx[2] == T(0)));

  std::vector<T> none, gc0{9, 9};
  soft_assignment(be, matrix(none.data(), 0, 1), matrix(c.data(), 2, 1), {.grad_centers = matrix(gc0.data(), 2, 1)}, {},
                  matrix(none.data(), 0, 2));
  CHECK(gc0 == std::vector<T>{0, 0});
  std::vector<T> gx0{9};
  soft_assignment(be, matrix(x.data(), 1, 1), matrix(none.data(), 0, 1), {.grad_x = matrix(gx0.data(), 1, 1)}, {},
                  matrix(none.data(), 1, 0));
  CHECK(gx0[0] == T(0));
}

TEST_CASE_TEMPLATE("soft_assignment: rows may be split and shuffled; shifting everything changes nothing", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  random_source random(11);
  auto x = random.normals<T>(20), c = random.normals<T>(6);
  std::vector<T> q(30), part(30);
  soft_assignment(be, matrix(x.data(), 10, 2), matrix(c.data(), 3, 2), {.q = matrix(q.data(), 10, 3)});
  soft_assignment(be, matrix(x.data(), 4, 2), matrix(c.data(), 3, 2), {.q = matrix(part.data(), 4, 3)});
  soft_assignment(be, matrix(x.data() + 8, 6, 2), matrix(c.data(), 3, 2), {.q = matrix(part.data() + 12, 6, 3)});
  CHECK(part == q);
  for (T& v : x) v += T(64);
  for (T& v : c) v += T(64);
  soft_assignment(be, matrix(x.data(), 10, 2), matrix(c.data(), 3, 2), {.q = matrix(part.data(), 10, 3)});
  CHECK(relative_error(part, q) < (std::is_same_v<T, float> ? 1e-4 : 1e-13));
}

TEST_CASE_TEMPLATE("soft_assignment: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> x{1, 2, 3, 4}, c{1, 2}, q(2), gx(4);
  auto const xs = matrix(x.data(), 2, 2), cs = matrix(c.data(), 1, 2);
  CHECK_THROWS_WITH_AS(soft_assignment(be, xs, matrix(c.data(), 2, 1), {.q = matrix(q.data(), 2, 1)}),
                       "soft_assignment: centers is [2, 1] and must be [2, 2] (as many columns as x)", shape_error);
  CHECK_THROWS_WITH_AS(soft_assignment(be, xs, cs, {.grad_x = matrix(gx.data(), 2, 2)}),
                       doctest::Contains("upstream is left out and must be [2, 1]"), shape_error);
  CHECK_THROWS_WITH_AS(soft_assignment(be, xs, cs, {.q = matrix(q.data(), 2, 1)}, {.temperature = 0}),
                       "soft_assignment: temperature is 0 and must be finite and > 0", option_error);
  x[3] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(soft_assignment(be, xs, cs, {.q = matrix(q.data(), 2, 1)}),
                       doctest::Contains("x holds a NaN at flat position 3"), value_error);
  x[3] = 4;
  c[1] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH_AS(soft_assignment(be, xs, cs, {.q = matrix(q.data(), 2, 1)}),
                       doctest::Contains("centers holds a NaN at flat position 1"), value_error);
}

}  // namespace causaldpo::test
