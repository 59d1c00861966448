// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers for data: a draw depends on its name (seed, stream and three indices) and on nothing drawn before it.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "causaldpo/core/philox.hpp"

namespace recommender {

/// The library's Philox4x32-10 on plain arrays.
inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  causaldpo::philox_block const words =
      causaldpo::philox4x32(causaldpo::philox_block{{counter[0], counter[1], counter[2], counter[3]}}, causaldpo::philox_key{{key[0], key[1]}});
  return {words.word[0], words.word[1], words.word[2], words.word[3]};
}

/// Draws named by a stream and up to three indices. Integer draws and `uniform` are the same on every machine; `normal` and `gumbels` are so up to
/// the last bit of the C library's `log` and `cos`.
class random_draws {
 public:
  explicit random_draws(std::uint64_t seed) : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)} {}

  /// 64 random bits.
  std::uint64_t bits(std::uint32_t stream, std::uint32_t i, std::uint32_t j = 0, std::uint32_t k = 0) const {
    return joined(philox4x32({k, j, i, stream}, key_), 0);
  }

  /// Uniform on the open interval (0, 1): the middles of 2^52 equal parts.
  double uniform(std::uint32_t stream, std::uint32_t i, std::uint32_t j = 0, std::uint32_t k = 0) const { return open_unit(bits(stream, i, j, k)); }

  /// Uniform on 0 .. n - 1, for n below 2^31 (no probability is off by more than a 2^-21st of itself).
  std::uint32_t below(std::uint32_t n, std::uint32_t stream, std::uint32_t i, std::uint32_t j = 0, std::uint32_t k = 0) const {
    return static_cast<std::uint32_t>(uniform(stream, i, j, k) * n);
  }

  /// Standard normal: sqrt(-2 ln u) cos(2 pi v). Source: Box, Muller, "A note on the generation of random normal deviates", 1958.
  double normal(std::uint32_t stream, std::uint32_t i, std::uint32_t j = 0, std::uint32_t k = 0) const {
    const auto words = philox4x32({k, j, i, stream}, key_);
    constexpr double two_pi = 6.283185307179586;
    return std::sqrt(-2 * std::log(open_unit(joined(words, 0)))) * std::cos(two_pi * open_unit(joined(words, 2)));
  }

  /// Two standard Gumbel draws, -ln(-ln u): adding one to each log-weight and taking the largest draws from the softmax of the weights.
  std::array<double, 2> gumbels(std::uint32_t stream, std::uint32_t i, std::uint32_t j, std::uint32_t k) const {
    const auto words = philox4x32({k, j, i, stream}, key_);
    return {-std::log(-std::log(open_unit(joined(words, 0)))), -std::log(-std::log(open_unit(joined(words, 2))))};
  }

 private:
  static std::uint64_t joined(const std::array<std::uint32_t, 4>& words, std::size_t at) {
    return (std::uint64_t{words[at]} << 32U) | words[at + 1];
  }
  static double open_unit(std::uint64_t bits) { return (static_cast<double>(bits >> 12U) + 0.5) * 0x1p-52; }

  std::array<std::uint32_t, 2> key_;
};

}  // namespace recommender
