// SPDX-License-Identifier: Apache-2.0
// A simulated click log with known causes: what a user prefers, what he was shown, and the exact probability of his next click under three exposures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace recommender {

enum class simulation_variant {
  standard,  ///< "default": popularity, 4 seasons, 3 markets and campaigns all move the exposure
  strong,    ///< weak static popularity, 6 strong seasons
  none       ///< every exposure term is 0: clicks follow preference alone, nothing is confounded
};

/// "default", "strong", "none"; the second throws `std::invalid_argument` for any other name.
std::string variant_name(simulation_variant variant);
simulation_variant variant_of(const std::string& name);

/// The strengths of one variant.
struct exposure_strengths {
  double base = 1.2;      ///< standard deviation over items of the exposure that never changes
  double season = 1.0;    ///< ... of each season's
  double market = 1.0;    ///< ... of each market's
  double campaign = 3.0;  ///< what a campaign adds to its items
  std::uint32_t seasons = 4;
};
exposure_strengths strengths_of(simulation_variant variant);

struct simulation_options {
  simulation_variant variant = simulation_variant::standard;
  std::uint64_t seed = 1;
  std::uint32_t users = 3000;
  std::uint32_t items = 800;       ///< at least 62, and one more for each new click of a user
  std::uint32_t test_users = 1500; ///< the first of the users; at most `users`
  std::uint32_t new_clicks = 2000; ///< clicks observed in the new environment
};

/// A simulated year in seconds. Time is counted from the start of the first one and never wraps; the season is a function of the time within the year.
inline constexpr std::int64_t simulated_year = 365 * 86400;

/// Clicks of a user in the log: 30 for training, one for validation, one for the test.
inline constexpr std::uint32_t clicks_per_user = 32;

struct simulated_click {
  std::int32_t user = 0, item = 0;
  std::int64_t timestamp = 0;  ///< seconds
  std::int32_t season = 0;     ///< floor(seasons * fraction of the year)
  std::int32_t market = 0;     ///< of the user
  std::int32_t campaign = -1;  ///< 0 .. 7, or -1: none was running
};

struct simulation {
  simulation_options options;
  std::vector<simulated_click> clicks;      ///< user by user, in the order of the clicks
  std::vector<simulated_click> new_clicks;  ///< in the new environment; season, market and campaign are -1
  /// Probability of the click number `clicks_per_user`, [test_users, items] row-major, each row of sum 1 and 0 at the clicks before it.
  std::vector<float> id;       ///< under the process of the log, at the time of that click
  std::vector<float> uniform;  ///< if every item is exposed alike
  std::vector<float> shifted;  ///< under the new environment ("new" in files)
};

/// Draws a simulation. Item vectors g_y and user vectors u are N(0, 1) in R^6; after a click on x a user prefers
///   s(y) = 1.6 u.g_y / sqrt(6) + 0.8 g_x.g_y / sqrt(6)                                        (no second term at his first click)
/// and the exposure of an item is
///   e(y) = base_y + season_S,y + market_m,y + campaign_c,y,
/// the first three normal with the strengths above, a campaign adding its strength on 30 random items. A user has one of 3 markets. His clicks happen at
/// t0 + v / 2 years, t0 uniform in the first year, v the sorted uniforms of his clicks. They come in blocks of 5; a block has one of 8 campaigns with
/// probability 1/4, otherwise none. He clicks argmax(s + e + Gumbel) among the items that he has not clicked yet.
///
/// The tests are softmax probabilities, not samples, over the items not among the 31 clicks before: `id` with e of that click's season and market, averaged
/// over what the campaign may be (it is known when the click is not the first of its block, as it is here); `uniform` with e = 0; `shifted` with
///   e(y) = 0.5 base_y + sqrt(0.75) base N + season N + market N,
/// the strengths of the variant times fresh normals: a new season in a new market after a partial change of popularity. `new_clicks` are drawn under it
/// from the users after the tested ones in turn (from all users when all are tested), each continuing his history, one second apart in the third year.
///
/// Deterministic: every draw is named by seed, stream and indices, and the same seed gives the same clicks on every machine (up to ties in the last
/// bit of `log` and `cos`). About 3 seconds at full size. Throws `std::invalid_argument` for sizes that do not fit.
simulation simulate(const simulation_options& options);

/// NDCG@n of the ranking by the true probabilities, the ceiling of any model: mean over rows of sum_r p_(r) / log2(r + 1), r = 1 .. n.
double oracle_ndcg(const std::vector<float>& probabilities, std::size_t items, std::size_t n);

}  // namespace recommender
