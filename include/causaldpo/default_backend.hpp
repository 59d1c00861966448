// SPDX-License-Identifier: Apache-2.0
// `default_backend`: the backend that the build chose. Define one of the macros below yourself when you do not use
// the build's pkg-config or Meson dependency.
#pragma once

#if defined(CAUSALDPO_DEFAULT_BACKEND_EIGEN)
#include "causaldpo/backends/eigen.hpp"
namespace causaldpo {
/// The backend that the build chose.
using default_backend = eigen_backend;
}
#elif defined(CAUSALDPO_DEFAULT_BACKEND_XTENSOR)
#include "causaldpo/backends/xtensor.hpp"
namespace causaldpo {
/// The backend that the build chose.
using default_backend = xtensor_backend;
}
#elif defined(CAUSALDPO_DEFAULT_BACKEND_REFERENCE)
#include "causaldpo/backends/reference.hpp"
namespace causaldpo {
/// The backend that the build chose.
using default_backend = reference_backend;
}
#else
#error "causaldpo: define CAUSALDPO_DEFAULT_BACKEND_EIGEN, _XTENSOR or _REFERENCE, or name a backend yourself"
#endif
