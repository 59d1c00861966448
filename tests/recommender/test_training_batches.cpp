// SPDX-License-Identifier: Apache-2.0
// Windows and batches, rejected items, learning rates and epochs.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "causaldpo/backends/reference.hpp"
#include "support/random.hpp"
#include "training/options.hpp"
#include "training/rejected_items.hpp"

namespace recommender {
namespace {

/// Users of the given numbers of items; item k of user u is 100 u + k, so that an item tells where it was.
training_log numbered_log(std::vector<index_t> const& sizes, bool ordered) {
  training_log log{static_cast<index_t>(sizes.size()) * 100, ordered, {}};
  for (std::size_t u = 0; u < sizes.size(); ++u) {
    log.sequences.emplace_back();
    for (index_t k = 0; k < sizes[u]; ++k)
      log.sequences.back().push_back(static_cast<std::int32_t>(100 * static_cast<index_t>(u) + k));
  }
  return log;
}

/// All batches of an epoch, each checked: rows and examples belong together, padding only at the end, positions and users are
/// right.
std::vector<training_batch> checked_epoch(batch_maker& maker, training_log const& log, index_t epoch) {
  std::vector<training_batch> all;
  auto const begins = log.begins();
  maker.begin_epoch(epoch);
  for (index_t b = 0; b < maker.batches(); ++b) {
    training_batch x;
    maker.make(b, x);
    CHECK(x.sequences * x.length <= maker.max_rows());
    for (index_t r = 0; r < x.sequences * x.length; ++r) {
      auto const row = static_cast<std::size_t>(r);
      CHECK((x.tokens[row] >= 0) == (x.example_of[row] >= 0));
      if (r % x.length > 0 && x.tokens[row] >= 0) CHECK(x.tokens[row - 1] >= 0);
      if (x.tokens[row] < 0) continue;
      auto const i = static_cast<std::size_t>(x.example_of[row]);
      CHECK(x.rows[i] == r);
      CHECK(x.tokens[row] / 100 == x.users[i]);
      CHECK(x.targets[i] / 100 == x.users[i]);
      CHECK(x.positions[i] == begins[static_cast<std::size_t>(x.users[i])] + x.targets[i] % 100);
      if (log.ordered)
        CHECK(x.targets[i] == x.tokens[row] + 1);
      else
        CHECK(x.targets[i] != x.tokens[row]);
    }
    all.push_back(std::move(x));
  }
  return all;
}

std::vector<std::int32_t> all_targets(std::vector<training_batch> const& batches) {
  std::vector<std::int32_t> t;
  for (auto const& b : batches) t.insert(t.end(), b.targets.begin(), b.targets.end());
  return t;
}

TEST_CASE("batches: short ordered sequences are learnt whole, in every epoch") {
  auto const log = numbered_log({1, 2, 5, 3, 0, 4}, true);
  batch_maker maker(log, {.max_length = 4, .batch_sequences = 3, .seed = 7});
  CHECK(maker.context() == 4);
  for (index_t epoch : {0, 1, 5}) {
    auto targets = all_targets(checked_epoch(maker, log, epoch));
    std::sort(targets.begin(), targets.end());
    CHECK(targets == std::vector<std::int32_t>{101, 201, 202, 203, 204, 301, 302, 501, 502, 503});
  }
}

TEST_CASE("batches: long sequences give random windows, logs without order a permutation") {
  for (bool ordered : {true, false}) {
    auto const log = numbered_log({90, 40, 11, 12}, ordered);
    batch_maker maker(log, {.max_length = 10, .windows_per_user = 4, .batch_sequences = 5, .seed = 7});
    auto const first = all_targets(checked_epoch(maker, log, 0)), second = all_targets(checked_epoch(maker, log, 1));
    CHECK(first.size() == static_cast<std::size_t>(ordered ? 40 + 40 + 10 + 20 : 40 + 39 + 10 + 11));
    CHECK(first != second);
    CHECK(all_targets(checked_epoch(maker, log, 0)) == first);
    std::set<std::int32_t> seen;
    for (index_t epoch = 0; epoch < 60; ++epoch)
      for (std::int32_t y : all_targets(checked_epoch(maker, log, epoch))) seen.insert(y);
    CHECK(seen.size() == static_cast<std::size_t>(ordered
                                                      ? 89 + 39 + 10 + 11
                                                      : 90 + 40 + 11 + 12));  // an ordered log has no input before its first item
    batch_maker other(log, {.max_length = 10, .windows_per_user = 4, .batch_sequences = 5, .seed = 8});
    CHECK(all_targets(checked_epoch(other, log, 0)) != first);
  }
}

TEST_CASE("rejected items: never taken by the user, by popularity where asked, the same for the same names") {
  causaldpo::reference_backend be;
  training_log log{20, true, {{}, {}, {}}};
  for (std::int32_t y = 0; y < 20; ++y) log.sequences[0].push_back(y);  // has everything
  for (std::int32_t y = 0; y < 19; ++y) log.sequences[1].push_back(y);  // can only be offered 19
  log.sequences[2] = {0, 1, 2, 3};
  batch_maker maker(log, {.max_length = 30, .batch_sequences = 3});
  training_batch batch;
  maker.make(0, batch);
  std::vector<std::int32_t> entries, again;
  std::vector<std::uint8_t> mask;
  for (double exponent : {0.0, 1.0}) {
    rejected_sampler sampler(log, 3, exponent, 5);
    sampler.draw(be, 0, batch, entries, mask);
    sampler.draw(be, 0, batch, again, mask);
    CHECK(entries == again);
    sampler.draw(be, 1, batch, again, mask);
    CHECK(entries != again);
    std::size_t const m = batch.targets.size();
    for (std::size_t i = 0; i < m; ++i) {
      CHECK(entries[i] == batch.targets[i]);
      for (std::size_t j = 0; j < 3; ++j) {
        std::int32_t const y = entries[m + i * 3 + j];
        CHECK((mask[i * 3 + j] != 0) == (batch.users[i] != 0));
        if (batch.users[i] == 1) CHECK(y == 19);
        if (batch.users[i] == 2) CHECK(y >= 4);
      }
    }
  }
}

TEST_CASE("learning rate and epochs: warm-up, fall to a tenth, more epochs on small logs") {
  CHECK(learning_rate(1, 0, 101, 50) == doctest::Approx(0.02));
  CHECK(learning_rate(1, 50, 101, 50) == doctest::Approx(0.55));
  CHECK(learning_rate(1, 100, 101, 50) == doctest::Approx(0.1));
  CHECK(learning_rate(2, 0, 1, 0) == doctest::Approx(2));
  CHECK(supervised_options{}.epochs_of(47) == 14);
  CHECK(supervised_options{}.epochs_of(378) == 10);
  CHECK(supervised_options{}.epochs_of(1) == 60);
  CHECK(supervised_options{.epochs = 3}.epochs_of(1) == 3);
  CHECK(alignment_options{}.epochs_of(47) == 3);
  CHECK(alignment_options{}.epochs_of(378) == 2);
  CHECK(alignment_options{}.tau() == 2);
  CHECK(alignment_options{.beta = 0.3, .popularity_exponent = 1}.tau() == doctest::Approx(0.3));
  CHECK(alignment_options{.method = alignment_method::sdpo}.rejected_items() == 5);
}

}  // namespace
}  // namespace recommender
