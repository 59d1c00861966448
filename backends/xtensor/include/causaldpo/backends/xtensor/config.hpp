// SPDX-License-Identifier: Apache-2.0
// Includes xsimd, after the processor's intrinsics. Include this before a header that includes them otherwise.
#pragma once

// The order matters.
// clang-format off
#include "causaldpo/backends/host/intrinsics.hpp"
#include <xsimd/xsimd.hpp>
// clang-format on
