// SPDX-License-Identifier: Apache-2.0
// The CUDA backend behind host memory, for test bodies and golden cases; its operations come from the compiled library.
#pragma once

#include "causaldpo/backends/cuda.hpp"
#include "support/own_functors.hpp"
#include "support/staged_backend.hpp"

namespace causaldpo::test {
template <>
inline constexpr bool compiles_own_functors<staged<cuda_backend>> = false;  // nvcc does: tests/cuda/test_extensions.cu
}
