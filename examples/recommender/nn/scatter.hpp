// SPDX-License-Identifier: Apache-2.0
// Adding rows into a table by item, always in the same order: the gradient of every lookup in the item table.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "nn/types.hpp"

namespace recommender {

/// The lookups of one batch, sorted by item on the host. Kept between batches so that its memory is reused.
class scatter_plan {
 public:
  /// Lookup e is of `items[e]`; negative items are no lookups.
  void build(std::vector<std::int32_t> const& items) {
    keys_.clear();
    for (std::size_t e = 0; e < items.size(); ++e)
      if (items[e] >= 0) keys_.push_back((static_cast<std::uint64_t>(static_cast<std::uint32_t>(items[e])) << 32) | e);
    std::sort(keys_.begin(), keys_.end());
    lookups_.clear();
    items_.clear();
    begins_.clear();
    for (std::uint64_t key : keys_) {
      auto const item = static_cast<std::int32_t>(key >> 32);
      if (items_.empty() || items_.back() != item) {
        items_.push_back(item);
        begins_.push_back(static_cast<std::int32_t>(lookups_.size()));
      }
      lookups_.push_back(static_cast<std::int32_t>(key & 0xffffffffU));
    }
    begins_.push_back(static_cast<std::int32_t>(lookups_.size()));
  }
  causaldpo::view<std::int32_t const, 1> lookups() const { return lookups_; }  ///< sorted by item, then as in the batch
  causaldpo::view<std::int32_t const, 1> items() const { return items_; }      ///< [G] the distinct items
  causaldpo::view<std::int32_t const, 1> begins() const { return begins_; }    ///< [G+1] where each item's lookups begin

 private:
  std::vector<std::uint64_t> keys_;
  std::vector<std::int32_t> lookups_, items_, begins_;
};

/// Which row of the source a lookup takes: lookup e itself below `direct`, else (e - direct) / each.
struct lookup_rows {
  index_t direct = std::numeric_limits<index_t>::max();
  index_t each = 1;
  CAUSALDPO_HD index_t operator()(index_t e) const { return e < direct ? e : (e - direct) / each; }
};

/// f(g, lane): table_item += sum over its lookups e of c_e rows_row(e).
template <class T, class S>
struct scatter_rows_kernel {
  using lane_scalar = T;
  causaldpo::view<std::int32_t const, 1, S> lookups, items, begins;
  causaldpo::view<T const, 2, S> rows;
  lookup_rows row_of;
  causaldpo::view<T const, 1, S> coefficients;  ///< of each lookup; not given: all 1
  causaldpo::view<T, 2, S> table;
  template <class L>
  CAUSALDPO_HD void operator()(index_t g, L const& lane) const {
    index_t const item = items.at(g);
    typename L::value sum = lane.load_row(table, item);
    for (index_t p = begins.at(g); p < begins.at(g + 1); ++p) {
      index_t const e = lookups.at(p);
      T const c = coefficients.given() ? coefficients.at(e) : T(1);
      sum = sum + L::broadcast(c) * lane.load_row(rows, row_of(e));
    }
    lane.store_row(table, item, sum);
  }
};

/// f(g): table_item += sum of c_e.
template <class T, class S>
struct scatter_scalars_kernel {
  causaldpo::view<std::int32_t const, 1, S> lookups, items, begins;
  causaldpo::view<T const, 1, S> coefficients;
  causaldpo::view<T, 1, S> table;
  CAUSALDPO_HD void operator()(index_t g) const {
    T sum = table.at(items.at(g));
    for (index_t p = begins.at(g); p < begins.at(g + 1); ++p) sum += coefficients.at(lookups.at(p));
    table.at(items.at(g)) = sum;
  }
};

/// table [V,D] += the rows [.,D] that the plan's lookups took, times their coefficients. Needs memory that the host can read.
template <causaldpo::real_scalar T, causaldpo::backend B>
void scatter_rows(B& be, scatter_plan const& plan, in_matrix<T, B> rows, lookup_rows row_of, in_vector<T, B> coefficients,
                  out_matrix<T, B> table) {
  be.launch_2d(
      plan.items().size(), table.cols(),
      scatter_rows_kernel<T, typename B::space>{plan.lookups(), plan.items(), plan.begins(), rows, row_of, coefficients, table});
}

/// table [V] += the coefficients, each at its item.
template <causaldpo::real_scalar T, causaldpo::backend B>
void scatter_scalars(B& be, scatter_plan const& plan, in_vector<T, B> coefficients, out_vector<T, B> table) {
  be.launch(plan.items().size(),
            scatter_scalars_kernel<T, typename B::space>{plan.lookups(), plan.items(), plan.begins(), coefficients, table});
}

}  // namespace recommender
