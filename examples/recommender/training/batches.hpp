// SPDX-License-Identifier: Apache-2.0
// How a log becomes batches: windows of the users' sequences, drawn anew in each epoch.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/embedding.hpp"
#include "training/training_log.hpp"

namespace recommender {

struct window_options {
  index_t max_length = 50;  ///< inputs in a window; one more item is its last target
  index_t windows_per_user =
      4;  ///< at most, for each epoch; a user has as many as it takes to cover the sequence, if these are fewer
  index_t batch_sequences = 64;  ///< windows in a batch
  std::uint64_t seed = 1;
};

/// One batch. Every input position with a next item is an example: the model is to predict `targets` there.
struct training_batch {
  index_t sequences = 0, length = 0;     ///< padded length
  std::vector<std::int32_t> tokens;      ///< [sequences * length] inputs, -1 = padding
  std::vector<std::int32_t> example_of;  ///< [sequences * length] example of each row, -1 = none
  std::vector<std::int32_t> rows;        ///< [M] row of each example
  std::vector<std::int32_t> targets;     ///< [M] item that was taken next
  std::vector<std::int32_t> users;       ///< [M]
  std::vector<std::int64_t> positions;   ///< [M] the target's position in the log

  index_t examples() const { return static_cast<index_t>(targets.size()); }
  sequence_batch<causaldpo::host_space> input() const { return {sequences, length, tokens}; }
};

/// The windows of an epoch. In an ordered log a sequence of more than max_length + 1 items gives windows that begin at random; in
/// one without order the user's items are permuted at random and cut into windows. Windows are shuffled, and gathered by length
/// within groups of 16 batches, so that little is padding. Users with one item give none. Everything is a function of the seed
/// and the epoch.
class batch_maker {
 public:
  batch_maker(training_log const& log, window_options const& options);

  /// Draws the windows of an epoch, 0 .. ; the memory of earlier epochs is reused.
  void begin_epoch(index_t epoch);
  index_t batches() const { return batches_; }
  /// Batch b of the epoch, 0 .. batches() - 1.
  void make(index_t b, training_batch& batch) const;
  /// The most inputs that a window has.
  index_t context() const { return context_; }
  /// The most rows, padding included, that a batch has.
  index_t max_rows() const { return options_.batch_sequences * context_; }

 private:
  struct window {
    std::int32_t user;
    std::int32_t first;   ///< of the user's order in this epoch
    std::int32_t length;  ///< items, the last target included
  };
  std::int32_t at(window const& w, index_t k) const;  ///< index in the user's sequence of the window's item k

  training_log const& log_;
  window_options options_;
  std::vector<index_t> begins_;
  index_t context_ = 1, batches_ = 0;
  std::vector<window> windows_;
  std::vector<std::int32_t> order_;  ///< without order: permutation of each user's sequence, by position
  std::vector<std::int32_t> batch_order_;
};

}  // namespace recommender
