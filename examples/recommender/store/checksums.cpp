// SPDX-License-Identifier: Apache-2.0
// Checksum files.
#include "store/checksums.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "store/atomic_write.hpp"
#include "store/sha256.hpp"
#include "store/store_error.hpp"

namespace recommender {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t digits = 64;

/// Sum and name of each line of a checksum file.
std::vector<std::pair<std::string, std::string>> entries_of(const fs::path& file) {
  std::vector<std::pair<std::string, std::string>> entries;
  const std::string text = read_whole_file(file);
  for (std::size_t at = 0, line = 1; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string row = text.substr(at, end - at);
    at = end + 1;
    const std::string name = row.size() > digits + 2 ? row.substr(digits + 2) : "";
    const bool hex = row.size() > digits && row.find_first_not_of("0123456789abcdef") == digits;
    if (!hex || row.substr(digits, 2) != "  " || name.empty() || name.find('/') != std::string::npos)
      throw store_error(file.string() + ":" + std::to_string(line) + ": is not a checksum and a file name");
    entries.emplace_back(row.substr(0, digits), name);
  }
  return entries;
}

}  // namespace

void write_checksums(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_regular_file()) throw store_error(entry.path().string() + ": only files can stand in this folder");
    if (entry.path().filename() != checksum_file) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += sha256_of_file(folder / name) + "  " + name + "\n";
  write_file_atomically(folder / checksum_file, text);
}

std::vector<std::string> checksum_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code status;
  if (!fs::exists(folder / checksum_file, status)) return names;
  for (auto& [sum, name] : entries_of(folder / checksum_file)) names.push_back(name);
  return names;
}

void verify_checksums(const fs::path& folder) {
  std::error_code status;
  if (!fs::exists(folder / checksum_file, status)) throw store_error(folder.string() + ": has no " + checksum_file);
  for (const auto& [sum, name] : entries_of(folder / checksum_file)) {
    if (!fs::is_regular_file(folder / name, status)) throw store_error((folder / name).string() + ": is missing, but " + checksum_file + " lists it");
    if (sha256_of_file(folder / name) != sum) throw store_error((folder / name).string() + ": is damaged: its checksum is not the one in " + checksum_file);
  }
}

}  // namespace recommender
