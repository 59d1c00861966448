// SPDX-License-Identifier: Apache-2.0
// The lane of a pack: W neighbouring positions. The same interface as scalar_lane (core/lane.hpp).
#pragma once

#include "causaldpo/backends/host/pack.hpp"
#include "causaldpo/core/lane.hpp"

namespace causaldpo {

/// Positions first() .. first() + width - 1, all of them in range.
template <class V>
class pack_lane {
  using elements = pack_traits<V>;
  using T = typename lane_math<V>::scalar;

 public:
  using scalar = T;
  using value = V;
  using mask = typename lane_math<V>::mask;
  static constexpr int width = elements::width;

  explicit pack_lane(index_t first) : first_(first) {}
  index_t first() const { return first_; }

  template <class U, class S>
  value load(view<U, 1, S> v) const {
    return gather(v.data() + first_, 1);
  }
  template <class S>
  void store(view<T, 1, S> v, value x) const {
    elements::store(v.data() + first_, x);
  }
  template <class U, class S>
  value load_column(view<U, 2, S> m, index_t column) const {
    return gather(m.data() + first_ * m.ld() + column, m.ld());
  }
  template <class S>
  void store_column(view<T, 2, S> m, index_t column, value x) const {
    T* const p = m.data() + first_ * m.ld() + column;
    if (m.ld() == 1) return elements::store(p, x);
    auto const all = elements::elements(x);
    for (int w = 0; w < width; ++w) p[w * m.ld()] = all[w];
  }
  template <class U, class S>
  value load_row(view<U, 2, S> m, index_t row) const {
    return gather(m.data() + row * m.ld() + first_, 1);
  }
  template <class S>
  void store_row(view<T, 2, S> m, index_t row, value x) const {
    elements::store(m.data() + row * m.ld() + first_, x);
  }
  template <class U, class S>
  value load_column_if(mask use, view<U, 2, S> m, index_t column, value otherwise) const {
    U* const p = m.data() + first_ * m.ld() + column;
    return elements::generate_where(
        use, [p, ld = m.ld()](int w) { return static_cast<T>(p[w * ld]); }, otherwise);
  }
  template <class S>
  mask flags_column(view<std::uint8_t const, 2, S> m, index_t column) const {
    std::uint8_t const* const p = m.data() + first_ * m.ld() + column;
    return elements::flags([p, ld = m.ld()](int w) { return p[w * ld] != 0; });
  }

  static value broadcast(T x) { return value(x); }
  void note(nan_watch watch, int slot, mask bad, index_t stride = 1, index_t offset = 0) const {
    if (!lane_math<value>::any(bad)) return;
    auto const all = elements::elements(bad);
    for (int w = 0; w < width; ++w)
      if (all[w]) watch.note(slot, (first_ + w) * stride + offset);
  }

 private:
  template <class U>
  static value gather(U* p, index_t stride) {
    if constexpr (std::is_same_v<std::remove_const_t<U>, T>)
      if (stride == 1) return elements::load(p);
    return elements::generate([p, stride](int w) { return static_cast<T>(p[w * stride]); });
  }

  index_t first_;
};

namespace detail {

/// The lane of `Arithmetic::pack<T>` that a functor asks for.
template <class Arithmetic, class F>
using lane_for = pack_lane<typename Arithmetic::template pack<typename F::lane_scalar>>;

/// f at the positions [first, last): packs, and scalars for what does not fill one.
template <class Arithmetic, class F>
void each_position(F const& f, index_t first, index_t last) {
  if constexpr (wants_lanes<F>) {
    using lane = lane_for<Arithmetic, F>;
    if constexpr (lane::width > 1)
      for (; first + lane::width <= last; first += lane::width) f(lane(first));
  }
  for (; first < last; ++first) call_at(f, first);
}
/// f(i, .) at the positions [first, last) of row i.
template <class Arithmetic, class F>
void each_position_of_row(F const& f, index_t i, index_t first, index_t last) {
  if constexpr (wants_lanes<F>) {
    using lane = lane_for<Arithmetic, F>;
    if constexpr (lane::width > 1)
      for (; first + lane::width <= last; first += lane::width) f(i, lane(first));
  }
  for (; first < last; ++first) call_at(f, i, first);
}

}  // namespace detail
}  // namespace causaldpo
