// SPDX-License-Identifier: Apache-2.0
// Which items are held against the chosen one, by the library's sampler: never one that the user is known to have taken.
#pragma once

#include <memory>
#include <vector>

#include "causaldpo/preference/negative_sampler.hpp"
#include "causaldpo/preference/sample_negatives.hpp"
#include "training/batches.hpp"

namespace recommender {

/// Draws J items for each example of a batch with probability proportional to count^exponent (0: uniform over the catalogue),
/// outside the user's training sequence. A draw is a function of (seed, epoch, position of the example in the log, slot) alone.
class rejected_sampler {
 public:
  rejected_sampler(training_log const& log, index_t rejected, double exponent, std::uint64_t seed)
      : rejected_(rejected), items_(log.items), seed_(seed), begins_(log.begins()) {
    for (auto const& s : log.sequences) taken_items_.insert(taken_items_.end(), s.begin(), s.end());
    taken_ = std::make_unique<causaldpo::known_items>(causaldpo::item_lists<>{begins_, taken_items_});
    if (exponent > 0)
      popularity_ =
          std::make_unique<causaldpo::negative_sampler>(causaldpo::negative_sampler::from_counts(log.counts(), exponent));
  }

  /// entries [M + M J]: the batch's targets, then J items for each. mask [M J]: 0 where the user has taken everything that could
  /// be drawn.
  template <causaldpo::backend B>
  void draw(B& be, index_t epoch, training_batch const& batch, std::vector<std::int32_t>& entries,
            std::vector<std::uint8_t>& mask) {
    auto const m = batch.targets.size(), drawn = m * static_cast<std::size_t>(rejected_);
    drawn_.resize(drawn);
    mask.resize(drawn);
    entries.resize(m + drawn);
    causaldpo::negative_options options{.item_count = items_, .seed = seed_, .stream = 32 + static_cast<std::uint32_t>(epoch)};
    if (popularity_) options.source = causaldpo::negative_source::popularity;
    causaldpo::sample_negatives(
        be, {.chosen = batch.targets, .users = batch.users, .known = taken_->lists(), .names = batch.positions},
        {.items = {drawn_.data(), batch.examples(), rejected_}, .mask = {mask.data(), batch.examples(), rejected_}}, options,
        popularity_ ? popularity_->running() : causaldpo::view<double const, 2>{});
    std::copy(batch.targets.begin(), batch.targets.end(), entries.begin());
    for (std::size_t e = 0; e < drawn; ++e) entries[m + e] = static_cast<std::int32_t>(drawn_[e]);
  }

 private:
  index_t rejected_, items_;
  std::uint64_t seed_;
  std::vector<std::int64_t> begins_;
  std::vector<std::int32_t> taken_items_;
  std::unique_ptr<causaldpo::known_items> taken_;
  std::unique_ptr<causaldpo::negative_sampler> popularity_;
  std::vector<index_t> drawn_;
};

}  // namespace recommender
