// SPDX-License-Identifier: Apache-2.0
// Philox: the published vectors, and the distributions made from it.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <type_traits>
#include <vector>

#include "causaldpo/core/philox.hpp"

namespace causaldpo::test {

static_assert(std::is_trivially_copyable_v<random_stream>);

TEST_CASE("philox4x32: the vectors of the Random123 distribution (kat_vectors)") {
  struct known {
    philox_block counter;
    philox_key key;
    philox_block words;
  };
  known const vectors[] = {
      {{{0, 0, 0, 0}}, {{0, 0}}, {{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}}},
      {{{0xffffffffU, 0xffffffffU, 0xffffffffU, 0xffffffffU}},
       {{0xffffffffU, 0xffffffffU}},
       {{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU}}},
      {{{0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}},
       {{0xa4093822U, 0x299f31d0U}},
       {{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U}}}};
  for (known const& v : vectors) {
    philox_block const words = philox4x32(v.counter, v.key);
    for (int i = 0; i < 4; ++i) CHECK(words.word[i] == v.words.word[i]);
  }
}

TEST_CASE("multiply_high agrees with products known in closed form") {
  std::uint64_t const ones = ~std::uint64_t{0};
  CHECK(multiply_high(ones, ones) == ones - 1);  // (2^64 - 1)^2 = 2^128 - 2^65 + 1
  CHECK(multiply_high(ones, 2) == 1);
  CHECK(multiply_high(std::uint64_t{1} << 63, std::uint64_t{1} << 63) == std::uint64_t{1} << 62);
  CHECK(multiply_high(0xffffffffU, 0xffffffffU) == 0);
  CHECK(multiply_high(0x123456789abcdef0U, std::uint64_t{1} << 36) == 0x123456789U);
  CHECK(multiply_high(0x123456789abcdef0U, 0xfedcba9876543210U) == 0x121fa00ad77d7422U);
}

TEST_CASE("random_stream: a draw depends on every part of its name and on nothing else") {
  random_stream const a{.seed = 7, .stream = 3};
  CHECK(a.uniform(5, 2) == a.uniform(5, 2));
  std::set<double> seen;
  for (std::uint64_t seed : {std::uint64_t{7}, std::uint64_t{7} << 32})
    for (std::uint32_t stream : {0U, 3U})
      for (std::uint64_t index : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{5} << 32})
        for (std::uint32_t draw : {0U, 2U, 0xffffffU}) seen.insert(random_stream{seed, stream}.uniform(index, draw));
  CHECK(seen.size() == 2 * 2 * 3 * 3);
}

TEST_CASE("unit_interval: its ends") {
  CHECK(unit_interval<double>(0) == 0);
  CHECK(unit_interval<float>(0) == 0);
  CHECK(unit_interval<double>(~std::uint64_t{0}) == 1 - 0x1p-53);
  CHECK(unit_interval<float>(~std::uint64_t{0}) == 1 - 0x1p-24F);
}

TEST_CASE("random_stream: moments of uniform and normal draws") {
  random_stream const draws{.seed = 1};
  int const n = 200000;
  double mean = 0, square = 0, normal_mean = 0, normal_square = 0, normal_fourth = 0;
  for (int i = 0; i < n; ++i) {
    double const u = draws.uniform(static_cast<std::uint64_t>(i)), z = draws.normal(static_cast<std::uint64_t>(i), 1);
    mean += u / n;
    square += u * u / n;
    normal_mean += z / n;
    normal_square += z * z / n;
    normal_fourth += z * z * z * z / n;
  }
  double const five_sigma = 5 / std::sqrt(static_cast<double>(n));
  CHECK(std::abs(mean - 0.5) < five_sigma * std::sqrt(1.0 / 12));
  CHECK(std::abs(square - 1.0 / 3) < five_sigma * std::sqrt(4.0 / 45));
  CHECK(std::abs(normal_mean) < five_sigma);
  CHECK(std::abs(normal_square - 1) < five_sigma * std::sqrt(2.0));
  CHECK(std::abs(normal_fourth - 3) < five_sigma * std::sqrt(96.0));
  float const single = draws.normal<float>(11);
  CHECK(std::abs(single - static_cast<float>(draws.normal<double>(11))) < 1e-5F);
}

TEST_CASE("random_stream: bounded integers stay in range and are uniform") {
  random_stream const draws{.seed = 2};
  CHECK(draws.below(0, 1) == 0);
  CHECK(draws.below(1, 1) == 0);
  for (std::uint64_t bins : {std::uint64_t{2}, std::uint64_t{7}, std::uint64_t{100}}) {
    int const n = 70000;
    std::vector<int> count(bins);
    for (int i = 0; i < n; ++i) {
      std::uint64_t const x = draws.below(bins, static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(bins));
      REQUIRE(x < bins);
      ++count[x];
    }
    double chi_square = 0;
    double const expected = static_cast<double>(n) / static_cast<double>(bins);
    for (int c : count) chi_square += (c - expected) * (c - expected) / expected;
    double const freedom = static_cast<double>(bins - 1);
    CHECK(chi_square < freedom + 5 * std::sqrt(2 * freedom) + 10);
  }
}

TEST_CASE("random_stream: the uneven rest of 2^64 is rejected") {
  // n = 3 * 2^62 rejects a quarter of the words; without rejection the residues would come with weights 2 : 1 : 1.
  std::uint64_t const n = std::uint64_t{3} << 62;
  random_stream const draws{.seed = 3};
  int const tries = 30000;
  int third[3] = {};
  for (int i = 0; i < tries; ++i) ++third[draws.below(n, static_cast<std::uint64_t>(i)) % 3];
  for (int c : third) CHECK(std::abs(c - tries / 3) < 5 * std::sqrt(tries * 2.0 / 9));
}

}  // namespace causaldpo::test
