// SPDX-License-Identifier: Apache-2.0
// A cell of the test matrix: a backend and a scalar. Test bodies are headers of typed doctest cases over the cells of
// one backend (`TEST_CASE_TEMPLATE("...", Cell, CAUSALDPO_TEST_CELLS)`); the build makes one translation unit for
// each pair of backend and body, so no test is written twice and no body names a backend.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "support/own_functors.hpp"

namespace causaldpo::test {

template <class Backend, class T>
struct cell {
  using backend = Backend;
  using scalar = T;
};

}  // namespace causaldpo::test

