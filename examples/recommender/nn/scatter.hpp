// SPDX-License-Identifier: Apache-2.0
// Adding rows into a table by item, always in the same order: the gradient of every lookup in the item table.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "nn/mirror.hpp"

namespace recommender {

/// The lookups of one batch, in the memory of a backend.
template <class S>
struct scatter_lookups {
  causaldpo::view<std::int32_t const, 1, S> lookups;  ///< sorted by item, then as in the batch
  causaldpo::view<std::int32_t const, 1, S> items;    ///< [G] the distinct items
  causaldpo::view<std::int32_t const, 1, S> begins;   ///< [G+1] where each item's lookups begin
};

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
  /// As they lie on the host.
  operator scatter_lookups<causaldpo::host_space>() const { return {lookups_, items_, begins_}; }

 private:
  std::vector<std::uint64_t> keys_;
  std::vector<std::int32_t> lookups_, items_, begins_;
};

/// A plan in the memory of a backend; its room is kept between batches.
template <causaldpo::backend B>
class placed_plan {
 public:
  /// For plans of at most `most` lookups.
  placed_plan(B& be, index_t most) : lookups_(be, most), items_(be, most), begins_(be, most + 1) {}

  /// The plan is not changed while the host's memory is what the backend sees.
  void place(B& be, scatter_plan const& plan, outbox& out) {
    scatter_lookups<causaldpo::host_space> const host = plan;
    lookups_.place(be, host.lookups, out);
    items_.place(be, host.items, out);
    begins_.place(be, host.begins, out);
  }
  scatter_lookups<typename B::space> view() const { return {lookups_.view(), items_.view(), begins_.view()}; }

 private:
  mirror<B, std::int32_t const> lookups_, items_, begins_;
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
  scatter_lookups<S> plan;
  causaldpo::view<T const, 2, S> rows;
  lookup_rows row_of;
  causaldpo::view<T const, 1, S> coefficients;  ///< of each lookup; not given: all 1
  causaldpo::view<T, 2, S> table;
  template <class L>
  CAUSALDPO_HD void operator()(index_t g, L const& lane) const {
    index_t const item = plan.items.at(g);
    typename L::value sum = lane.load_row(table, item);
    for (index_t p = plan.begins.at(g); p < plan.begins.at(g + 1); ++p) {
      index_t const e = plan.lookups.at(p);
      T const c = coefficients.given() ? coefficients.at(e) : T(1);
      sum = sum + L::broadcast(c) * lane.load_row(rows, row_of(e));
    }
    lane.store_row(table, item, sum);
  }
};

/// f(g): table_item += sum of c_e.
template <class T, class S>
struct scatter_scalars_kernel {
  scatter_lookups<S> plan;
  causaldpo::view<T const, 1, S> coefficients;
  causaldpo::view<T, 1, S> table;
  CAUSALDPO_HD void operator()(index_t g) const {
    index_t const item = plan.items.at(g);
    T sum = table.at(item);
    for (index_t p = plan.begins.at(g); p < plan.begins.at(g + 1); ++p) sum += coefficients.at(plan.lookups.at(p));
    table.at(item) = sum;
  }
};

/// table [V,D] += the rows [.,D] that the plan's lookups took, times their coefficients.
template <causaldpo::real_scalar T, causaldpo::backend B>
void scatter_rows(B& be, scatter_lookups<typename B::space> const& plan, in_matrix<T, B> rows, lookup_rows row_of,
                  in_vector<T, B> coefficients, out_matrix<T, B> table) {
  be.launch_2d(plan.items.size(), table.cols(),
               scatter_rows_kernel<T, typename B::space>{plan, rows, row_of, coefficients, table});
}

/// table [V] += the coefficients, each at its item.
template <causaldpo::real_scalar T, causaldpo::backend B>
void scatter_scalars(B& be, scatter_lookups<typename B::space> const& plan, in_vector<T, B> coefficients,
                     out_vector<T, B> table) {
  be.launch(plan.items.size(), scatter_scalars_kernel<T, typename B::space>{plan, coefficients, table});
}

}  // namespace recommender
