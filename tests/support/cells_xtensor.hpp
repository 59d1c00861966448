// SPDX-License-Identifier: Apache-2.0
// The cells of the xtensor backend.
#pragma once

#include "causaldpo/backends/xtensor.hpp"
#include "support/cell.hpp"

TYPE_TO_STRING_AS("xtensor/f32", causaldpo::test::cell<causaldpo::xtensor_backend, float>);
TYPE_TO_STRING_AS("xtensor/f64", causaldpo::test::cell<causaldpo::xtensor_backend, double>);
#define CAUSALDPO_TEST_CELLS \
  causaldpo::test::cell<causaldpo::xtensor_backend, double>, causaldpo::test::cell<causaldpo::xtensor_backend, float>
