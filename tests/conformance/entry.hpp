// SPDX-License-Identifier: Apache-2.0
// Enters one operation on one backend into the runner's table. OP is the name of the operation; its adapter, ops/OP.hpp,
// has been included. NAME is the string under which the backend is found.
#pragma once

#include "conformance/registry.hpp"

#define CAUSALDPO_CONFORMANCE_ENTRY(OP, BACKEND, NAME)                                                                           \
  static ::causaldpo::conformance::registration const conformance_entry_##OP(                                                    \
      #OP, NAME,                                                                                                                 \
      static_cast<::causaldpo::conformance::adapter<BACKEND, double>>(&::causaldpo::conformance::conform_##OP<BACKEND, double>), \
      static_cast<::causaldpo::conformance::adapter<BACKEND, float>>(&::causaldpo::conformance::conform_##OP<BACKEND, float>));
