// SPDX-License-Identifier: Apache-2.0
// The cells of the Eigen backend.
#pragma once

#include "causaldpo/backends/eigen.hpp"
#include "support/cell.hpp"

TYPE_TO_STRING_AS("eigen/f32", causaldpo::test::cell<causaldpo::eigen_backend, float>);
TYPE_TO_STRING_AS("eigen/f64", causaldpo::test::cell<causaldpo::eigen_backend, double>);
#define CAUSALDPO_TEST_CELLS \
  causaldpo::test::cell<causaldpo::eigen_backend, double>, causaldpo::test::cell<causaldpo::eigen_backend, float>
