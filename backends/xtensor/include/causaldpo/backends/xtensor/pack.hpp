// SPDX-License-Identifier: Apache-2.0
// xsimd's batches as packs: the mathematics of core/math.hpp over neighbouring elements in one SIMD register, as wide as
// the processor's that is compiled for.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "causaldpo/backends/host/pack.hpp"
#include "causaldpo/backends/xtensor/config.hpp"

namespace causaldpo {

/// xsimd's functions, within 8 units in the last place of the scalar ones. They are replaced at the edges alone: exp and
/// expm1 where the results come near the largest and the smallest numbers, log of a denormal.
template <class T, class A>
struct lane_math<xsimd::batch<T, A>> {
  using scalar = T;
  using pack = xsimd::batch<T, A>;
  using mask = xsimd::batch_bool<T, A>;

  static pack broadcast(T x) { return pack(x); }
  static pack select(mask m, pack a, pack b) { return xsimd::select(m, a, b); }
  static mask both(mask a, mask b) { return a & b; }
  static mask either(mask a, mask b) { return a | b; }
  static mask negation(mask a) { return ~a; }
  static bool any(mask a) { return xsimd::any(a); }
  /// By bits, so that it holds even when a host program is compiled with -Ofast.
  static mask is_nan(pack x) {
    using bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    using bits_pack = xsimd::batch<bits, A>;
    constexpr bits infinity = sizeof(T) == 4 ? bits(0x7f800000) : static_cast<bits>(0x7ff0000000000000LL);
    bits_pack const magnitude = xsimd::bitwise_cast<bits_pack>(x) & bits_pack(std::numeric_limits<bits>::max());
    auto const beyond = magnitude > bits_pack(infinity);
    typename mask::register_type same_bits;
    static_assert(sizeof(same_bits) == sizeof(beyond.data));
    std::memcpy(&same_bits, &beyond.data, sizeof(same_bits));
    return mask(same_bits);
  }
  static pack abs(pack x) { return xsimd::abs(x); }
  static pack sqrt(pack x) { return xsimd::sqrt(x); }
  static pack exp(pack x) {
    return detail::exp_to_the_limits(x, [](pack v) { return xsimd::exp(v); });
  }
  static pack log(pack x) {
    return detail::log_with_denormals(x, [](pack v) { return xsimd::log(v); });
  }
  static pack log1p(pack x) { return xsimd::log1p(x); }
  static pack expm1(pack x) {
    pack y = xsimd::expm1(x);
    mask const large = x > pack(sizeof(T) == 4 ? T(87) : T(708));  // the 1 is far below the last place
    if (any(large)) y = select(large, exp(x), y);
    return y;
  }
  static pack tanh(pack x) { return xsimd::tanh(x); }
};

namespace detail {
/// What a batch or a mask holds, element by element.
template <class E, int W>
struct stored_elements {
  E all[W];
  E operator[](int w) const { return all[w]; }
};
}  // namespace detail

/// The elements of a batch.
template <class T, class A>
struct pack_traits<xsimd::batch<T, A>> {
  using pack = xsimd::batch<T, A>;
  using mask = xsimd::batch_bool<T, A>;
  static constexpr int width = static_cast<int>(pack::size);

  static pack load(T const* p) { return pack::load_unaligned(p); }
  static void store(T* p, pack x) { x.store_unaligned(p); }
  template <class F>
  static pack generate(F const& f) {
    return each(f, std::make_integer_sequence<int, width>{});
  }
  template <class F>
  static pack generate_where(mask m, F const& f, pack x) {
    auto const set = elements(m);
    auto all = elements(x);
    for (int w = 0; w < width; ++w)
      if (set[w]) all.all[w] = f(w);
    return load(all.all);
  }
  template <class F>
  static mask flags(F const& f) {
    return generate([&f](int w) { return f(w) ? T(1) : T(0); }) != pack(T(0));
  }
  static detail::stored_elements<T, width> elements(pack x) {
    detail::stored_elements<T, width> stored;
    x.store_unaligned(stored.all);
    return stored;
  }
  static detail::stored_elements<bool, width> elements(mask m) {
    detail::stored_elements<bool, width> stored;
    m.store_unaligned(stored.all);
    return stored;
  }

 private:
  template <class F, int... W>
  static pack each(F const& f, std::integer_sequence<int, W...>) {
    return pack({f(W)...});
  }
};

}  // namespace causaldpo
