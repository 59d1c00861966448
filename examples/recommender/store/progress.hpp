// SPDX-License-Identifier: Apache-2.0
// A line about long work: how much is done, how long it took, how long it will take.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

namespace recommender {

struct progress_options {
  bool quiet = false;                ///< say nothing
  std::ostream* stream = nullptr;    ///< where to; nothing: standard error
  std::optional<bool> terminal;      ///< whether one line is rewritten; nothing: asked of standard error
};

/// "train: 1200/4000 30 %, 0:42 elapsed, 1:38 left, loss 0.61". On a terminal one line rewritten at most ten times a second, elsewhere a line at most every
/// ten seconds. Time left: elapsed / done * (total - done). Not for several threads at once.
class progress {
 public:
  progress(std::string label, std::uint64_t total, progress_options options = {});
  /// Ends the line, if one is open, so that what follows starts on a new one.
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// `done` of the total is done; `note` is put at the end of the line. Cheap when it is not yet time for a line.
  void update(std::uint64_t done, const std::string& note = {});

  /// Writes a last line with the total time. Later updates are ignored.
  void finish(const std::string& note = {});

 private:
  using clock = std::chrono::steady_clock;
  void print(const std::string& text, bool last);

  std::string label_;
  std::uint64_t total_;
  bool quiet_, terminal_, finished_ = false, open_ = false;
  std::ostream* stream_;
  std::size_t width_ = 0;
  clock::time_point start_, last_;
};

/// Whole seconds as "0:07", "12:34" or "1:02:03".
std::string clock_text(double seconds);

}  // namespace recommender
