// SPDX-License-Identifier: Apache-2.0
// The concepts: what models them, what just misses, and that every operation runs on a backend which offers no more
// than the concept lists, with the results of the reference backend.
#include <doctest/doctest.h>

#include <list>

#include "causaldpo/backends/reference.hpp"
#include "support/archetype_backend.hpp"
#include "support/compare.hpp"
#include "support/operation_calls.hpp"
#include "support/queued_backend.hpp"

TYPE_TO_STRING_AS("archetype", causaldpo::test::archetype_backend);
TYPE_TO_STRING_AS("queued", causaldpo::test::queued_backend);

namespace causaldpo::test {
namespace {

// Backends that lack one piece each. A type that hides a member of its base with one that cannot be called lacks it.
static_assert(backend<archetype_backend> && backend<reference_backend>);
struct without_name : archetype_backend {
  int name;
};
struct without_space : archetype_backend {
  using space = int;
};
struct without_allocate : archetype_backend {
  void allocate();
};
struct without_counters : archetype_backend {
  int allocations;
};
struct without_peak : archetype_backend {
  int reset_scratch_peak;
};
struct without_copy : archetype_backend {
  void copy();
};
struct without_launch : archetype_backend {
  void launch();
};
struct without_launch_2d : archetype_backend {
  void launch_2d();
};
struct without_reduce : archetype_backend {
  void reduce();
};
struct without_reduce_rows : archetype_backend {
  void reduce_rows();
};
struct without_reduce_cols : archetype_backend {
  void reduce_cols();
};
struct without_gemm : archetype_backend {
  void gemm();
};
struct without_watch : archetype_backend {
  void close_watch();
};
struct without_synchronize : archetype_backend {
  int synchronize;
};
static_assert(!backend<without_name> && !has_identity<without_name> && has_launch<without_name>);
static_assert(!backend<without_space> && !has_identity<without_space>);
static_assert(!backend<without_allocate> && !has_scratch<without_allocate> && has_copy<without_allocate>);
static_assert(!backend<without_counters> && !has_scratch<without_counters>);
static_assert(!backend<without_peak> && !has_scratch<without_peak>);
static_assert(!backend<without_copy> && !has_copy<without_copy> && has_gemm<without_copy>);
static_assert(!backend<without_launch> && !has_launch<without_launch> && has_reduce<without_launch>);
static_assert(!backend<without_launch_2d> && !has_launch<without_launch_2d>);
static_assert(!backend<without_reduce> && !has_reduce<without_reduce> && has_launch<without_reduce>);
static_assert(!backend<without_reduce_rows> && !has_reduce<without_reduce_rows>);
static_assert(!backend<without_reduce_cols> && !has_reduce<without_reduce_cols>);
static_assert(!backend<without_gemm> && !has_gemm<without_gemm> && has_watch<without_gemm>);
static_assert(!backend<without_watch> && !has_watch<without_watch>);
static_assert(!backend<without_synchronize> && has_watch<without_synchronize>);
static_assert(!backend<int>);

// A backend whose gemm knows float only, and one whose launch cannot serve lanes.
struct only_float : archetype_backend {
  void gemm(transpose, transpose, float, view<float const, 2, archetype_space>, view<float const, 2, archetype_space>, float,
            view<float, 2, archetype_space>) {}
};
struct only_indices : archetype_backend {
  template <class F>
  requires(!wants_lanes<F>) void launch(index_t, F) {}
};
static_assert(!has_gemm<only_float>);
static_assert(!has_launch<only_indices>);

// Tensors and near misses.
struct own_matrix {
  float* p;
  index_t r, c;
};
static_assert(memory_space<host_space> && memory_space<archetype_space> && !memory_space<int>);
static_assert(real_scalar<float> && real_scalar<double> && !real_scalar<int> && !real_scalar<long double> &&
              !real_scalar<float const>);
static_assert(head_scalar<float> && head_scalar<bfloat16> && head_scalar<float16> && !head_scalar<short> &&
              !real_scalar<float16>);
static_assert(vector_like<std::vector<double>> && vector_like<std::vector<double> const> && vector_like<std::array<float, 3>> &&
              vector_like<std::span<float const>>);
static_assert(!vector_like<std::list<double>> && !vector_like<std::vector<bool>> && !vector_like<double*> && !tensor<own_matrix>);
static_assert(matrix_like<view<float, 2, archetype_space>> && !matrix_like<std::vector<std::vector<double>>>);
// const is added, never removed; a space is never changed; a temporary is taken as any other (results are given so).
static_assert(std::is_convertible_v<std::vector<float>&, view<float const, 1>> &&
              std::is_convertible_v<std::vector<float>&, view<float, 1>>);
static_assert(!std::is_convertible_v<std::vector<float> const&, view<float, 1>> &&
              !std::is_convertible_v<std::vector<float>&, view<double, 1>>);
static_assert(!std::is_convertible_v<view<float const, 1>, view<float, 1>> &&
              !std::is_convertible_v<view<float, 1>, view<float, 2>>);
static_assert(!std::is_convertible_v<view<float, 1, archetype_space>, view<float, 1>> &&
              !std::is_convertible_v<std::vector<float>&, view<float, 1, archetype_space>>);
static_assert(std::is_convertible_v<std::vector<std::int32_t>&, index_view<>> &&
              !std::is_convertible_v<std::vector<float>&, index_view<>>);
template <class V>
concept readable_on_host = requires(V v) {
  v(0);
};
static_assert(readable_on_host<view<float, 1>> && !readable_on_host<view<float, 1, archetype_space>>);

}  // namespace

TEST_CASE_TEMPLATE("concepts: every operation runs on what the concept lists, at once or queued, as on the reference backend", B,
                   archetype_backend, queued_backend) {
  operation_calls<B, double> const calls;
  operation_calls<reference_backend, double> const reference_calls;
  REQUIRE(calls.table.size() == reference_calls.table.size());
  for (std::size_t i = 0; i < calls.table.size(); ++i) {
    auto const& operation = reference_calls.table[i];
    CAPTURE(operation.name);
    REQUIRE(calls.table[i].name == operation.name);
    B be;
    reference_backend reference;
    call_memory<double, typename B::space> memory;
    call_memory<double> expected;

    calls.table[i].prepare(memory, {})(be);
    operation.prepare(expected, {})(reference);
    be.synchronize();

    CHECK(largest_error(memory.answers(), expected.answers()) < (operation.in_float ? 1e-6 : 1e-12));
  }
}

}  // namespace causaldpo::test
