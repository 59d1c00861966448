// SPDX-License-Identifier: Apache-2.0
// Whether a test body may bring a loss, a kernel or an estimator of its own.
#pragma once

namespace causaldpo::test {

/// False where operations come from a library alone.
template <class Backend>
inline constexpr bool compiles_own_functors = true;

}  // namespace causaldpo::test
