// SPDX-License-Identifier: Apache-2.0
// The pass over examples that both preference operations make: per-example losses, their slopes, rewards and counts.
// One functor serves both, so that conditional_preference without offsets is preference_loss to the bit.
#pragma once

#include "causaldpo/preference/preference_loss_evaluate.hpp"

namespace causaldpo::detail {

/// f(lane) over examples. Two loops over the rejected items find the valid pairs and their shares, then the loss.
template <class Loss, class T, class S>
struct preference_pass {
  using lane_scalar = T;
  preference_evaluation<Loss, T, S> evaluate;

  template <class L>
  CAUSALDPO_HD void operator()(L const& lane) const {
    using V = typename L::value;
    using M = typename L::mask;
    V const zero = math::broadcast<V>(0), one = math::broadcast<V>(1), beta = math::broadcast<V>(evaluate.read.plan.beta);
    constexpr bool of_margin = preference_evaluation<Loss, T, S>::of_margin;
    auto const& read = evaluate.read;
    auto const& out = evaluate.out;
    auto const& results = read.a.out;
    log_ratio<V> const a = read.chosen(lane);

    M const in_row = read.in_any(lane);
    M used = zero > zero;
    V count = zero, wins = zero, largest = zero, margin_sum = zero, shifted_sum = zero;
    for (index_t j = 0; j < read.items(); ++j) {
      V weight;
      M const use = read.allowed(lane, j, in_row, weight);
      used = math::either<V>(used, use);
      log_ratio<V> const b = read.rejected(lane, j, use);
      V const plain = beta * (a.value - b.value);
      M valid = math::both<V>(use, math::negation<V>(math::is_nan<V>(plain)));
      V margin = plain, rejected = beta * b.value, shifted = plain;
      if (read.plan.shifted) {
        if (!read.plan.mixed || results.shifted_margins.given()) {
          margin_shift<V> const s = read.expected_shift(lane, j, use);
          shifted = plain + s.total;
          if (!read.plan.mixed) {
            margin = shifted;
            rejected = rejected + s.rejected;
            valid = math::both<V>(valid, math::negation<V>(math::is_nan<V>(margin)));
          }
        }
        if (read.plan.mixed)
          for (index_t k = 0; k < read.environments(); ++k) {
            V membership;
            M const in = math::both<V>(use, read.member(lane, k, membership));
            V const there = plain + read.shift_in(lane, j, k, in).total;
            valid = math::both<V>(valid, math::negation<V>(math::both<V>(in, math::is_nan<V>(there))));
          }
      }
      weight = math::select<V>(valid, weight, zero);
      largest = math::max<V>(weight, largest);
      count = count + math::select<V>(valid, one, zero);
      wins = wins + math::select<V>(math::both<V>(valid, a.value > b.value), one, zero);
      margin_sum = margin_sum + math::select<V>(valid, plain, zero);
      shifted_sum = shifted_sum + math::select<V>(valid, shifted, zero);
      lane.store_row(out.shares, j, weight);
      lane.store_row(out.margins, j, margin);
      if (out.rejected.given()) lane.store_row(out.rejected, j, rejected);
    }
    read.note_chosen(lane, used);
    M kept = count > zero;
    evaluate.share_weights(lane, count, largest);

    V slope_sum = zero;
    V value = zero;
    loss_context<V> const context{read.plan.beta, smoothing(lane, used)};
    if (!read.plan.mixed) {
      value = evaluate.add(lane, 0, kept, one, context, evaluate.gradients, slope_sum);
    } else if constexpr (of_margin) {
      value = evaluate.mix(lane, kept, context, slope_sum);
    }
    V const nll = math::broadcast<V>(read.plan.nll_weight);
    if (read.plan.nll_weight != T(0)) value = value - nll * a.policy;
    kept = math::both<V>(kept, math::negation<V>(math::is_nan<V>(value)));  // infinities of both signs have no sum
    value = math::select<V>(kept, value, zero);
    lane.store(out.loss, value);
    lane.store(out.counts, math::select<V>(kept, count, zero));
    lane.store(out.wins, math::select<V>(kept, wins, zero));
    if (evaluate.gradients)
      lane.store(out.chosen, weighted<V>(a.factor, of_margin ? beta * slope_sum : slope_sum) - nll * a.inverse);

    if (results.chosen_rewards.given()) lane.store(results.chosen_rewards, math::select<V>(kept, beta * a.value, zero));
    if (results.margins.given()) lane.store(results.margins, mean(kept, margin_sum, count));
    if (results.shifted_margins.given()) lane.store(results.shifted_margins, mean(kept, shifted_sum, count));
    if (results.rejected_rewards.given())
      for (index_t j = 0; j < read.items(); ++j) {
        M const valid = math::both<V>(kept, lane.load_row(out.shares, j) > zero);
        lane.store_column(results.rejected_rewards, j, math::select<V>(valid, beta * read.rejected(lane, j, valid).value, zero));
      }
  }

 private:
  /// sum / count, 0 where dropped or where infinities of both signs met.
  template <class V>
  CAUSALDPO_HD static V mean(math::mask_t<V> const& kept, V const& sum, V const& count) {
    return math::select<V>(math::both<V>(kept, math::negation<V>(math::is_nan<V>(sum))), sum / count, math::broadcast<V>(0));
  }

  template <class L>
  CAUSALDPO_HD typename L::value smoothing(L const& lane, typename L::mask const& used) const {
    using V = typename L::value;
    if constexpr (loss_needs_smoothing<Loss>) {
      V const e = lane.load(evaluate.read.a.batch.smoothing);
      lane.note(evaluate.read.a.watch, slot_smoothing, math::both<V>(used, math::is_nan<V>(e)));
      return e;
    }
    return math::broadcast<V>(0);
  }
};

}  // namespace causaldpo::detail
