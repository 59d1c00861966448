// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: a draw is a function of its name (seed, stream, index, draw) and of nothing else, so
// every backend and every number of threads draws the same.
#pragma once

#include <cmath>
#include <type_traits>

#include "causaldpo/core/config.hpp"

namespace causaldpo {

/// Four random words, and the counter from which they are made.
struct philox_block {
  std::uint32_t word[4];
  /// Words 2 half and 2 half + 1 as one number, the first of them most significant; half is 0 or 1.
  CAUSALDPO_HD constexpr std::uint64_t bits(int half) const {
    return (static_cast<std::uint64_t>(word[2 * half]) << 32) | word[2 * half + 1];
  }
};

/// The key of a family of blocks.
struct philox_key {
  std::uint32_t word[2];
};

/// Philox4x32-10: a bijection of the 128-bit counters for each key that passes BigCrush.
/// Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
CAUSALDPO_HD constexpr philox_block philox4x32(philox_block counter, philox_key key) {
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const a = std::uint64_t{0xD2511F53U} * counter.word[0];
    std::uint64_t const b = std::uint64_t{0xCD9E8D57U} * counter.word[2];
    counter = philox_block{{static_cast<std::uint32_t>(b >> 32) ^ counter.word[1] ^ key.word[0], static_cast<std::uint32_t>(b),
                            static_cast<std::uint32_t>(a >> 32) ^ counter.word[3] ^ key.word[1], static_cast<std::uint32_t>(a)}};
    key.word[0] += 0x9E3779B9U;
    key.word[1] += 0xBB67AE85U;
  }
  return counter;
}

/// The high 64 bits of the 128-bit product, in 32-bit parts (ISO C++ has no wider integer).
CAUSALDPO_HD constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  std::uint64_t const a0 = a & 0xffffffffU, a1 = a >> 32, b0 = b & 0xffffffffU, b1 = b >> 32;
  std::uint64_t const middle = a1 * b0 + (a0 * b0 >> 32);
  std::uint64_t const low_middle = a0 * b1 + (middle & 0xffffffffU);
  return a1 * b1 + (middle >> 32) + (low_middle >> 32);
}

/// Uniform on [0, 1) from 64 random bits: the 53 (double) or 24 (float) highest of them over 2^53 or 2^24.
template <class T>
CAUSALDPO_HD constexpr T unit_interval(std::uint64_t bits) {
  if constexpr (std::is_same_v<T, float>) return static_cast<float>(bits >> 40) * 0x1p-24F;
  else return static_cast<T>(bits >> 11) * static_cast<T>(0x1p-53);
}

/// The draws of one purpose. `seed` is the experiment's, `stream` names the purpose (initialisation, negatives,
/// dropout, an epoch, ...), `index` the thing drawn for (an example), `draw` counts its draws and must be < 2^24.
/// Different names give independent draws; one name always gives the same. Trivially copyable; cost: one Philox block
/// of ten rounds for each call.
struct random_stream {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;

  /// 128 random bits. `retry` (< 256) gives further blocks under one name; `below` needs them.
  CAUSALDPO_HD constexpr philox_block block(std::uint64_t index, std::uint32_t draw = 0, std::uint32_t retry = 0) const {
    return philox4x32(
        philox_block{{draw | (retry << 24), static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), stream}},
        philox_key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}});
  }

  /// Uniform on [0, 1): a multiple of 2^-53 for double, of 2^-24 for float.
  template <class T = double>
  CAUSALDPO_HD constexpr T uniform(std::uint64_t index, std::uint32_t draw = 0) const {
    return unit_interval<T>(block(index, draw).bits(0));
  }

  /// Uniform on 0 .. n - 1 without modulo bias (n = 0 gives 0): the high half of a 64-bit word times n, and the word is
  /// drawn again when the low half shows that it lies in the uneven rest. That happens with probability below
  /// n / 2^64 a word; after 512 words (never, in practice) the last is taken.
  /// Source: Lemire, "Fast random integer generation in an interval", ACM TOMACS 29 (2019), algorithm 5.
  CAUSALDPO_HD constexpr std::uint64_t below(std::uint64_t n, std::uint64_t index, std::uint32_t draw = 0) const {
    if (n == 0) return 0;
    std::uint64_t const rest = (std::uint64_t{0} - n) % n;  // 2^64 mod n
    std::uint64_t chosen = 0;
    for (std::uint32_t retry = 0; retry < 256; ++retry) {
      philox_block const words = block(index, draw, retry);
      for (int half = 0; half < 2; ++half) {
        chosen = multiply_high(words.bits(half), n);
        if (words.bits(half) * n >= rest) return chosen;
      }
    }
    return chosen;
  }

  /// Standard normal: sqrt(-2 log u) cos(2 pi v), u in (0, 1]. The same up to the last bits of the platform's log
  /// and cos. Source: Box and Muller, "A note on the generation of random normal deviates", 1958.
  template <class T = double>
  CAUSALDPO_HD T normal(std::uint64_t index, std::uint32_t draw = 0) const {
    philox_block const words = block(index, draw);
    T const u = T(1) - unit_interval<T>(words.bits(0)), v = unit_interval<T>(words.bits(1));
    return std::sqrt(T(-2) * std::log(u)) * std::cos(static_cast<T>(6.283185307179586) * v);
  }
};

}  // namespace causaldpo
