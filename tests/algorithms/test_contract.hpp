// SPDX-License-Identifier: Apache-2.0
// What holds for every operation whatever it computes: inputs stay as they are, padded views give what dense ones give
// and their padding stays, empty extents are answered or refused before anything is written, the same call gives the
// same bits and allocates nothing the second time, and scratch keeps to the bound that the operation's page documents.
#pragma once

#include "causaldpo/core/error.hpp"
#include "support/compare.hpp"
#include "support/operation_calls.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("contract: the same bits twice, nothing allocated the second time, inputs as they were", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  for (auto const& operation : operation_calls<B, T>().table) {
    CAPTURE(operation.name);
    B be, another;
    call_memory<T, typename B::space> memory;
    auto const call = operation.prepare(memory, {});

    call(be);
    be.synchronize();
    auto const first = memory.answers();
    CHECK(memory.unwritten() == 0);
    auto const allocations = be.allocations();
    memory.forget();
    call(be);
    be.synchronize();

    CHECK(memory.answers() == first);
    CHECK(be.allocations() == allocations);
    memory.forget();
    call(another);
    another.synchronize();
    CHECK(memory.answers() == first);
    CHECK_FALSE(memory.inputs_changed());
  }
}

TEST_CASE_TEMPLATE("contract: padded views give what dense ones give, and keep their padding", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  for (auto const& operation : operation_calls<B, T>().table) {
    CAPTURE(operation.name);
    B be;
    call_memory<T, typename B::space> dense(0), padded(3);

    operation.prepare(dense, {})(be);
    operation.prepare(padded, {})(be);
    be.synchronize();

    CHECK(largest_error(padded.answers(), dense.answers()) <= (operation.in_float ? tolerance<float>() : tolerance<T>()));
    CHECK_FALSE(padded.padding_changed());
    CHECK_FALSE(padded.inputs_changed());
  }
}

TEST_CASE_TEMPLATE("contract: empty extents are answered, or refused before anything is written", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  call_sizes const empty[] = {{.b = 0}, {.j = 0}, {.k = 0}, {.d = 0}, {.v = 0}};
  for (auto const& operation : operation_calls<B, T>().table)
    for (call_sizes const& sizes : empty) {
      CAPTURE(operation.name);
      CAPTURE(sizes.b);
      CAPTURE(sizes.j);
      CAPTURE(sizes.k);
      CAPTURE(sizes.d);
      CAPTURE(sizes.v);
      B be;
      call_memory<T, typename B::space> memory(2);
      auto const call = operation.prepare(memory, sizes);
      bool answered = true;
      auto const refused = [&](error const& e) {
        std::string const why = e.what();
        CAPTURE(why);
        CHECK((sizes.b > 0 || operation.needs_examples));  // no examples is a case like any other
        answered = false;
      };
      try {
        call(be);
        be.synchronize();
      } catch (shape_error const& e) {
        refused(e);
      } catch (option_error const& e) {
        refused(e);
      }

      if (answered)
        CHECK(memory.unwritten() == 0);
      else
        CHECK(memory.untouched());
      CHECK_FALSE(memory.padding_changed());
      CHECK_FALSE(memory.inputs_changed());
    }
}

TEST_CASE_TEMPLATE("contract: scratch keeps to what the operation's page says", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  call_sizes const sizes{.b = 500, .j = 5, .k = 3, .d = 6, .v = 40};
  double const rounding = 16 * 64;  // blocks are whole cache lines
  for (auto const& operation : operation_calls<B, T>().table) {
    if (!operation.scratch_bound) continue;
    CAPTURE(operation.name);
    B be;
    call_memory<T, typename B::space> memory;

    operation.prepare(memory, sizes)(be);
    be.synchronize();

    CHECK(static_cast<double>(be.scratch_peak()) <= operation.scratch_bound(sizes) + rounding);
  }
}

}  // namespace causaldpo::test
