// SPDX-License-Identifier: Apache-2.0
// The cells of the CUDA backend: test bodies in host memory, operations on the device, from the compiled library.
#pragma once

#include "support/cell.hpp"
#include "support/staged_cuda.hpp"

namespace causaldpo::test {
template <>
inline constexpr bool compiles_own_functors<staged<cuda_backend>> = false;  // nvcc does: tests/cuda/test_extensions.cu
}

TYPE_TO_STRING_AS("cuda/f32", causaldpo::test::cell<causaldpo::test::staged<causaldpo::cuda_backend>, float>);
TYPE_TO_STRING_AS("cuda/f64", causaldpo::test::cell<causaldpo::test::staged<causaldpo::cuda_backend>, double>);
#define CAUSALDPO_TEST_CELLS                                                       \
  causaldpo::test::cell<causaldpo::test::staged<causaldpo::cuda_backend>, double>, \
      causaldpo::test::cell<causaldpo::test::staged<causaldpo::cuda_backend>, float>
