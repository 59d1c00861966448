// SPDX-License-Identifier: Apache-2.0
// The process behind a simulated log: everything that is drawn once for a seed, and the distribution of one click.
#pragma once

#include <cstdint>
#include <vector>

#include "data/philox.hpp"
#include "data/simulate.hpp"

namespace recommender {

inline constexpr std::uint32_t clicks_per_block = 5;
inline constexpr std::int32_t campaign_count = 8;
inline constexpr double campaign_probability = 0.25;
inline constexpr std::int32_t no_campaign = -1;

/// What a user did so far.
struct click_history {
  std::int32_t last = -1;   ///< the item clicked last, or -1
  std::vector<char> taken;  ///< per item, 1 when it was clicked
};

/// The formulas stand at `simulate`. All methods are pure: they may be called in any order.
class simulated_world {
 public:
  explicit simulated_world(const simulation_options& options);

  std::int32_t market_of(std::uint32_t user) const;

  /// The times of a user's clicks, in order.
  std::vector<std::int64_t> times_of(std::uint32_t user) const;

  std::int32_t season_at(std::int64_t time) const;

  /// The campaign of a block of a user's clicks, or `no_campaign`.
  std::int32_t campaign_of(std::uint32_t user, std::uint32_t block) const;

  /// e(y) for a click with these causes.
  std::vector<double> exposure(std::int32_t season, std::int32_t market, std::int32_t campaign) const;

  /// e(y) in the new environment.
  const std::vector<double>& new_exposure() const { return new_; }

  /// s(y) of a user after the item `last` (-1: none).
  std::vector<double> preference(std::uint32_t user, std::int32_t last) const;

  /// Draws the click number `number` of a user: argmax(s + e + Gumbel) over the items not taken yet. `in_new` takes other noise than the log's.
  std::int32_t click(std::uint32_t user, std::uint32_t number, const click_history& past, const std::vector<double>& e, bool in_new) const;

  /// Adds weight * softmax(s + e) over the items not taken yet to `out`.
  void add_probabilities(const std::vector<double>& s, const std::vector<double>& e, const click_history& past, double weight,
                         std::vector<double>& out) const;

 private:
  using row = std::vector<double>;
  row vectors(std::uint32_t stream, std::uint32_t count) const;
  std::vector<row> normal_rows(std::uint32_t stream, std::uint32_t count, double strength) const;
  std::vector<row> campaign_rows(double strength) const;

  std::uint32_t items_;
  exposure_strengths strengths_;
  random_draws draws_;
  row item_vectors_, user_vectors_;  // row-major [count, dimensions]
  std::vector<row> base_, season_, market_, campaign_;
  row new_;
};

}  // namespace recommender
