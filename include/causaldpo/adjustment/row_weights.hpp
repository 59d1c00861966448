// SPDX-License-Identifier: Apache-2.0
// The functors of the estimators that weight rows: V = sum_i w_i l_i / (B or sum_i w_i).
#pragma once

#include "causaldpo/adjustment/estimators.hpp"

namespace causaldpo::detail {

/// f(i): the weight of row i, 1 if it belongs to an environment and 0 otherwise (mean).
template <class T, class S>
struct member_weight {
  view<T const, 2, S> q;
  view<accumulator, 1, S> w;
  nan_watch watch;
  CAUSALDPO_HD void operator()(index_t i) const {
    accumulator row = 0;
    for (index_t k = 0; k < q.cols(); ++k) row += static_cast<accumulator>(watch.checked(q.at(i, k), 1, i * q.cols() + k));
    w.at(i) = row > 0 ? 1 : 0;
  }
};

/// f(i): the weight of row i under ipw.
template <class T, class S>
struct propensity_weight {
  view<T const, 2, S> q, assignment;
  view<accumulator const, 1, S> prior;
  estimator::ipw options;
  view<accumulator, 1, S> w;
  view<T, 1, S> weights;
  nan_watch watch;
  CAUSALDPO_HD accumulator ratio(index_t i, index_t k) const {
    return prior.at(k) / math::max(static_cast<accumulator>(q.at(i, k)), options.propensity_floor);
  }
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const k_count = q.cols();
    accumulator row = 0, sum = 0;
    index_t best = 0;
    for (index_t k = 0; k < k_count; ++k) {
      row += static_cast<accumulator>(watch.checked(q.at(i, k), 1, i * k_count + k));
      if (q.at(i, k) > q.at(i, best)) best = k;
    }
    if (row > 0) {
      if (assignment.given()) {
        for (index_t k = 0; k < k_count; ++k) {
          T const s = watch.checked(assignment.at(i, k), 4, i * k_count + k);
          if (s != T(0)) sum += static_cast<accumulator>(s) * ratio(i, k);
        }
      } else {
        sum = ratio(i, best);
      }
      sum = math::min(math::max(sum, options.weight_clip_min), options.weight_clip_max);
    }
    w.at(i) = sum;
    if (weights.given()) weights.at(i) = static_cast<T>(sum);
  }
};

/// What the row-weighting estimators sum: power 0: w_i l_i (a row of weight 0 is not read), 1: w_i, 2: w_i^2.
template <class T, class S>
struct row_sum_map {
  view<accumulator const, 1, S> w;
  view<T const, 1, S> losses;
  int power;
  nan_watch watch;
  CAUSALDPO_HD accumulator operator()(index_t i) const {
    accumulator const weight = w.at(i);
    if (power == 1) return weight;
    if (power == 2) return weight * weight;
    return weight == 0 ? 0 : weight * static_cast<accumulator>(watch.checked(losses.at(i), 0, i));
  }
};

/// One work item: value = sums[0] / divisor with the divisor sums[1], or B where `rows` is not 0.
template <class T, class S>
struct finish_rows {
  view<accumulator const, 1, S> sums;
  accumulator rows;
  view<accumulator, 1, S> divisor;
  view<T, 1, S> value, effective_sample_size;
  CAUSALDPO_HD void operator()(index_t) const {
    divisor.at(0) = rows > 0 ? rows : sums.at(1);
    if (value.given()) value.at(0) = static_cast<T>(divisor.at(0) > 0 ? sums.at(0) / divisor.at(0) : 0);
    if (effective_sample_size.given())
      effective_sample_size.at(0) = static_cast<T>(sums.at(2) > 0 ? sums.at(1) * (sums.at(1) / sums.at(2)) : 0);
  }
};

/// f(i): dV/dl_i = w_i / divisor, and dV/dq = 0.
template <class T, class S>
struct row_gradients {
  view<accumulator const, 1, S> w, divisor;
  view<T, 1, S> grad_losses;
  view<T, 2, S> grad_q;
  CAUSALDPO_HD void operator()(index_t i) const {
    if (grad_losses.given()) grad_losses.at(i) = static_cast<T>(divisor.at(0) > 0 ? w.at(i) / divisor.at(0) : 0);
    for (index_t k = 0; k < grad_q.cols(); ++k) grad_q.at(i, k) = T(0);
  }
};

}  // namespace causaldpo::detail
