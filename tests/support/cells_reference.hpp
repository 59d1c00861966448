// SPDX-License-Identifier: Apache-2.0
// The cells of the reference backend.
#pragma once

#include "causaldpo/backends/reference.hpp"
#include "support/cell.hpp"

TYPE_TO_STRING_AS("reference/f32", causaldpo::test::cell<causaldpo::reference_backend, float>);
TYPE_TO_STRING_AS("reference/f64", causaldpo::test::cell<causaldpo::reference_backend, double>);
#define CAUSALDPO_TEST_CELLS \
  causaldpo::test::cell<causaldpo::reference_backend, double>, causaldpo::test::cell<causaldpo::reference_backend, float>
