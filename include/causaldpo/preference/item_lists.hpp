// SPDX-License-Identifier: Apache-2.0
// One list of items for each user, packed one after another: histories in the order of time, or known positives in
// ascending order.
#pragma once

#include "causaldpo/core/indices.hpp"

namespace causaldpo {

/// The items of user u are items[offsets[u]] .. items[offsets[u + 1] - 1]: the rows of a sparse matrix in CSR form.
template <class S = host_space>
struct item_lists {
  index_view<S> offsets{};  ///< [U+1], not descending, the last one at most the size of `items`
  index_view<S> items{};    ///< [P]

  CAUSALDPO_HD constexpr bool given() const { return offsets.given(); }
  CAUSALDPO_HD constexpr index_t users() const { return offsets.size() > 0 ? offsets.size() - 1 : 0; }
};

namespace detail {

/// Whether `item` is in the ascending part [first, last) of a list.
template <class S>
CAUSALDPO_HD constexpr bool contains(index_view<S> const& items, index_t first, index_t last, index_t item) {
  while (first < last) {
    index_t const middle = first + (last - first) / 2;
    if (items.at(middle) < item) first = middle + 1;
    else if (items.at(middle) > item) last = middle;
    else return true;
  }
  return false;
}

/// The user whose list holds position p: the last u with offsets[u] <= p.
template <class S>
CAUSALDPO_HD constexpr index_t owner_of(index_view<S> const& offsets, index_t p) {
  index_t first = 0, last = offsets.size();
  while (first < last) {
    index_t const middle = first + (last - first) / 2;
    if (offsets.at(middle) <= p) first = middle + 1;
    else last = middle;
  }
  return first - 1;
}

}  // namespace detail
}  // namespace causaldpo
