// SPDX-License-Identifier: Apache-2.0
// The windows of an epoch and the batches made of them.
#include "training/batches.hpp"

#include <algorithm>
#include <numeric>

#include "causaldpo/core/philox.hpp"

namespace recommender {
namespace {

constexpr index_t sorted_group = 16;  // batches

/// Fisher-Yates; draw k of `index` decides the exchange of place k.
template <class X>
void shuffle(X* x, index_t n, causaldpo::random_stream const& draws, std::uint64_t index) {
  for (index_t k = n - 1; k > 0; --k) {
    auto const other = static_cast<index_t>(draws.below(static_cast<std::uint64_t>(k) + 1, index, static_cast<std::uint32_t>(k)));
    std::swap(x[k], x[other]);
  }
}

}  // namespace

batch_maker::batch_maker(training_log const& log, window_options const& options)
    : log_(log),
      options_(options),
      begins_(log.begins()),
      context_(std::clamp<index_t>(log.longest() - 1, 1, options.max_length)) {
  begin_epoch(0);
}

void batch_maker::begin_epoch(index_t epoch) {
  auto const stream = [&](std::uint32_t purpose) { return causaldpo::random_stream{options_.seed, 16 + purpose}; };
  auto const name = [&](std::size_t user) { return (static_cast<std::uint64_t>(epoch) << 32) | user; };
  index_t const most = context_ + 1;
  windows_.clear();
  if (!log_.ordered) order_.resize(static_cast<std::size_t>(begins_.back()));
  for (std::size_t u = 0; u < log_.sequences.size(); ++u) {
    index_t const n = static_cast<index_t>(log_.sequences[u].size());
    if (n < 2) continue;
    auto const user = static_cast<std::int32_t>(u);
    index_t const wanted = std::min(options_.windows_per_user, (n - 2) / context_ + 1);
    if (!log_.ordered) {
      std::int32_t* const order = order_.data() + begins_[u];
      std::iota(order, order + n, 0);
      shuffle(order, n, stream(0), name(u));
      for (index_t w = 0; w < wanted; ++w)
        if (index_t const first = w * context_; n - first >= 2)
          windows_.push_back({user, static_cast<std::int32_t>(first), static_cast<std::int32_t>(std::min(most, n - first))});
    } else if (n <= most) {
      windows_.push_back({user, 0, static_cast<std::int32_t>(n)});
    } else {
      for (index_t w = 0; w < wanted; ++w) {
        auto const first = stream(1).below(static_cast<std::uint64_t>(n - most + 1), name(u), static_cast<std::uint32_t>(w));
        windows_.push_back({user, static_cast<std::int32_t>(first), static_cast<std::int32_t>(most)});
      }
    }
  }
  index_t const count = static_cast<index_t>(windows_.size()), size = options_.batch_sequences;
  // The draw of an exchange counts to 2^24, so more windows than that are shuffled in parts.
  for (index_t first = 0; first < count; first += index_t{1} << 24)
    shuffle(windows_.data() + first, std::min(count - first, index_t{1} << 24), stream(2), name(static_cast<std::size_t>(first)));
  for (index_t first = 0; first < count; first += sorted_group * size)
    std::stable_sort(windows_.begin() + first, windows_.begin() + std::min(count, first + sorted_group * size),
                     [](window const& a, window const& b) { return a.length < b.length; });
  batches_ = (count + size - 1) / size;
  batch_order_.resize(static_cast<std::size_t>(batches_));
  std::iota(batch_order_.begin(), batch_order_.end(), 0);
  shuffle(batch_order_.data(), batches_, stream(3), static_cast<std::uint64_t>(epoch));
}

std::int32_t batch_maker::at(window const& w, index_t k) const {
  index_t const place = w.first + k;
  return log_.ordered ? static_cast<std::int32_t>(place)
                      : order_[static_cast<std::size_t>(begins_[static_cast<std::size_t>(w.user)] + place)];
}

void batch_maker::make(index_t b, training_batch& batch) const {
  index_t const first = batch_order_[static_cast<std::size_t>(b)] * options_.batch_sequences;
  index_t const last = std::min(first + options_.batch_sequences, static_cast<index_t>(windows_.size()));
  batch.sequences = last - first;
  batch.length = 0;
  for (index_t i = first; i < last; ++i)
    batch.length = std::max<index_t>(batch.length, windows_[static_cast<std::size_t>(i)].length - 1);
  auto const rows = static_cast<std::size_t>(batch.sequences * batch.length);
  batch.tokens.assign(rows, -1);
  batch.example_of.assign(rows, -1);
  batch.rows.clear();
  batch.targets.clear();
  batch.users.clear();
  batch.positions.clear();
  for (index_t i = first; i < last; ++i) {
    window const& w = windows_[static_cast<std::size_t>(i)];
    auto const& sequence = log_.sequences[static_cast<std::size_t>(w.user)];
    for (index_t t = 0; t + 1 < w.length; ++t) {
      index_t const row = (i - first) * batch.length + t;
      std::int32_t const next = at(w, t + 1);
      batch.tokens[static_cast<std::size_t>(row)] = sequence[static_cast<std::size_t>(at(w, t))];
      batch.example_of[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(batch.targets.size());
      batch.rows.push_back(static_cast<std::int32_t>(row));
      batch.targets.push_back(sequence[static_cast<std::size_t>(next)]);
      batch.users.push_back(w.user);
      batch.positions.push_back(begins_[static_cast<std::size_t>(w.user)] + next);
    }
  }
}

}  // namespace recommender
