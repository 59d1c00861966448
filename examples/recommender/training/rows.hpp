// SPDX-License-Identifier: Apache-2.0
// From the rows of a padded batch to its examples and back.
#pragma once

#include "nn/types.hpp"

namespace recommender {

/// f(i, lane): out_i = rows_from(i).
template <class T, class S>
struct gather_rows_kernel {
  using lane_scalar = T;
  causaldpo::view<T const, 2, S> rows;
  causaldpo::view<std::int32_t const, 1, S> from;
  causaldpo::view<T, 2, S> out;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    lane.store_row(out, i, lane.load_row(rows, from.at(i)));
  }
};

/// f(r, lane): out_r = examples_i for the row's example i, 0 for a row without one.
template <class T, class S>
struct spread_rows_kernel {
  using lane_scalar = T;
  causaldpo::view<T const, 2, S> examples;
  causaldpo::view<std::int32_t const, 1, S> example_of;
  causaldpo::view<T, 2, S> out;
  template <class L>
  CAUSALDPO_HD void operator()(index_t r, L const& lane) const {
    index_t const i = example_of.at(r);
    lane.store_row(out, r, i < 0 ? L::broadcast(T(0)) : lane.load_row(examples, i));
  }
};

/// map(i) = x_i in double.
template <class T, class S>
struct value_map {
  causaldpo::view<T const, 1, S> x;
  CAUSALDPO_HD double operator()(index_t i) const { return static_cast<double>(x.at(i)); }
};

}  // namespace recommender
