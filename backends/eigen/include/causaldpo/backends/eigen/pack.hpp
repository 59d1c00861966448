// SPDX-License-Identifier: Apache-2.0
// A pack: neighbouring elements in one SIMD register, as wide as Eigen's packet for this processor, with the
// mathematics of core/math.hpp. Arithmetic comes from the compiler's vector types, exp, log and tanh from Eigen.
#pragma once

#include <cmath>
#include <cstring>
#include <type_traits>

#include "causaldpo/backends/eigen/config.hpp"
#include "causaldpo/backends/host/intrinsics.hpp"
#include "causaldpo/backends/host/pack.hpp"
#include "causaldpo/core/math.hpp"

namespace causaldpo {

namespace detail {
template <class T>
inline constexpr int native_width = static_cast<int>(Eigen::internal::packet_traits<T>::size);
template <class T>
using bits_of = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
}  // namespace detail

/// What a comparison of packs yields: all bits set, or none, for each element.
template <class T, int W>
struct eigen_mask {
  typedef detail::bits_of<T> vector_type __attribute__((vector_size(W * sizeof(T))));
  vector_type v;
  bool operator[](int w) const { return v[w] != 0; }
};

/// W neighbouring elements of type T. A plain T broadcasts.
template <class T, int W = detail::native_width<T>>
struct eigen_pack {
  typedef T vector_type __attribute__((vector_size(W * sizeof(T))));
  using mask = eigen_mask<T, W>;
  static constexpr int width = W;
  vector_type v;

  eigen_pack() : v{} {}
  eigen_pack(T x) : v(x - vector_type{}) {}
  /// A pack of a compiler vector.
  static eigen_pack of(vector_type x) {
    eigen_pack p;
    p.v = x;
    return p;
  }
  T operator[](int w) const { return v[w]; }

  friend eigen_pack operator+(eigen_pack a, eigen_pack b) { return of(a.v + b.v); }
  friend eigen_pack operator-(eigen_pack a, eigen_pack b) { return of(a.v - b.v); }
  friend eigen_pack operator*(eigen_pack a, eigen_pack b) { return of(a.v * b.v); }
  friend eigen_pack operator/(eigen_pack a, eigen_pack b) { return of(a.v / b.v); }
  friend eigen_pack operator-(eigen_pack a) { return of(-a.v); }
  friend eigen_pack operator+(eigen_pack a) { return a; }
  eigen_pack& operator+=(eigen_pack b) { return *this = *this + b; }
  eigen_pack& operator-=(eigen_pack b) { return *this = *this - b; }
  eigen_pack& operator*=(eigen_pack b) { return *this = *this * b; }
  eigen_pack& operator/=(eigen_pack b) { return *this = *this / b; }
  friend mask operator<(eigen_pack a, eigen_pack b) { return to_mask(a.v < b.v); }
  friend mask operator>(eigen_pack a, eigen_pack b) { return to_mask(a.v > b.v); }
  friend mask operator<=(eigen_pack a, eigen_pack b) { return to_mask(a.v <= b.v); }
  friend mask operator>=(eigen_pack a, eigen_pack b) { return to_mask(a.v >= b.v); }
  friend mask operator==(eigen_pack a, eigen_pack b) { return to_mask(a.v == b.v); }
  friend mask operator!=(eigen_pack a, eigen_pack b) { return to_mask(a.v != b.v); }

  /// W elements from or to memory of any alignment.
  static eigen_pack load(T const* p) {
    eigen_pack x;
    std::memcpy(&x.v, p, sizeof(x.v));
    return x;
  }
  void store(T* p) const { std::memcpy(p, &v, sizeof(v)); }

 private:
  template <class M>
  static mask to_mask(M m) {
    return mask{reinterpret_cast<typename mask::vector_type>(m)};
  }
};

namespace detail {

/// Calls an element function for each element: where Eigen has no packet version that holds at the edges.
template <class T, int W, class F>
eigen_pack<T, W> each_element(eigen_pack<T, W> x, F const& f) {
  for (int w = 0; w < W; ++w) x.v[w] = f(x.v[w]);
  return x;
}

/// The Eigen packet of the same width, and back.
template <class T>
using native_packet = typename Eigen::internal::packet_traits<T>::type;
template <class T, int W>
native_packet<T> to_packet(eigen_pack<T, W> x) {
  static_assert(sizeof(native_packet<T>) == sizeof(x.v));
  native_packet<T> p;
  std::memcpy(&p, &x.v, sizeof(p));
  return p;
}
template <class T, int W>
eigen_pack<T, W> from_packet(native_packet<T> p) {
  eigen_pack<T, W> x;
  std::memcpy(&x.v, &p, sizeof(p));
  return x;
}

/// Whether any bit of a mask is set.
template <class M>
bool any_bit(M const& m) {
#if defined(__AVX512F__)
  if constexpr (sizeof(m) == 64) return _mm512_test_epi64_mask(reinterpret_cast<__m512i>(m), reinterpret_cast<__m512i>(m)) != 0;
#endif
#if defined(__AVX__)
  if constexpr (sizeof(m) == 32) return _mm256_testz_si256(reinterpret_cast<__m256i>(m), reinterpret_cast<__m256i>(m)) == 0;
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(m) == 16) return _mm_movemask_epi8(reinterpret_cast<__m128i>(m)) != 0;
#endif
  constexpr int count = static_cast<int>(sizeof(m) / sizeof(m[0]));
  bool found = false;
  for (int w = 0; w < count; ++w) found = found || m[w] != 0;
  return found;
}

}  // namespace detail

