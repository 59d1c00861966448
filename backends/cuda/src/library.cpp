// SPDX-License-Identifier: Apache-2.0
// The part of libcausaldpo-cuda that needs no nvcc: which version of the headers it was compiled from.
#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/version.hpp"

namespace causaldpo {

char const* cuda_library_version() { return version; }

}  // namespace causaldpo
