// SPDX-License-Identifier: Apache-2.0
// SHA-256 of bytes and files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace recommender {

/// SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string sha256_of_bytes(std::string_view bytes);

/// The same of a file's contents, read in pieces. Throws `store_error` when it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace recommender
