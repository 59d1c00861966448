// SPDX-License-Identifier: Apache-2.0
// The CUDA backend behind host memory, for test bodies and golden cases; its operations come from the compiled library.
#pragma once

#include "causaldpo/backends/cuda.hpp"
#include "support/staged_backend.hpp"