/// The mathematics of packs: within a few units in the last place of the scalar functions, with the same limits at
/// +-infinity and full relative accuracy near 0. Where Eigen's versions saturate (exp beyond +-88, the smallest
/// exponents of log), a second evaluation that costs nothing unless such an element occurs replaces them.
template <class T, int W>
struct lane_math<eigen_pack<T, W>> {
  using scalar = T;
  using mask = eigen_mask<T, W>;
  using pack = eigen_pack<T, W>;
  using bits = typename mask::vector_type;

  static pack broadcast(T x) { return pack(x); }
  static pack select(mask m, pack a, pack b) { return pack::of(m.v ? a.v : b.v); }
  static mask both(mask a, mask b) { return mask{a.v & b.v}; }
  static mask either(mask a, mask b) { return mask{a.v | b.v}; }
  static mask negation(mask a) { return mask{~a.v}; }
  static bool any(mask a) { return detail::any_bit(a.v); }
  static mask is_nan(pack x) { return mask{magnitude(x) > infinity_bits}; }
  static pack abs(pack x) { return pack::of(reinterpret_cast<typename pack::vector_type>(magnitude(x))); }
  static pack sqrt(pack x) {
    return detail::each_element(x, [](T e) { return std::sqrt(e); });
  }

  static pack exp(pack x) {
    if constexpr (!traits::HasExp)
      return detail::each_element(x, [](T e) { return std::exp(e); });
    else {
      return detail::exp_to_the_limits(x, eigen_exp);
    }
  }
  static pack log(pack x) {
    if constexpr (!traits::HasLog)
      return detail::each_element(x, [](T e) { return std::log(e); });
    else {
      return detail::log_with_denormals(x, eigen_log);
    }
  }
  /// x log(u) / (u - 1) with u = 1 + x rounded: the error of u cancels (Kahan).
  static pack log1p(pack x) {
    if constexpr (!traits::HasLog)
      return detail::each_element(x, [](T e) { return std::log1p(e); });
    else {
      pack const one(T(1)), u = one + x, d = u - one;
      pack const y = x * (eigen_log(u) / d);
      return select(either(d == pack(T(0)), u == pack(math::infinity<T>())), x, y);
    }
  }
  /// (u - 1) x / log(u) with u = e^x rounded (Kahan).
  static pack expm1(pack x) {
    if constexpr (!traits::HasExp || !traits::HasLog)
      return detail::each_element(x, [](T e) { return std::expm1(e); });
    else {
      pack const one(T(1)), u = exp(x), d = u - one;
      pack y = d * (x / eigen_log(u));
      y = select(u == one, x, y);
      y = select(either(d == -one, u == pack(math::infinity<T>())), d, y);
      return y;
    }
  }
  /// -d / (d + 2) with d = expm1(-2|x|), and the sign of x.
  static pack tanh(pack x) {
    pack const d = expm1(abs(x) * pack(T(-2)));
    pack const y = -d / (d + pack(T(2)));
    return pack::of(
        reinterpret_cast<typename pack::vector_type>(reinterpret_cast<bits>(y.v) | (reinterpret_cast<bits>(x.v) & sign_bit)));
  }

 private:
  using traits = Eigen::internal::packet_traits<T>;
  using element_bits = detail::bits_of<T>;
  static constexpr element_bits infinity_bits =
      sizeof(T) == 4 ? element_bits(0x7f800000) : static_cast<element_bits>(0x7ff0000000000000LL);
  static constexpr element_bits sign_bit = std::numeric_limits<element_bits>::min();
  static bits magnitude(pack x) { return reinterpret_cast<bits>(x.v) & std::numeric_limits<element_bits>::max(); }
  static pack eigen_exp(pack x) { return detail::from_packet<T, W>(Eigen::internal::pexp(detail::to_packet(x))); }
  static pack eigen_log(pack x) { return detail::from_packet<T, W>(Eigen::internal::plog(detail::to_packet(x))); }
};

/// The elements of an eigen_pack.
template <class T, int W>
struct pack_traits<eigen_pack<T, W>> {
  using pack = eigen_pack<T, W>;
  using mask = eigen_mask<T, W>;
  static constexpr int width = W;

  static pack load(T const* p) { return pack::load(p); }
  static void store(T* p, pack x) { x.store(p); }
  template <class F>
  static pack generate(F const& f) {
    pack x;
    for (int w = 0; w < W; ++w) x.v[w] = f(w);
    return x;
  }
  template <class F>
  static pack generate_where(mask m, F const& f, pack x) {
    for (int w = 0; w < W; ++w)
      if (m[w]) x.v[w] = f(w);
    return x;
  }
  template <class F>
  static mask flags(F const& f) {
    mask m{};
    for (int w = 0; w < W; ++w) m.v[w] = f(w) ? -1 : 0;
    return m;
  }
  static pack const& elements(pack const& x) { return x; }
  static mask const& elements(mask const& m) { return m; }
};

}  // namespace causaldpo
