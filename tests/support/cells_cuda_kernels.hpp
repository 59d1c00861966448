// SPDX-License-Identifier: Apache-2.0
// The cells of the CUDA backend for test bodies that bring functors of their own: compiled by nvcc, or for the host.
#pragma once

#include "causaldpo/backends/cuda.cuh"
#include "support/cell.hpp"
#include "support/unified_backend.hpp"

TYPE_TO_STRING_AS("cuda/f32", causaldpo::test::cell<causaldpo::test::unified<causaldpo::cuda_backend>, float>);
TYPE_TO_STRING_AS("cuda/f64", causaldpo::test::cell<causaldpo::test::unified<causaldpo::cuda_backend>, double>);
#define CAUSALDPO_TEST_CELLS                                                        \
  causaldpo::test::cell<causaldpo::test::unified<causaldpo::cuda_backend>, double>, \
      causaldpo::test::cell<causaldpo::test::unified<causaldpo::cuda_backend>, float>
