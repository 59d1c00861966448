// SPDX-License-Identifier: Apache-2.0
// A lane of examples' losses and slopes once the valid pairs are known: of the margins as they are, or mixed over
// environments.
#pragma once

#include "causaldpo/preference/preference_loss_reader.hpp"

namespace causaldpo::detail {

/// What the pass leaves for the passes after it. [J,B] keeps the examples of a lane next to one another.
template <class T, class S>
struct preference_scratch {
  view<T, 2, S> shares;      // [J,B] pair weight over the sum of the valid ones; 0 = invalid pair
  view<T, 2, S> margins;     // [J,B] scaled margins; shifted unless `mixed`
  view<T, 2, S> rejected;    // [J,B] beta b, shifted likewise; listwise losses only
  view<T, 2, S> slopes;      // [J,B] d loss / d z_ij (losses of a and b apart: d loss / d b_ij)
  view<T, 2, S> env_losses;  // [K,B] likelihood only
  view<T, 1, S> chosen;      // [B] d loss / d policy_chosen_logps
  view<T, 1, S> loss;        // [B]
  view<T, 1, S> counts;      // [B] valid pairs, 0 = dropped
  view<T, 1, S> wins;        // [B] valid pairs with a > b
};

/// Evaluates a loss for a lane of examples.
template <class Loss, class T, class S>
struct preference_evaluation {
  Loss loss;
  preference_reader<T, S> read;
  preference_scratch<T, S> out;
  bool gradients;

  /// Whether `out.slopes` holds d loss / d z; for losses of a and b apart it holds d loss / d b.
  static constexpr bool of_margin = shiftable_loss<Loss>;

  /// Divides by the largest weight before summing, so that weights of 1e-30 .. 1e30 survive in float. A valid pair's
  /// share never becomes 0: an infinite loss must stay infinite under the smallest weight.
  template <class L>
  CAUSALDPO_HD void share_weights(L const& lane, typename L::value const& count, typename L::value const& largest) const {
    using V = typename L::value;
    V const zero = math::broadcast<V>(0), smallest = math::broadcast<V>(math::smallest_normal<T>());
    bool const weighted_pairs = read.a.batch.pair_weights.given();
    V total = count;
    if (weighted_pairs) {
      total = zero;
      for (index_t j = 0; j < read.items(); ++j) {
        V const w = lane.load_row(out.shares, j);
        total = total + math::select<V>(w > zero, w / largest, zero);
      }
    }
    for (index_t j = 0; j < read.items(); ++j) {
      V const w = lane.load_row(out.shares, j);
      V const share = weighted_pairs ? math::max<V>(w / largest / total, smallest) : w / total;
      lane.store_row(out.shares, j, math::select<V>(w > zero, share, zero));
    }
  }

  /// The loss in environment k (not `mixed`: of the margins as they are) of the examples in `in`; with `slopes` adds
  /// `weight` times the slopes to `out.slopes` and to `total` (d loss / d a, without beta for losses of the margin).
  template <class L, class V = typename L::value>
  CAUSALDPO_HD V add(L const& lane, index_t k, typename L::mask const& in, V const& weight, loss_context<V> const& context,
                     bool slopes, V& total) const {
    V const zero = math::broadcast<V>(0);
    V value = zero, sum = zero;
    if constexpr (listwise_loss<Loss>) {
      auto state = loss.template begin<V>();
      for (index_t j = 0; j < read.items(); ++j) {
        list_entry<V> const e = entry(lane, j, k, in);
        loss.absorb(state, e, e.share > zero);
      }
      value = loss.finish(state);
      for (index_t j = 0; slopes && j < read.items(); ++j) {
        list_entry<V> const e = entry(lane, j, k, in);
        V const slope = math::select<V>(math::both<V>(in, e.share > zero), weight * loss.slope(state, e), zero);
        sum = sum + slope;
        put_slope(lane, j, k, slope);
      }
    } else {
      V const a = margin_loss<Loss> ? zero : read.chosen(lane).value;
      for (index_t j = 0; j < read.items(); ++j) {
        V const share = lane.load_row(out.shares, j);
        math::mask_t<V> const valid = math::both<V>(in, share > zero);
        V slope, chosen_slope;
        if constexpr (margin_loss<Loss>) {
          V margin = lane.load_row(out.margins, j);
          if (read.plan.mixed && read.plan.shifted) margin = margin + read.shift_in(lane, j, k, valid).total;
          margin_terms<V> const t = loss.at_margin(margin, context);
          value = value + math::select<V>(valid, share * t.value, zero);
          slope = chosen_slope = t.slope;
        } else {
          pair_terms<V> const t = loss.at_pair(a, read.rejected(lane, j, valid).value, context);
          value = value + math::select<V>(valid, share * t.value, zero);
          slope = t.rejected_slope;
          chosen_slope = t.chosen_slope;
        }
        if (!slopes) continue;
        V const counts = weight * share;  // 0 where the posterior is, however steep the loss
        sum = sum + math::select<V>(valid, weighted<V>(counts, chosen_slope), zero);
        put_slope(lane, j, k, math::select<V>(valid, weighted<V>(counts, slope), zero));
      }
    }
    if (slopes && read.plan.mixed && read.a.out.grad_chosen_offsets.given())
      lane.store_column(read.a.out.grad_chosen_offsets, k, math::broadcast<V>(read.plan.strength) * sum);
    total = total + sum;
    return value;
  }

