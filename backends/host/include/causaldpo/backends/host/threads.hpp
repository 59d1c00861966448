// SPDX-License-Identifier: Apache-2.0
// Blocks of work on one thread or on a team. The only OpenMP of the library is in this file.
#pragma once

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "causaldpo/core/config.hpp"

namespace causaldpo::detail {

/// Runs numbered blocks of work, each exactly once, in any order. What a block computes must not depend on who runs
/// it; then results do not depend on the number of threads, nor on the moment at which a team is formed.
class thread_team {
 public:
  /// 0: as many threads as OpenMP would use (OMP_NUM_THREADS, else every processor).
  explicit thread_team(int threads) : threads_(threads > 0 ? threads : std::max(1, omp_get_max_threads())) {}
  int size() const { return threads_; }
  /// Whether more than one thread may run now: not inside a parallel region of the caller.
  bool can_split() const { return threads_ > 1 && omp_in_parallel() == 0; }

  /// body(b) for 0 <= b < count. Starts on the calling thread and forms a team once the work has shown that it is
  /// worth one: after `patience` of serial work, if what remains will take longer than that again. Small work
  /// thus never pays for a team, whatever an element costs.
  template <class Body>
  void for_each(index_t count, Body const& body) const {
    index_t done = 0;
    if (count > 1 && can_split()) {
      auto const start = clock::now();
      while (done < count) {
        run(body, done++);
        auto const spent = clock::now() - start;
        if (spent > patience && spent / done * (count - done) > patience) return split(done, count, body);
      }
    }
    for (; done < count; ++done) run(body, done);
  }

  /// body(b) for first <= b < count by a team. An exception of a block is thrown again on the calling thread.
  /// On a machine whose processors are busy with other work a team waits for members that do not get to run. Where
  /// the caller waited longer than it worked, the next calls stay on its own thread, more of them each time.
  template <class Body>
  void split(index_t first, index_t count, Body const& body) const {
    bool const free = can_split();
    if (!free || resting_ > 0 || count - first < 2) {
      if (free && resting_ > 0) --resting_;
      for (index_t b = first; b < count; ++b) run(body, b);
      return;
    }
    std::exception_ptr failure;
    int const team = static_cast<int>(std::min<index_t>(threads_, count - first));
    auto const start = clock::now();
    auto began = start, worked = start;
#pragma omp parallel num_threads(team)
    {
#pragma omp master
      began = clock::now();
#pragma omp for schedule(dynamic, 1) nowait
      for (index_t b = first; b < count; ++b) {
        try {
          run(body, b);
        } catch (...) {
#pragma omp critical(causaldpo_thread_team)
          if (!failure) failure = std::current_exception();
        }
      }
#pragma omp master
      worked = clock::now();
    }
    auto const waited = (began - start) + (clock::now() - worked);  // for the team to come together, and for its last block
    bool const starved = waited > (worked - began) + 10 * patience;
    rest_ = starved ? std::min(2 * rest_ + 1, 255) : rest_ / 2;
    resting_ = starved ? rest_ : 0;
    if (failure) std::rethrow_exception(failure);
  }

 private:
  /// One copy of a block's machine code, whoever runs it. Inlined into each of the loops above, the compiler could fuse a product
  /// and a sum in one of them and not in another, and the bits would depend on who ran the block.
  template <class Body>
#if defined(__clang__)
  __attribute__((noinline))
#else
  __attribute__((noinline, noclone))
#endif
  static void run(Body const& body, index_t b) {
    body(b);
  }

  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds patience{15};
  int threads_;
  mutable int rest_ = 0, resting_ = 0;  // how many calls to stay alone after the next bad one, and still to go
};

}  // namespace causaldpo::detail
