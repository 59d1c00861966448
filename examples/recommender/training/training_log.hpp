// SPDX-License-Identifier: Apache-2.0
// What is trained on: one sequence of items for each user.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "nn/types.hpp"

namespace recommender {

/// The training interactions as the trainer sees them. A *position* is one interaction; positions are numbered user by user, in
/// the order of the sequence.
struct training_log {
  index_t items = 0;                                 ///< V; every item is in [0, V)
  bool ordered = true;                               ///< false: the order of a sequence says nothing
  std::vector<std::vector<std::int32_t>> sequences;  ///< per user, oldest first

  /// [users + 1]: the number of each user's first position.
  std::vector<index_t> begins() const {
    std::vector<index_t> b{0};
    for (auto const& s : sequences) b.push_back(b.back() + static_cast<index_t>(s.size()));
    return b;
  }
  index_t longest() const {
    std::size_t most = 0;
    for (auto const& s : sequences) most = std::max(most, s.size());
    return static_cast<index_t>(most);
  }
  /// [V]: positions of each item.
  std::vector<double> counts() const {
    std::vector<double> n(static_cast<std::size_t>(items), 0);
    for (auto const& s : sequences)
      for (std::int32_t y : s) n[static_cast<std::size_t>(y)] += 1;
    return n;
  }
};

}  // namespace recommender