  /// risk: sum_k q_ik L_ik. likelihood: -log sum_k q_ik exp(-L_ik), formed from the smallest L_ik; where all are +inf
  /// every term is q_ik, which is the limit. Only the likelihood needs a first round: its weights are the posterior.
  template <class L, class V = typename L::value>
  CAUSALDPO_HD V mix(L const& lane, typename L::mask const& kept, loss_context<V> const& context, V& slope_sum) const {
    V const zero = math::broadcast<V>(0);
    bool const likelihood = read.plan.mixture == preference_mixture::likelihood;
    V value = zero, smallest = math::broadcast<V>(math::infinity<T>()), total = zero, membership;
    for (int round = likelihood ? 0 : 1; round < 2; ++round) {
      bool const weighing = round == 0, posterior = likelihood && !weighing;
      if (posterior) {
        for (index_t k = 0; k < read.environments(); ++k) total = total + term(lane, k, kept, smallest);
        value = smallest - math::log<V>(total);
      }
      for (index_t k = 0; k < read.environments(); ++k) {
        math::mask_t<V> const in = math::both<V>(kept, read.member(lane, k, membership));
        V weight = membership;
        if (posterior) {
          weight = math::select<V>(math::both<V>(in, total > zero), term(lane, k, kept, smallest) / total, zero);
          if (read.a.out.posterior.given()) lane.store_column(read.a.out.posterior, k, weight);
          if (!gradients) continue;
        }
        V const there = add(lane, k, in, weight, context, gradients && !weighing, slope_sum);
        if (weighing) {
          lane.store_row(out.env_losses, k, there);
          smallest = math::select<V>(in, math::min<V>(there, smallest), smallest);
        } else if (!likelihood) {
          value = value + math::select<V>(in, membership * there, zero);
        }
      }
    }
    return value;
  }

 private:
  template <class L, class V = typename L::value>
  CAUSALDPO_HD list_entry<V> entry(L const& lane, index_t j, index_t k, typename L::mask const& in) const {
    V const zero = math::broadcast<V>(0);
    list_entry<V> e{lane.load_row(out.margins, j), lane.load_row(out.rejected, j), lane.load_row(out.shares, j), zero};
    math::mask_t<V> const valid = math::both<V>(in, e.share > zero);
    if (read.a.batch.pair_weights.given())
      e.log_weight = math::log<V>(lane.load_column_if(valid, read.a.batch.pair_weights, j, math::broadcast<V>(1)));
    if (read.plan.mixed && read.plan.shifted) {
      margin_shift<V> const s = read.shift_in(lane, j, k, valid);
      e.margin = e.margin + s.total;
      e.rejected = e.rejected + s.rejected;
    }
    return e;
  }

  /// Adds over environments; leaves the unscaled gradient of the offset where that is wanted.
  template <class L, class V = typename L::value>
  CAUSALDPO_HD void put_slope(L const& lane, index_t j, index_t k, V const& slope) const {
    if (!read.plan.mixed) return lane.store_row(out.slopes, j, slope);
    lane.store_row(out.slopes, j, k == 0 ? slope : lane.load_row(out.slopes, j) + slope);
    auto const& all = read.a.out.grad_rejected_offsets;
    if (!all.given()) return;
    lane.store_column(every_item(all, j, read.items()), k, -(math::broadcast<V>(read.plan.strength) * slope));
  }

  template <class L, class V = typename L::value>
  CAUSALDPO_HD V term(L const& lane, index_t k, typename L::mask const& kept, V const& smallest) const {
    V const zero = math::broadcast<V>(0), there = lane.load_row(out.env_losses, k);
    V membership;
    math::mask_t<V> const in = math::both<V>(kept, read.member(lane, k, membership));
    V const excess = math::select<V>(there == smallest, zero, smallest - there);
    return math::select<V>(in, membership * math::exp<V>(excess), zero);
  }
};

}  // namespace causaldpo::detail
