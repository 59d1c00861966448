// SPDX-License-Identifier: Apache-2.0
// The watch for NaN: the smallest position wins from any thread, nesting, messages; and the hierarchy of exceptions.
#include <doctest/doctest.h>

#include <limits>
#include <thread>
#include <type_traits>
#include <vector>

#include "causaldpo/core/adapt.hpp"
#include "causaldpo/core/error.hpp"
#include "causaldpo/core/lane.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/host_memory.hpp"

namespace causaldpo::test {

using guard = detail::nan_guard<detail::host_memory>;

TEST_CASE("errors: one base, and the native code of a backend") {
  static_assert(std::is_base_of_v<std::runtime_error, error>);
  static_assert(std::is_base_of_v<error, shape_error> && std::is_base_of_v<error, option_error> &&
                std::is_base_of_v<error, value_error>);
  CHECK_THROWS_AS(throw backend_error("no memory", 2), error);
  CHECK(backend_error("no memory", 2).code == 2);
}

TEST_CASE("nan_guard: nothing noted, nothing thrown") {
  detail::host_memory memory;
  guard g(memory, "op", {"x"});
  CHECK(g.watch().checked(3.0, 0, 5) == 3.0);
  CHECK(g.watch().checked(std::numeric_limits<float>::infinity(), 0, 6) == std::numeric_limits<float>::infinity());
  g.finish();
}

TEST_CASE("nan_guard: the first slot and the smallest position are reported") {
  detail::host_memory memory;
  guard g(memory, "op", {"x", "y", "z|is too large"});
  double const nan = std::numeric_limits<double>::quiet_NaN();
  g.watch().checked(nan, 1, 9);
  g.watch().checked(nan, 1, 4);
  g.watch().checked(nan, 1, 7);
  g.watch().note(2, 0);
  CHECK_THROWS_WITH_AS(g.finish(), "op: y holds a NaN at flat position 4 (row-major) and must hold numbers where it is used",
                       value_error);
  guard again(memory, "op", {"x", "y", "z|is too large"});  // opened clear
  again.watch().note(2, 3);
  CHECK_THROWS_WITH_AS(again.finish(), "op: z at flat position 3 (row-major) is too large", value_error);
}

TEST_CASE("nan_watch: many threads agree on the smallest") {
  detail::host_memory memory;
  guard g(memory, "op", {"x"});
  std::vector<std::thread> team;
  for (int t = 0; t < 4; ++t)
    team.emplace_back([w = g.watch(), t] {
      for (index_t i = 2000; i-- > 0;) w.note(0, 10 + 4 * i + t);
    });
  for (std::thread& t : team) t.join();
  CHECK_THROWS_WITH_AS(g.finish(), doctest::Contains("position 10 "), value_error);
}

TEST_CASE("nan_guard: nested calls are apart, and an exception closes what it leaves") {
  detail::host_memory memory;
  guard outer(memory, "outer", {"a"});
  outer.watch().note(0, 1);
  for (int i = 0; i < 20; ++i) {
    try {
      guard inner(memory, "inner", {"b"});
      throw 1;
    } catch (int) {
    }
  }
  guard inner(memory, "inner", {"b"});
  inner.finish();
  CHECK_THROWS_WITH_AS(outer.finish(), doctest::Contains("outer: a"), value_error);
}

TEST_CASE("scalar_lane: loads, stores, masks and notes one position") {
  detail::host_memory memory;
  guard g(memory, "op", {"x"});
  std::vector<float> v{1, 2, 3, 4, 5, 6};
  std::vector<std::uint8_t> flags{0, 1, 2, 0, 0, 0};
  view<float, 2> const m = matrix(v.data(), 3, 2);
  scalar_lane<float> const lane(1);
  CHECK(lane.load(vector(v.data(), 6)) == 2.0F);
  CHECK(lane.load_column(m, 1) == 4.0F);
  CHECK(lane.load_row(m, 2) == 6.0F);
  CHECK(lane.load_column_if(false, m, 1, 9.0F) == 9.0F);
  CHECK(lane.load_column_if(true, m, 1, 9.0F) == 4.0F);
  CHECK(lane.flags_column(view<std::uint8_t const, 2>(flags.data(), 3, 2), 0));
  CHECK_FALSE(lane.flags_column(view<std::uint8_t const, 2>(flags.data(), 3, 2), 1));
  lane.store(vector(v.data(), 6), 20.0F);
  lane.store_column(m, 0, 30.0F);
  lane.store_row(m, 2, 60.0F);
  CHECK(v == std::vector<float>{1, 20, 30, 4, 5, 60});
  lane.note(g.watch(), 0, false);
  lane.note(g.watch(), 0, true, 2, 5);
  CHECK_THROWS_WITH_AS(g.finish(), doctest::Contains("position 7 "), value_error);
}

TEST_CASE("checks of the front doors: what was, what must be, why") {
  std::vector<float> v(3);
  view<float, 1> const x = v, none;
  CHECK_THROWS_WITH_AS(detail::expect_size("op", "x", x, 4, "why"), "op: x is [3] and must be [4] (why)", shape_error);
  CHECK_THROWS_WITH_AS(detail::expect_size("op", "x", none, 4, "why"), "op: x is left out and must be [4] (why)", shape_error);
  detail::expect_size_if_given("op", "x", none, 4, "why");
  detail::expect_size("op", "x", x, 3, "why");
  CHECK_THROWS_WITH_AS(detail::expect_shape("op", "m", matrix(v.data(), 3, 1), 1, 3, "why"),
                       "op: m is [3, 1] and must be [1, 3] (why)", shape_error);
  CHECK_THROWS_WITH_AS(detail::expect_shape("op", "m", view<float, 2>{}, 1, 3, "why"),
                       "op: m is left out and must be [1, 3] (why)", shape_error);
  CHECK_THROWS_WITH_AS(detail::expect_shape("op", "m", matrix(v.data(), 2, 2, 1), 2, 2, "why"),
                       "op: m has leading dimension 1 and must have at least its 2 columns", shape_error);
  detail::expect_shape_if_given("op", "m", view<float, 2>{}, 1, 3, "why");
  CHECK_THROWS_WITH_AS(detail::expect_option("op", "beta", false, -1.5, "> 0"), "op: beta is -1.5 and must be > 0", option_error);
  CHECK(detail::is_finite(1e308));
  CHECK_FALSE(detail::is_finite(std::numeric_limits<double>::infinity()));
  CHECK_FALSE(detail::is_finite(std::numeric_limits<double>::quiet_NaN()));
}

}  // namespace causaldpo::test
