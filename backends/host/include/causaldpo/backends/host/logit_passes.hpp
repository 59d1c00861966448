// SPDX-License-Identifier: Apache-2.0
// The row passes of a tile of logits, in packs: shaping and the moments of the softmax, and the slopes of a
// log-probability.
#pragma once

#include <algorithm>

#include "causaldpo/backends/host/lane.hpp"
#include "causaldpo/core/watch.hpp"
#include "causaldpo/logprob/logit_shaping.hpp"
#include "causaldpo/logprob/softmax_moments.hpp"

namespace causaldpo::detail {

/// Passes over one row of a tile, in packs V. A row of a tile is at most a few thousand logits and stays in L1 between passes.
template <class V>
struct logit_passes {
  using T = typename lane_math<V>::scalar;
  view<T const, 1> bias;  // of the tile's columns, optional
  index_t first_column;
  logit_shaping<T> shaping;
  bool statistics;  // whether the entropy or the sum of squares is wanted
  nan_watch watch;
  int raised;

  using pack = V;
  using elements = pack_traits<pack>;
  static constexpr index_t width = elements::width;
  static constexpr index_t block = 32 * width;  // logits whose exponentials are added in T before they go to double

  /// Logits z become shaped logits y in place; the moments of the row.
  softmax_moments moments(view<T, 1> row) const {
    accumulator const largest = static_cast<accumulator>(shape(row));
    softmax_moments m(largest);
    if (m.empty()) return m;
    // Of the logits that attain the largest one is left out, the others count 1 each.
    accumulator ties = 0;
    for (index_t first = 0; first < row.size(); first += block) {
      index_t const last = std::min(row.size(), first + block);
      index_t const packed = first + (last - first) / width * width;
      partial_sums<pack> wide;
      for (index_t j = first; j < packed; j += width)
        wide.add(elements::load(row.data() + j), pack(static_cast<T>(largest)), statistics);
      partial_sums<T> narrow;
      for (index_t j = packed; j < last; ++j) narrow.add(row(j), static_cast<T>(largest), statistics);
      m.rest += total(wide.rest) + static_cast<accumulator>(narrow.rest);
      m.weighted += total(wide.weighted) + static_cast<accumulator>(narrow.weighted);
      m.squares += total(wide.squares) + static_cast<accumulator>(narrow.squares);
      ties += total(wide.ties) + static_cast<accumulator>(narrow.ties);
    }
    m.rest += ties - 1;
    m.squares += ties - 1;
    return m;
  }

  /// Shaped logits (or, with `reshape`, logits) become -scale p dy/dz in place; 0 throughout where scale is 0.
  void slopes(view<T, 1> row, bool reshape, T largest, T log_sum, T scale) const {
    if (scale == T(0)) {
      std::fill_n(row.data(), row.size(), T(0));
      return;
    }
    if (reshape && !plain()) shape(row);
    index_t const packed = row.size() / width * width;
    for (index_t j = 0; j < packed; j += width)
      elements::store(row.data() + j, slope_of(elements::load(row.data() + j), largest, log_sum, scale));
    for (index_t j = packed; j < row.size(); ++j) row(j) = slope_of(row(j), largest, log_sum, scale);
  }

 private:
  template <class U>
  struct partial_sums {
    U rest = U(T(0)), weighted = U(T(0)), squares = U(T(0)), ties = U(T(0));
    void add(U y, U largest, bool all) {
      U const zero = U(T(0)), below = y - largest;
      auto const is_below = y < largest;
      U const e = math::select<U>(is_below, math::exp<U>(below), zero);
      rest += e;
      ties += math::select<U>(is_below, zero, U(T(1)));
      if (!all) return;
      weighted += math::select<U>(e > zero, e * below, zero);
      squares += e * e;
    }
  };

  static accumulator total(pack x) {
    accumulator sum = 0;
    auto const all = elements::elements(x);
    for (int w = 0; w < elements::width; ++w) sum += static_cast<accumulator>(all[w]);
    return sum;
  }
  /// Whether a logit is its own shaped logit.
  bool plain() const { return !bias.given() && shaping.cap == T(0) && shaping.temperature == T(1); }

  /// Shapes a row in place and returns its largest entry; notes NaN of the bias in slot 2, and that a logit is none.
  T shape(view<T, 1> row) const {
    index_t const packed = row.size() / width * width;
    bool const as_it_is = plain();
    pack top(-math::infinity<T>());
    for (index_t j = 0; j < packed; j += width) {
      pack const y = shaped(pack_lane<pack>(j), row, as_it_is);
      top = math::max<pack>(y, top);
    }
    T largest = -math::infinity<T>();
    auto const tops = elements::elements(top);
    for (int w = 0; w < elements::width; ++w) largest = std::max(largest, tops[w]);
    for (index_t j = packed; j < row.size(); ++j) largest = math::max<T>(shaped(scalar_lane<T>(j), row, as_it_is), largest);
    return largest;
  }
  template <class L>
  auto shaped(L const& lane, view<T, 1> row, bool as_it_is) const {
    using U = typename L::value;
    U z = lane.load(row);
    if (bias.given()) {
      U const b = lane.load(bias);
      lane.note(watch, 2, math::is_nan<U>(b), 1, first_column);
      z = z + b;
    }
    lane.note(watch, raised, math::is_nan<U>(z));
    if (as_it_is) return z;
    U const y = shaping.cap == T(0) && shaping.temperature == T(1) ? z : shaping.shaped(z);
    lane.store(row, y);
    return y;
  }
  template <class U>
  U slope_of(U y, T largest, T log_sum, T scale) const {
    U const zero = U(T(0)), m = U(largest), below = math::select<U>(y >= m, zero, y - m);
    U const p = math::select<U>(y > U(-math::infinity<T>()), math::exp<U>(below - U(log_sum)), zero);
    if (shaping.cap == T(0) && shaping.temperature == T(1)) return U(-scale) * p;
    return math::select<U>(p > zero, U(-scale) * p * shaping.template slope<U>(y), zero);
  }
};

}  // namespace causaldpo::detail
