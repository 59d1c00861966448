// SPDX-License-Identifier: Apache-2.0
// The kit for the author of a backend, from an installed library: a backend outside the tree runs a part of the suite.
#include "causaldpo/backends/reference.hpp"

class own_backend : public causaldpo::reference_backend {
 public:
  static constexpr char const* name() { return "own"; }
};

#define CAUSALDPO_TEST_BACKEND own_backend
#include "causaldpo/testing/backend_suite.hpp"
