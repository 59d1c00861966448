// SPDX-License-Identifier: Apache-2.0
// A lane: the position (or pack of neighbouring positions) at which an elementwise functor works. A functor that
// declares `using lane_scalar = T;` is handed a lane by `launch`, so that one source runs one element at a time on a
// GPU and a SIMD register at a time on a CPU. This is the scalar lane; backends with packs bring their own.
#pragma once

#include "causaldpo/core/math.hpp"
#include "causaldpo/core/view.hpp"
#include "causaldpo/core/watch.hpp"

namespace causaldpo {

/// One position. Models the lane interface: `value`, `mask`, `width`, and the members below; a pack of width W
/// does the same for `first() .. first() + W - 1`.
template <class T>
class scalar_lane {
 public:
  using scalar = T;
  using value = T;
  using mask = bool;
  static constexpr int width = 1;

  CAUSALDPO_HD constexpr explicit scalar_lane(index_t first) : first_(first) {}
  CAUSALDPO_HD constexpr index_t first() const { return first_; }

  /// Elements of a vector at the lane.
  template <class U, class S> CAUSALDPO_HD value load(view<U, 1, S> v) const { return v.at(first_); }
  template <class S> CAUSALDPO_HD void store(view<T, 1, S> v, value x) const { v.at(first_) = x; }
  /// Lanes over rows: element `column` of each row (a strided gather).
  template <class U, class S> CAUSALDPO_HD value load_column(view<U, 2, S> m, index_t column) const { return m.at(first_, column); }
  template <class S> CAUSALDPO_HD void store_column(view<T, 2, S> m, index_t column, value x) const { m.at(first_, column) = x; }
  /// Lanes over columns: neighbouring elements of row `row`.
  template <class U, class S> CAUSALDPO_HD value load_row(view<U, 2, S> m, index_t row) const { return m.at(row, first_); }
  template <class S> CAUSALDPO_HD void store_row(view<T, 2, S> m, index_t row, value x) const { m.at(row, first_) = x; }
  /// Like load_column, but reads only where `use` is set and yields `otherwise` elsewhere: masked slots are not read.
  template <class U, class S> CAUSALDPO_HD value load_column_if(mask use, view<U, 2, S> m, index_t column, value otherwise) const {
    return use ? m.at(first_, column) : otherwise;
  }
  /// Column of a mask: set where the byte is not 0.
  template <class S> CAUSALDPO_HD mask flags_column(view<std::uint8_t const, 2, S> m, index_t column) const { return m.at(first_, column) != 0; }

  CAUSALDPO_HD static constexpr value broadcast(T x) { return x; }
  /// Notes, for each element in which `bad` is set, the flat position (first + w) * stride + offset of input `slot`.
  CAUSALDPO_HD void note(nan_watch watch, int slot, mask bad, index_t stride = 1, index_t offset = 0) const {
    if (bad) watch.note(slot, first_ * stride + offset);
  }

 private:
  index_t first_;
};

/// The functor asks for lanes of `F::lane_scalar`.
template <class F>
concept wants_lanes = requires { typename F::lane_scalar; };

/// Calls an elementwise functor at one position, as a backend without packs does.
template <class F>
CAUSALDPO_HD void call_at(F const& f, index_t i) {
  if constexpr (wants_lanes<F>) f(scalar_lane<typename F::lane_scalar>(i));
  else f(i);
}
/// The same for a two-dimensional functor `f(row, column-or-lane)`.
template <class F>
CAUSALDPO_HD void call_at(F const& f, index_t i, index_t j) {
  if constexpr (wants_lanes<F>) f(i, scalar_lane<typename F::lane_scalar>(j));
  else f(i, j);
}

}  // namespace causaldpo
