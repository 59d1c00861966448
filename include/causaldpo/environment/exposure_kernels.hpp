// SPDX-License-Identifier: Apache-2.0
// The work items of exposure_model: counting into partial tables, merging them, and turning counts into logarithms.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/core/indices.hpp"

namespace causaldpo::detail {

/// The soft counts that rows `part * rows_per_part ...` add to one table row of length V: column `column` of q, or, for
/// column = K, the weights alone. One work item walks its rows in order, so the sums are the same on every backend.
template <class T, class S>
struct count_part {
  index_view<S> items;
  view<T const, 2, S> q;
  view<T const, 1, S> weights;     // may be left out: 1
  view<accumulator, 2, S> counts;  // [parts * (K + 1), V]
  index_t rows_per_part;
  nan_watch watch;  // slots: 0 items, 1 q, 2 weights
  CAUSALDPO_HD void operator()(index_t part, index_t column) const {
    index_t const k_count = q.cols(), v = counts.cols();
    view<accumulator, 1, S> const table = counts.row(part * (k_count + 1) + column);
    for (index_t y = 0; y < v; ++y) table.at(y) = 0;
    index_t const first = part * rows_per_part;
    index_t const last = first + rows_per_part < items.size() ? first + rows_per_part : items.size();
    for (index_t i = first; i < last; ++i) {
      accumulator weight = 1;
      if (weights.given()) weight = static_cast<accumulator>(watch.checked(weights.at(i), 2, i));
      if (weight == 0) continue;
      index_t const y = items.at(i);
      if (y < 0 || y >= v) {
        watch.note(0, i);
        continue;
      }
      if (column < k_count) weight *= static_cast<accumulator>(watch.checked(q.at(i, column), 1, i * k_count + column));
      table.at(y) += weight;
    }
  }
};

/// Adds the parts, in order, into the first of them.
template <class S>
struct merge_counts {
  view<accumulator, 2, S> counts;  // [parts * (K + 1), V]
  index_t parts;
  CAUSALDPO_HD void operator()(index_t row, index_t y) const {
    index_t const rows = counts.rows() / parts;
    for (index_t p = 1; p < parts; ++p) counts.at(row, y) += counts.at(p * rows + row, y);
  }
};

/// map(row, y) = count of item y in a table.
template <class S>
struct count_map {
  view<accumulator const, 2, S> counts;
  CAUSALDPO_HD accumulator operator()(index_t row, index_t y) const { return counts.at(row, y); }
};

/// One work item: prior_k = m_k / sum of the active m, 0 for the rest.
template <class T, class S>
struct exposure_prior {
  view<accumulator const, 1, S> masses;
  accumulator min_mass;
  view<T, 1, S> prior;
  CAUSALDPO_HD void operator()(index_t) const {
    accumulator total = 0;
    for (index_t k = 0; k < prior.size(); ++k) total += masses.at(k) > min_mass ? masses.at(k) : 0;
    for (index_t k = 0; k < prior.size(); ++k)
      prior.at(k) = static_cast<T>(masses.at(k) > min_mass && total > 0 ? masses.at(k) / total : 0);
  }
};

/// Row K: log p_y; row k < K: log p(y | e_k).
template <class T, class S>
struct exposure_logs {
  view<accumulator const, 2, S> counts;  // [K + 1, V], the last row the marginal's
  view<accumulator const, 1, S> masses;  // [K + 1]
  accumulator smoothing, base_count, min_mass;
  view<T, 1, S> log_marginal;
  view<T, 2, S> log_conditional;
  CAUSALDPO_HD void operator()(index_t row, index_t y) const {
    index_t const k_count = masses.size() - 1;
    accumulator const total = masses.at(k_count) + base_count * static_cast<accumulator>(counts.cols());
    accumulator const marginal = total > 0 ? (counts.at(k_count, y) + base_count) / total : 0;
    if (row == k_count) {
      if (log_marginal.given()) log_marginal.at(y) = static_cast<T>(math::log(marginal));
    } else if (log_conditional.given()) {
      accumulator const mass = masses.at(row);
      accumulator const p = mass > min_mass ? (counts.at(row, y) + smoothing * marginal) / (mass + smoothing) : marginal;
      log_conditional.at(row, y) = static_cast<T>(math::log(p));
    }
  }
};

}  // namespace causaldpo::detail
