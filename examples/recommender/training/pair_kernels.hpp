// SPDX-License-Identifier: Apache-2.0
// The items of preference examples: their scores, their exposure offsets, and the gradient by the example's output.
// M examples with J rejected items each are M + M J *entries*: entry i < M is the chosen item of example i, entry M + i J + j his
// rejected item j.
#pragma once

#include "nn/scatter.hpp"

namespace recommender {

/// f(e): score_e = h_i . items_y + bias_y for the item y and the example i of entry e. The normaliser of the softmax is the same
/// for all items of an example and drops out of every margin, so scores stand for log-probabilities.
template <class T, class S>
struct entry_score_kernel {
  causaldpo::view<T const, 2, S> hidden, items;
  causaldpo::view<T const, 1, S> bias;
  causaldpo::view<std::int32_t const, 1, S> entries;
  lookup_rows example_of;
  causaldpo::view<T, 1, S> scores;
  CAUSALDPO_HD void operator()(index_t e) const {
    index_t const y = entries.at(e), i = example_of(e);
    double sum = static_cast<double>(bias.at(y));
    for (index_t k = 0; k < hidden.cols(); ++k) sum += static_cast<double>(hidden.at(i, k)) * static_cast<double>(items.at(y, k));
    scores.at(e) = static_cast<T>(sum);
  }
};

/// f(e): offset_e = sum_k weights_pk table_ky for the item y of entry e and the position p of its example's target. Weights of 0
/// are not multiplied.
template <class T, class S>
struct entry_offset_kernel {
  causaldpo::view<float const, 2, S> weights, table;
  causaldpo::view<std::int32_t const, 1, S> entries;
  causaldpo::view<std::int64_t const, 1, S> positions;
  lookup_rows example_of;
  causaldpo::view<T, 1, S> offsets;
  CAUSALDPO_HD void operator()(index_t e) const {
    index_t const p = positions.at(example_of(e));
    double sum = 0;
    for (index_t k = 0; k < table.rows(); ++k)
      if (weights.at(p, k) != 0) sum += static_cast<double>(weights.at(p, k)) * static_cast<double>(table.at(k, entries.at(e)));
    offsets.at(e) = static_cast<T>(sum);
  }
};

/// f(i, lane): grad_hidden_i = sum over the entries e of example i of slope_e items_y.
template <class T, class S>
struct hidden_gradient_kernel {
  using lane_scalar = T;
  causaldpo::view<T const, 2, S> items;
  causaldpo::view<std::int32_t const, 1, S> entries;
  causaldpo::view<T const, 1, S> slopes;
  index_t rejected;
  causaldpo::view<T, 2, S> grad_hidden;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    typename L::value sum = L::broadcast(slopes.at(i)) * lane.load_row(items, entries.at(i));
    for (index_t j = 0; j < rejected; ++j) {
      index_t const e = grad_hidden.rows() + i * rejected + j;
      sum = sum + L::broadcast(slopes.at(e)) * lane.load_row(items, entries.at(e));
    }
    lane.store_row(grad_hidden, i, sum);
  }
};

}  // namespace recommender
