// SPDX-License-Identifier: Apache-2.0
// The two half-precision types as storage: sixteen bits, a rounding constructor, an exact conversion to float, and no
// arithmetic, which is done in float. No header of a vendor is needed; the memory is that of __nv_bfloat16 and __half, of
// Eigen's and of PyTorch's types, so a pointer to those may be cast.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "causaldpo/core/config.hpp"

namespace causaldpo {

namespace detail {
CAUSALDPO_HD inline std::uint32_t float_bits(float x) {
  std::uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  return u;
}
CAUSALDPO_HD inline float float_of_bits(std::uint32_t u) {
  float x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}
/// u / 2^shift to the nearest integer, ties to even; 0 < shift < 32.
CAUSALDPO_HD constexpr std::uint32_t shifted_to_nearest_even(std::uint32_t u, int shift) {
  std::uint32_t const kept = u >> shift, half = 1U << (shift - 1), rest = u & ((half << 1) - 1);
  return kept + (rest > half || (rest == half && (kept & 1U) != 0) ? 1U : 0U);
}
}  // namespace detail

/// The upper half of a float: 8 bits of exponent, 7 of fraction.
class bfloat16 {
 public:
  bfloat16() = default;  ///< not initialised, as a float
  /// Rounds to nearest, ties to even; a NaN stays one.
  CAUSALDPO_HD explicit bfloat16(float x) {
    std::uint32_t const u = detail::float_bits(x);
    bool const nan = (u & 0x7fffffffU) > 0x7f800000U;
    bits_ = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40U : detail::shifted_to_nearest_even(u, 16));
  }
  CAUSALDPO_HD static bfloat16 of_bits(std::uint16_t bits) {
    bfloat16 h;
    h.bits_ = bits;
    return h;
  }
  CAUSALDPO_HD std::uint16_t bits() const { return bits_; }
  /// Exact.
  CAUSALDPO_HD operator float() const { return detail::float_of_bits(static_cast<std::uint32_t>(bits_) << 16); }

 private:
  std::uint16_t bits_;
};

/// IEEE 754 binary16: 5 bits of exponent, 10 of fraction; finite up to 65504, denormal below 2^-14.
class float16 {
 public:
  float16() = default;  ///< not initialised, as a float
  /// Rounds to nearest, ties to even: from 65520 on to infinity; a NaN stays one.
  CAUSALDPO_HD explicit float16(float x) {
    std::uint32_t const u = detail::float_bits(x), sign = u >> 16 & 0x8000U;
    bits_ = static_cast<std::uint16_t>(sign | magnitude(u & 0x7fffffffU));
  }
  CAUSALDPO_HD static float16 of_bits(std::uint16_t bits) {
    float16 h;
    h.bits_ = bits;
    return h;
  }
  CAUSALDPO_HD std::uint16_t bits() const { return bits_; }
  /// Exact.
  CAUSALDPO_HD operator float() const {
    std::uint32_t const sign = static_cast<std::uint32_t>(bits_ & 0x8000U) << 16, rest = bits_ & 0x7fffU;
    if (rest >= 0x7c00U) return detail::float_of_bits(sign | 0x7f800000U | (rest & 0x3ffU) << 13);
    if (rest >= 0x400U) return detail::float_of_bits(sign | ((rest << 13) + exponent_shift));
    float const tiny = static_cast<float>(rest) * 0x1p-24F;
    return sign != 0 ? -tiny : tiny;
  }

 private:
  static constexpr std::uint32_t exponent_shift = 112U << 23;  // the difference of the biases, in a float's place

  CAUSALDPO_HD static std::uint32_t magnitude(std::uint32_t u) {
    if (u > 0x7f800000U) return 0x7e00U | (u >> 13 & 0x3ffU);
    if (u >= 0x477ff000U) return 0x7c00U;                                                  // 65520 and more
    if (u >= 0x38800000U) return detail::shifted_to_nearest_even(u - exponent_shift, 13);  // 2^-14 and more
    int const shift = 126 - static_cast<int>(u >> 23);                                     // of the fraction, to units of 2^-24
    return shift > 24 ? 0U : detail::shifted_to_nearest_even((u & 0x7fffffU) | 0x800000U, shift);
  }

  std::uint16_t bits_;
};

static_assert(sizeof(bfloat16) == 2 && alignof(bfloat16) == 2 && std::is_trivial_v<bfloat16>);
static_assert(sizeof(float16) == 2 && alignof(float16) == 2 && std::is_trivial_v<float16>);

/// A scalar that is stored in sixteen bits and computed with as float. Models: bfloat16, float16. Not: float, short.
template <class T>
concept half_scalar = std::same_as<T, bfloat16> || std::same_as<T, float16>;

/// The scalar in which an operation on T computes and answers.
template <class T>
using computed_in = std::conditional_t<half_scalar<T>, float, T>;

}  // namespace causaldpo
