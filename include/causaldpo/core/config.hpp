// SPDX-License-Identifier: Apache-2.0
// The host+device marker and the one index type. Nothing else belongs here.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
/// Marks a function that runs on the host and, under nvcc, on the device.
#define CAUSALDPO_HD __host__ __device__
#else
#define CAUSALDPO_HD
#endif

namespace causaldpo {

/// Extents and positions. Signed, so that differences and backward loops are plain arithmetic.
using index_t = std::int64_t;

/// The type in which sums over examples are carried: double also for float data, because a mean over 1e6
/// examples summed in float keeps three digits.
using accumulator = double;

}  // namespace causaldpo
