// SPDX-License-Identifier: Apache-2.0
// Folds for the reductions: a neutral element and an associative operation. `value_type` is what is carried, so a
// float run can add in double. A fold's result is converted to the output's type with static_cast.
#pragma once

#include "causaldpo/core/math.hpp"

namespace causaldpo::detail {

template <class A = accumulator>
struct sum_fold {
  using value_type = A;
  CAUSALDPO_HD static constexpr A identity() { return A(0); }
  CAUSALDPO_HD constexpr A operator()(A a, A b) const { return a + b; }
};

template <class A>
struct max_fold {
  using value_type = A;
  CAUSALDPO_HD static constexpr A identity() { return -math::infinity<A>(); }
  CAUSALDPO_HD constexpr A operator()(A a, A b) const { return a < b ? b : a; }
};

template <class A>
struct min_fold {
  using value_type = A;
  CAUSALDPO_HD static constexpr A identity() { return math::infinity<A>(); }
  CAUSALDPO_HD constexpr A operator()(A a, A b) const { return b < a ? b : a; }
};

/// log sum exp in one pass: the largest value seen and the sum of exp(x - largest). Converts to the log-sum-exp;
/// empty or all -inf gives -inf, +inf gives +inf.
struct log_sum_exp {
  accumulator largest = -math::infinity<accumulator>();
  accumulator sum = 0;
  log_sum_exp() = default;
  CAUSALDPO_HD explicit log_sum_exp(accumulator x) : largest(x), sum(1) {}
  CAUSALDPO_HD explicit operator double() const { return value(); }
  CAUSALDPO_HD explicit operator float() const { return static_cast<float>(value()); }
  CAUSALDPO_HD accumulator value() const {
    bool const finite = largest > -math::infinity<accumulator>() && largest < math::infinity<accumulator>();
    return finite ? largest + math::log(sum) : largest;
  }
};

struct log_sum_exp_fold {
  using value_type = log_sum_exp;
  CAUSALDPO_HD static log_sum_exp identity() { return {}; }
  CAUSALDPO_HD log_sum_exp operator()(log_sum_exp a, log_sum_exp b) const {
    if (a.largest < b.largest) {
      log_sum_exp const t = a;
      a = b;
      b = t;
    }
    // a holds the larger: also right when both are -inf or +inf, where b - a would not be a number.
    if (b.largest == a.largest) a.sum += b.sum;
    else a.sum += b.sum * math::exp(b.largest - a.largest);
    return a;
  }
};

}  // namespace causaldpo::detail
