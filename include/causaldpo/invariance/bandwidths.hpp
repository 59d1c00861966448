// SPDX-License-Identifier: Apache-2.0
// The bandwidths of a rule. The median of all pairwise squared distances is exact and needs no B x B memory: the bits
// of a number >= 0 are ordered as the number is, so its digits are found from the top, eight bits to a pass over the
// tiles, by counting. 4 passes for float, 8 for double, and one for the next larger value and the mean.
#pragma once

#include "causaldpo/invariance/distance_tiles.hpp"
#include "causaldpo/invariance/kernels.hpp"

namespace causaldpo::detail {

/// The bits of a number >= 0, in its own order.
template <class T>
CAUSALDPO_HD std::uint64_t ordered_bits(T x) {
  std::uint64_t bits = 0;
  if constexpr (sizeof(T) == 4) {
    std::uint32_t narrow;
    std::memcpy(&narrow, &x, 4);
    bits = narrow;
  } else {
    std::memcpy(&bits, &x, 8);
  }
  return bits;
}
template <class T>
CAUSALDPO_HD T from_ordered_bits(std::uint64_t bits) {
  T x;
  if constexpr (sizeof(T) == 4) {
    std::uint32_t const narrow = static_cast<std::uint32_t>(bits);
    std::memcpy(&x, &narrow, 4);
  } else {
    std::memcpy(&x, &bits, 8);
  }
  return x;
}

/// What is known of the wanted order statistic.
struct selection {
  std::uint64_t prefix;  // its leading bits
  std::int64_t rank;     // its rank among the values with this prefix
  std::int64_t equal;    // how many values have this prefix
};

template <class T, class S>
struct fill_with {
  view<T, 1, S> x;
  T value;
  CAUSALDPO_HD void operator()(index_t i) const { x.at(i) = value; }
};
template <class S>
struct start_selection {
  view<selection, 1, S> state;
  std::int64_t rank, count;
  CAUSALDPO_HD void operator()(index_t) const { state.at(0) = {0, rank, count}; }
};

/// The digit at `shift` of a distance whose leading bits are the selection's; -1 of any other.
template <class T>
CAUSALDPO_HD int digit_after(std::uint64_t prefix, T distance, int shift) {
  std::uint64_t const bits = ordered_bits(distance);
  return (shift + 8 < 64 ? bits >> (shift + 8) : 0) == prefix ? static_cast<int>((bits >> shift) & 255) : -1;
}

/// f(i): adds to row i's histogram the next digit of each distance of the tile that has the prefix (pairs i < j only).
template <class T, class S>
struct count_digits {
  view<T const, 2, S> tile;
  index_t top, left;
  int shift;
  view<selection const, 1, S> state;
  view<std::int64_t, 2, S> histograms;  // [tile rows, 256]
  CAUSALDPO_HD void operator()(index_t i) const {
    std::uint64_t const prefix = state.at(0).prefix;
    index_t const first = top + i + 1 - left;
    for (index_t j = first > 0 ? first : 0; j < tile.cols(); ++j) {
      int const digit = digit_after(prefix, tile.at(i, j), shift);
      if (digit >= 0) ++histograms.at(i, digit);
    }
  }
};
template <class S>
struct histogram_map {
  view<std::int64_t const, 2, S> histograms;
  CAUSALDPO_HD std::int64_t operator()(index_t i, index_t digit) const { return histograms.at(i, digit); }
};
/// One work item: the digit in which the rank lies.
template <class S>
struct choose_digit {
  view<std::int64_t const, 1, S> counts;
  view<selection, 1, S> state;
  CAUSALDPO_HD void operator()(index_t) const {
    selection s = state.at(0);
    index_t digit = 0;
    while (digit < 255 && s.rank >= counts.at(digit)) s.rank -= counts.at(digit++);
    state.at(0) = {(s.prefix << 8) | static_cast<std::uint64_t>(digit), s.rank, counts.at(digit)};
  }
};

/// f(i): row i's share of the sum of the distances, and the smallest distance above the one that was selected.
template <class T, class S>
struct sum_and_next {
  view<T const, 2, S> tile;
  index_t top, left;
  view<selection const, 1, S> state;
  view<accumulator, 1, S> sums, nexts;
  CAUSALDPO_HD void operator()(index_t i) const {
    T const selected = from_ordered_bits<T>(state.at(0).prefix);
    index_t const first = top + i + 1 - left;
    for (index_t j = first > 0 ? first : 0; j < tile.cols(); ++j) {
      accumulator const d = static_cast<accumulator>(tile.at(i, j));
      sums.at(i) += d;
      if (tile.at(i, j) > selected) nexts.at(i) = math::min(d, nexts.at(i));
    }
  }
};
template <class S>
struct entry_map {
  view<accumulator const, 1, S> x;
  CAUSALDPO_HD accumulator operator()(index_t i) const { return x.at(i); }
};

/// One work item: s_m, their scales 1 / (2 s_m^2) (kept finite) and the output bandwidths_used.
template <class T, class S>
struct finish_bandwidths {
  bandwidth_rule rule;
  view<selection const, 1, S> state;            // not given: no pair, or a list
  view<accumulator const, 1, S> sum_and_next_;  // [2]
  std::int64_t pairs;
  view<accumulator, 1, S> scales;
  view<T, 1, S> used;
  CAUSALDPO_HD accumulator unit() const {
    if (!state.given()) return 1;
    selection const s = state.at(0);
    accumulator median = static_cast<accumulator>(from_ordered_bits<T>(s.prefix));
    if (pairs % 2 == 0 && s.rank + 1 >= s.equal) median = (median + sum_and_next_.at(1)) / 2;
    if (!(median > 0)) median = sum_and_next_.at(0) / static_cast<accumulator>(pairs);
    return median > 0 ? math::sqrt(median) : 1;
  }
  CAUSALDPO_HD void operator()(index_t) const {
    accumulator const base = rule.is_median() ? unit() : 1, largest = sizeof(T) == 4 ? 1e38 : 1e300;
    for (int m = 0; m < rule.count(); ++m) {
      accumulator const s = base * (rule.is_median() ? rule.median_multipliers[m] : rule.bandwidths[m]);
      scales.at(m) = math::min(1 / (2 * s * s), largest);
      if (used.given()) used.at(m) = static_cast<T>(s);
    }
  }
};

/// scales[m] = 1 / (2 s_m^2) and used[m] = s_m (if given), m < rule.count(), for n rows. What goes over the distances is a
/// backend's own:
///   tiles.histograms()                               how many histograms are counted at the same time
///   tiles.count(shift, state, histograms [.,256])    count_digits over all pairs, anew
///   tiles.sums()                                     how many sums are made at the same time
///   tiles.sum(state, sums, nexts)                    sum_and_next over all pairs, anew
template <class T, backend B, class Tiles>
void resolve_bandwidths(B& be, Tiles& tiles, index_t n, bandwidth_rule const& rule,
                        view<accumulator, 1, typename B::space> scales, view<T, 1, typename B::space> used) {
  using S = typename B::space;
  std::int64_t const pairs = n * (n - 1) / 2;
  if (!rule.is_median() || pairs == 0) return be.launch(1, finish_bandwidths<T, S>{rule, {}, {}, 0, scales, used});
  index_t const lines = tiles.histograms(), parts = tiles.sums();
  auto const state = be.template allocate<selection>(1);
  auto const memory = be.template allocate<std::int64_t>(lines * 256);
  auto const counts = be.template allocate<std::int64_t>(256);
  auto const rows = be.template allocate<accumulator>(2 * parts);
  auto const totals = be.template allocate<accumulator>(2);
  view<std::int64_t, 2, S> const histograms = memory.matrix(lines, 256);
  view<accumulator, 1, S> const sums = rows.vector().part(0, parts), nexts = rows.vector().part(parts, parts);
  be.launch(1, start_selection<S>{state.vector(), (pairs - 1) / 2, pairs});
  for (int shift = 8 * static_cast<int>(sizeof(T)) - 8; shift >= 0; shift -= 8) {
    tiles.count(shift, state.vector(), histograms);
    be.reduce_cols(lines, 256, histogram_map<S>{histograms}, sum_fold<std::int64_t>{}, counts.vector());
    be.launch(1, choose_digit<S>{counts.vector(), state.vector()});
  }
  tiles.sum(state.vector(), sums, nexts);
  be.reduce(parts, entry_map<S>{sums}, sum_fold<>{}, totals.vector().part(0, 1));
  be.reduce(parts, entry_map<S>{nexts}, min_fold<accumulator>{}, totals.vector().part(1, 1));
  be.launch(1, finish_bandwidths<T, S>{rule, state.vector(), totals.vector(), pairs, scales, used});
}

}  // namespace causaldpo::detail
