// SPDX-License-Identifier: Apache-2.0
// The checksums of a folder, in the format of sha256sum: "HEX  NAME" per line, checked by `sha256sum -c checksums.sha256` as well.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace recommender {

inline constexpr const char* checksum_file = "checksums.sha256";

/// Writes `checksums.sha256` over the files of `folder`, sorted by name. Throws `store_error`, also for a sub-folder: these outputs have none.
void write_checksums(const std::filesystem::path& folder);

/// The names that the checksum file of `folder` lists; empty when there is no such file. Throws `store_error` for a line that is none.
std::vector<std::string> checksum_names(const std::filesystem::path& folder);

/// Compares every file listed. Throws `store_error` naming the first that is missing or differs, the file of a line that is damaged, or a checksum
/// file that is missing. Files that are not listed are not looked at.
void verify_checksums(const std::filesystem::path& folder);

}  // namespace recommender
