// SPDX-License-Identifier: Apache-2.0
// Atomic writing with the calls of POSIX: sync, lock, rename.
#include "store/atomic_write.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "store/checksums.hpp"
#include "store/store_error.hpp"

namespace recommender {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  const int code = errno;
  throw store_error(path.string() + ": " + what + " (" + std::strerror(code) + ")");
}

/// `path` as an absolute path without a slash at its end, so that it has a parent and a name.
fs::path settled(const fs::path& path) {
  fs::path full = fs::absolute(path).lexically_normal();
  if (!full.has_filename()) full = full.parent_path();
  if (!full.has_filename()) throw store_error(path.string() + ": is no name for an output");
  return full;
}

std::string partial_prefix(const fs::path& destination) { return "." + destination.filename().string() + ".partial-"; }

/// Opens and locks what `path` names; -1 when it is gone or another process holds it.
int try_lock(const fs::path& path) {
  const int handle = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (handle >= 0 && ::flock(handle, LOCK_EX | LOCK_NB) == 0) return handle;
  if (handle >= 0) ::close(handle);
  return -1;
}

/// Removes the hidden files and folders that dead processes left for this destination.
void remove_leftovers(const fs::path& destination) {
  const std::string prefix = partial_prefix(destination);
  std::error_code ignored;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(destination.parent_path(), ignored))
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  for (const fs::path& leftover : found) {
    const int lock = try_lock(leftover);
    if (lock < 0) continue;
    fs::remove_all(leftover, ignored);
    ::close(lock);
  }
}

/// A name beside `destination` that no other living object uses.
fs::path partial_path(const fs::path& destination) {
  static int count = 0;
  return destination.parent_path() / (partial_prefix(destination) + std::to_string(::getpid()) + "-" + std::to_string(count++));
}

void make_parents(const fs::path& destination) {
  std::error_code status;
  fs::create_directories(destination.parent_path(), status);
  if (status) throw store_error(destination.parent_path().string() + ": the folder cannot be made (" + status.message() + ")");
}

void sync_path(const fs::path& path) {
  const int handle = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (handle < 0) fail(path, "cannot be opened to sync it");
  const int status = ::fsync(handle);
  const int code = errno;
  ::close(handle);
  errno = code;
  if (status != 0 && code != EINVAL) fail(path, "cannot be synced to disk");  // EINVAL: the file system has no such thing
}

void write_all(int handle, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(handle, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, "cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Throws unless the folder at the destination, if there is one, may be replaced.
void expect_replaceable(const fs::path& destination) {
  std::error_code status;
  if (!fs::exists(fs::symlink_status(destination, status))) return;
  if (!fs::is_directory(fs::symlink_status(destination, status)))
    throw store_error(destination.string() + ": exists and is no folder (a link is none either); it is left alone");
  const std::vector<std::string> known = checksum_names(destination);
  for (const auto& entry : fs::directory_iterator(destination)) {
    const std::string name = entry.path().filename().string();
    if (name != checksum_file && std::find(known.begin(), known.end(), name) == known.end())
      throw store_error(destination.string() + ": holds '" + name + "', which was not written by this program; the folder is left alone");
  }
}

/// Puts `partial` in the place of `destination`. Returns where the folder that stood there is now (it need not exist): in one step where the file system
/// can exchange two names, otherwise in two.
fs::path put_in_place(const fs::path& partial, const fs::path& destination) {
#ifdef RENAME_EXCHANGE
  if (::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, destination.c_str(), RENAME_EXCHANGE) == 0) return partial;
#endif
  const fs::path aside = partial.string() + "-old";
  const bool moved = ::rename(destination.c_str(), aside.c_str()) == 0;
  if (::rename(partial.c_str(), destination.c_str()) == 0) return aside;
  const int code = errno;
  if (moved) ::rename(aside.c_str(), destination.c_str());
  errno = code;
  fail(destination, "cannot be given its name");
}

}  // namespace

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  const fs::path destination = settled(path);
  make_parents(destination);
  remove_leftovers(destination);
  const fs::path partial = partial_path(destination);
  const int handle = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (handle < 0) fail(path, "cannot be written");
  try {
    ::flock(handle, LOCK_EX | LOCK_NB);
    write_all(handle, bytes, path);
    if (::fsync(handle) != 0 && errno != EINVAL) fail(path, "cannot be synced to disk");
    if (::rename(partial.c_str(), destination.c_str()) != 0) fail(path, "cannot be given its name");
  } catch (...) {
    ::unlink(partial.c_str());
    ::close(handle);
    throw;
  }
  ::close(handle);
  sync_path(destination.parent_path());
}

std::string read_whole_file(const fs::path& path) {
  std::error_code status;
  if (fs::is_directory(path, status)) throw store_error(path.string() + ": is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw store_error(path.string() + ": cannot be opened for reading");
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) throw store_error(path.string() + ": cannot be read to its end");
  return bytes;
}

output_folder::output_folder(const fs::path& destination) : destination_(settled(destination)) {
  expect_replaceable(destination_);
  make_parents(destination_);
  remove_leftovers(destination_);
  partial_ = partial_path(destination_);
  if (::mkdir(partial_.c_str(), 0777) != 0) fail(destination_, "cannot be made");
  lock_ = try_lock(partial_);
}

output_folder::~output_folder() {
  std::error_code ignored;
  if (!partial_.empty()) fs::remove_all(partial_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

void output_folder::write(const std::string& name, std::string_view bytes) const { write_file_atomically(partial_ / name, bytes); }

void output_folder::commit() {
  if (partial_.empty()) throw store_error(destination_.string() + ": is finished already");
  write_checksums(partial_);
  for (const auto& entry : fs::recursive_directory_iterator(partial_)) sync_path(entry.path());
  sync_path(partial_);
  expect_replaceable(destination_);
  const fs::path replaced = put_in_place(partial_, destination_);
  partial_.clear();
  std::error_code ignored;
  fs::remove_all(replaced, ignored);
  sync_path(destination_.parent_path());
}

}  // namespace recommender
