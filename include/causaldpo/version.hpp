// SPDX-License-Identifier: Apache-2.0
// The version, here and in meson.build only (a test holds them together).
#pragma once

#define CAUSALDPO_VERSION_MAJOR 0
#define CAUSALDPO_VERSION_MINOR 1
#define CAUSALDPO_VERSION_PATCH 0

namespace causaldpo {
/// "major.minor.patch".
inline constexpr char const* version = "0.1.0";
}  // namespace causaldpo
