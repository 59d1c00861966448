// SPDX-License-Identifier: Apache-2.0
// What one pass over a row of logits must carry so that its log-sum-exp, the entropy and the sum of squares of its
// softmax follow, in a form that can be merged over tiles and does not cancel when one probability is close to 1.
#pragma once

#include "causaldpo/core/math.hpp"

namespace causaldpo::detail {

/// With m = max y and e_v = exp(y_v - m): the sums leave out one v that attains m (its e_v is 1), so that 1 + 1e-20
/// keeps its second part.
struct softmax_moments {
  accumulator largest = -math::infinity<accumulator>();  ///< m; -inf if there is no logit, or all are -inf
  accumulator rest = 0;                                  ///< sum e_v - 1
  accumulator weighted = 0;                              ///< sum e_v (y_v - m)
  accumulator squares = 0;                               ///< sum e_v^2 - 1

  softmax_moments() = default;
  CAUSALDPO_HD explicit softmax_moments(accumulator y) : largest(y) {}

  CAUSALDPO_HD bool empty() const { return !(largest > -math::infinity<accumulator>()); }
  /// log sum exp(y - m).
  CAUSALDPO_HD accumulator log_sum() const { return math::log1p(rest); }
  /// log sum exp(y); -inf if empty.
  CAUSALDPO_HD accumulator log_sum_exp() const { return empty() ? largest : largest + log_sum(); }
  /// y - log sum exp(y), accurate also where it is close to 0; -inf for y = -inf.
  CAUSALDPO_HD accumulator log_probability(accumulator y) const {
    if (y >= largest) return empty() ? y : -log_sum();
    return (y - largest) - log_sum();
  }
  /// -sum p log p with 0 log 0 = 0; 0 if empty.
  CAUSALDPO_HD accumulator entropy() const { return log_sum() - weighted / (1 + rest); }
  /// log sum p^2; -inf if empty.
  CAUSALDPO_HD accumulator log_sum_p2() const { return empty() ? largest : math::log1p(squares) - 2 * log_sum(); }
};

/// Merges the moments of two disjoint sets of logits.
struct softmax_moments_fold {
  using value_type = softmax_moments;
  CAUSALDPO_HD static softmax_moments identity() { return {}; }
  CAUSALDPO_HD softmax_moments operator()(softmax_moments a, softmax_moments b) const {
    if (a.largest < b.largest) {
      softmax_moments const t = a;
      a = b;
      b = t;
    }
    if (b.empty()) return a;
    accumulator const shift = b.largest >= a.largest ? 0 : b.largest - a.largest;
    accumulator const e = math::exp(shift);
    if (e == 0) return a;
    a.rest += e * (1 + b.rest);
    a.weighted += e * (b.weighted + shift * (1 + b.rest));
    a.squares += e * e * (1 + b.squares);
    return a;
  }
};

}  // namespace causaldpo::detail
