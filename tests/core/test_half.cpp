// SPDX-License-Identifier: Apache-2.0
// The half types: every pattern there and back, rounding to nearest even between all neighbours, and the edges by hand.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "causaldpo/core/half.hpp"

namespace causaldpo::test {
namespace {

/// The value of a pattern by its definition, in double, which holds all of them.
double by_definition(std::uint16_t bits, int fraction_bits) {
  int const fraction = bits & ((1 << fraction_bits) - 1), largest = (1 << (15 - fraction_bits)) - 1;
  int const exponent = bits >> fraction_bits & largest, bias = largest / 2;
  double magnitude;
  if (exponent == largest)
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    magnitude = std::ldexp(fraction, 1 - bias - fraction_bits);
  else
    magnitude = std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
  return bits & 0x8000 ? -magnitude : magnitude;
}
template <class H>
constexpr int fraction_bits = std::is_same_v<H, bfloat16> ? 7 : 10;

std::uint16_t next(std::uint16_t bits) { return static_cast<std::uint16_t>(bits + 1); }

}  // namespace

TEST_CASE_TEMPLATE("half: all 65536 patterns are what they are defined to be, and come back", H, bfloat16, float16) {
  int wrong = 0;
  for (int p = 0; p < 65536; ++p) {
    auto const bits = static_cast<std::uint16_t>(p);
    float const x = H::of_bits(bits);
    double const expected = by_definition(bits, fraction_bits<H>);
    std::uint16_t const back = H(x).bits();
    if (std::isnan(expected))
      wrong += !(std::isnan(x) && std::isnan(static_cast<float>(H::of_bits(back))) && (back & 0x8000) == (bits & 0x8000));
    else
      wrong += !(static_cast<double>(x) == expected && std::signbit(x) == std::signbit(expected) && back == bits);
  }
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("half: between all neighbours the nearer one, half way the even one", H, bfloat16, float16) {
  int wrong = 0;
  std::uint16_t const infinity = H(std::numeric_limits<float>::infinity()).bits();
  for (std::uint16_t low = 0; next(low) < infinity; ++low) {
    float const a = H::of_bits(low), b = H::of_bits(next(low));
    float const middle = static_cast<float>(0.5 * (static_cast<double>(a) + static_cast<double>(b)));
    std::uint16_t const even = low % 2 == 0 ? low : next(low);
    for (float sign : {1.0F, -1.0F}) {
      int const flag = sign < 0 ? 0x8000 : 0;
      wrong += H(sign * middle).bits() != (even | flag);
      wrong += H(sign * std::nextafter(middle, 0.0F)).bits() != (low | flag);
      wrong += H(sign * std::nextafter(middle, b)).bits() != (next(low) | flag);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("half: large, tiny, not a number") {
  float const largest = std::numeric_limits<float>::max();
  CHECK(float16(65504.0F).bits() == 0x7bff);
  CHECK(float16(65519.996F).bits() == 0x7bff);
  CHECK(float16(65520.0F).bits() == 0x7c00);
  CHECK(float16(-largest).bits() == 0xfc00);
  CHECK(float16(0x1p-24F).bits() == 1);
  CHECK(float16(0x1p-25F).bits() == 0);  // half way to 0, which is even
  CHECK(float16(0x1.000002p-25F).bits() == 1);
  CHECK(float16(std::numeric_limits<float>::denorm_min()).bits() == 0);
  CHECK(float16(1.0F).bits() == 0x3c00);
  CHECK(bfloat16(1.0F).bits() == 0x3f80);
  CHECK(bfloat16(largest).bits() == 0x7f80);  // nearer to the next power of two, which is infinity
  CHECK(bfloat16(0x1.fep127F).bits() == 0x7f7f);
  CHECK(bfloat16(detail::float_of_bits(0x7f800001U)).bits() == 0x7fc0);  // its set bits are below the cut
  CHECK(float16(detail::float_of_bits(0xff800001U)).bits() == 0xfe00);
  static_assert(half_scalar<bfloat16> && half_scalar<float16> && !half_scalar<float> && !half_scalar<std::uint16_t>);
  static_assert(std::is_same_v<computed_in<float16>, float> && std::is_same_v<computed_in<double>, double>);
}

}  // namespace causaldpo::test
