// SPDX-License-Identifier: Apache-2.0
// Progress lines.
#include "store/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

namespace recommender {

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::max(0.0, seconds) + 0.5);
  const auto two = [](std::uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  const std::uint64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return (hours > 0 ? std::to_string(hours) + ":" + two(minutes) : std::to_string(minutes)) + ":" + two(whole % 60);
}

progress::progress(std::string label, std::uint64_t total, progress_options options)
    : label_(std::move(label)),
      total_(total),
      quiet_(options.quiet),
      terminal_(options.terminal.value_or(options.stream == nullptr && ::isatty(STDERR_FILENO) == 1)),
      stream_(options.stream != nullptr ? options.stream : &std::cerr),
      start_(clock::now()),
      last_(start_) {}

progress::~progress() {
  if (open_) *stream_ << '\n' << std::flush;
}

void progress::print(const std::string& text, bool last) {
  if (terminal_) {
    const std::size_t padding = width_ > text.size() ? width_ - text.size() : 0;
    *stream_ << '\r' << text << std::string(padding, ' ') << (last ? "\n" : "") << std::flush;
    width_ = text.size();
    open_ = !last;
  } else {
    *stream_ << text << '\n' << std::flush;
  }
}

void progress::update(std::uint64_t done, const std::string& note) {
  if (quiet_ || finished_) return;
  const auto now = clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
  if (now - last_ < pause) return;
  last_ = now;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  std::string text = label_ + ": " + std::to_string(done) + "/" + std::to_string(total_);
  if (total_ > 0) text += " " + std::to_string(std::min<std::uint64_t>(100, done * 100 / total_)) + " %";
  text += ", " + clock_text(elapsed) + " elapsed";
  if (done > 0 && done < total_) text += ", " + clock_text(elapsed * static_cast<double>(total_ - done) / static_cast<double>(done)) + " left";
  print(note.empty() ? text : text + ", " + note, false);
}

void progress::finish(const std::string& note) {
  if (quiet_ || finished_) return;
  finished_ = true;
  const double elapsed = std::chrono::duration<double>(clock::now() - start_).count();
  const std::string text = label_ + ": done in " + clock_text(elapsed);
  print(note.empty() ? text : text + ", " + note, true);
}

}  // namespace recommender
