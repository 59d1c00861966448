// SPDX-License-Identifier: Apache-2.0
// Files and folders that appear under their name complete or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace recommender {

/// Writes `bytes` to `path`: beside it under a hidden name, synced to disk, renamed, and the folder synced. Whatever interrupts this, `path` has its
/// old contents or the new ones. Throws `store_error` when it cannot be written; the old contents then stay.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// The whole of a file. Throws `store_error` when it cannot be read.
std::string read_whole_file(const std::filesystem::path& path);

/// A folder under construction, beside its final place and hidden (`.NAME.partial-N`). Fill `path()`, then `commit()`: the checksums of its files are
/// written to `checksums.sha256`, everything is synced, and the folder takes its final name. Destroyed without commit, it is removed.
///
/// A folder that stands at the destination already is exchanged for the new one when that is complete (in one step where the file system can), and
/// then removed. It must be of the same kind: empty, or every entry in it named by its own `checksums.sha256`. Anything else is refused, when the object
/// is made and again at the commit, so that no mistaken path costs a user his files.
///
/// What an earlier process left beside the destination when it was killed is removed when the object is made. Which leftovers are dead is told by a
/// lock (flock) that each living process holds on its own.
class output_folder {
 public:
  /// Makes the hidden folder, and the parents of `destination` where they are missing. Throws `store_error`.
  explicit output_folder(const std::filesystem::path& destination);
  ~output_folder();
  output_folder(const output_folder&) = delete;
  output_folder& operator=(const output_folder&) = delete;

  /// Where to write. Valid until `commit`.
  const std::filesystem::path& path() const { return partial_; }
  const std::filesystem::path& destination() const { return destination_; }

  /// Writes a file of this folder. `name` is a plain file name.
  void write(const std::string& name, std::string_view bytes) const;

  /// Finishes the folder; only once.
  void commit();

 private:
  std::filesystem::path destination_, partial_;
  int lock_ = -1;
};

}  // namespace recommender
