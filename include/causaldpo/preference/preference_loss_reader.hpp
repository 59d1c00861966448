// SPDX-License-Identifier: Apache-2.0
// How the preference operations read their inputs: log-ratios with length normalisation and clamp, pair weights, and
// the environments' offsets, for a lane of examples. Slots that are not in use are not read; a NaN in one that is, is
// noted.
#pragma once

#include <initializer_list>

#include "causaldpo/core/lane.hpp"
#include "causaldpo/preference/batch.hpp"

namespace causaldpo::detail {

/// Slots of the NaN watch, in the order of `preference_input_names`.
enum preference_slot : int {
  slot_policy_chosen,
  slot_policy_rejected,
  slot_reference_chosen,
  slot_reference_rejected,
  slot_pair_weights,
  slot_sample_weights,
  slot_chosen_lengths,
  slot_rejected_lengths,
  slot_smoothing,
  slot_upstream,
  slot_q,
  slot_chosen_offsets,
  slot_rejected_offsets
};
inline constexpr std::initializer_list<char const*> preference_input_names{"policy_chosen_logps",
                                                                           "policy_rejected_logps",
                                                                           "reference_chosen_logps",
                                                                           "reference_rejected_logps",
                                                                           "pair_weights",
                                                                           "sample_weights",
                                                                           "chosen_lengths",
                                                                           "rejected_lengths",
                                                                           "smoothing",
                                                                           "upstream",
                                                                           "q",
                                                                           "chosen_offsets",
                                                                           "rejected_offsets"};

/// Of a tensor [B,J,K] held as [B*J,K], the matrix [B,K] of item j: every J-th row.
template <class T, class S>
CAUSALDPO_HD view<T, 2, S> every_item(view<T, 2, S> all, index_t j, index_t items) {
  return {all.data() + j * all.ld(), all.rows() / items, all.cols(), items * all.ld()};
}

/// Everything a call was given. Results of both operations: those of conditional_preference are the superset.
template <class T, class S>
struct preference_args {
  preference_batch<T, S> batch{};
  view<T const, 2, S> q{};
  exposure_offsets<T, S> offsets{};
  view<T const, 1, S> upstream{};
  conditional_results<T, S> out{};
  nan_watch watch{};
};

/// The options of both operations without the loss, as the kernels use them.
template <class T>
struct preference_plan {
  T beta, low, high, nll_weight, strength;
  bool clamp, reference, length_normalize;
  bool conditional;  // q is given
  bool shifted;      // the offsets are read
  bool mixed;        // the loss is evaluated in each environment
  preference_mixture mixture;
  loss_reduction reduction;
  double dr_beta;
};

/// A log-ratio, or a log-prob where there is no reference, as the loss sees it.
template <class V>
struct log_ratio {
  V value;
  V policy;   // the policy's log-prob, length-normalised
  V inverse;  // d policy / d log-prob
  V factor;   // d value / d log-prob: `inverse`, 0 strictly outside the clamp
};

/// Shift of a margin, and the rejected item's part of it.
template <class V>
struct margin_shift {
  V total;     // tau (chosen - rejected), weighted over environments or in one of them
  V rejected;  // tau rejected
};

template <class T, class S>
struct preference_reader {
  preference_args<T, S> a;
  preference_plan<T> plan;

  index_t examples() const { return a.batch.policy_chosen_logps.size(); }
  CAUSALDPO_HD index_t items() const { return a.batch.policy_rejected_logps.cols(); }
  CAUSALDPO_HD index_t environments() const { return a.q.cols(); }

  /// Not yet noted for NaN: whether the row is in use is known only after its pairs were looked at.
  template <class L>
  CAUSALDPO_HD log_ratio<typename L::value> chosen(L const& lane) const {
    using V = typename L::value;
    V const zero = math::broadcast<V>(0);
    bool const reference = plan.reference && a.batch.reference_chosen_logps.given();
    return ratio<V>(lane.load(a.batch.policy_chosen_logps), reference ? lane.load(a.batch.reference_chosen_logps) : zero,
                    plan.length_normalize ? lane.load(a.batch.chosen_lengths) : math::broadcast<V>(1));
  }
  template <class L>
  CAUSALDPO_HD void note_chosen(L const& lane, typename L::mask const& used) const {
    note(lane, a.batch.policy_chosen_logps, slot_policy_chosen, used);
    if (plan.reference) note(lane, a.batch.reference_chosen_logps, slot_reference_chosen, used);
    if (plan.length_normalize) note(lane, a.batch.chosen_lengths, slot_chosen_lengths, used);
  }
  template <class L>
  CAUSALDPO_HD log_ratio<typename L::value> rejected(L const& lane, index_t j, typename L::mask const& use) const {
    using V = typename L::value;
    V const one = math::broadcast<V>(1);
    bool const reference = plan.reference && a.batch.reference_rejected_logps.given();
    V const policy = load(lane, a.batch.policy_rejected_logps, slot_policy_rejected, j, use, math::broadcast<V>(0));
    V const given = reference
                        ? load(lane, a.batch.reference_rejected_logps, slot_reference_rejected, j, use, math::broadcast<V>(0))
                        : math::broadcast<V>(0);
    return ratio<V>(policy, given,
                    plan.length_normalize ? load(lane, a.batch.rejected_lengths, slot_rejected_lengths, j, use, one) : one);
  }
  /// Which examples use slot j, and the weight of the pair.
  template <class L>
  CAUSALDPO_HD typename L::mask allowed(L const& lane, index_t j, typename L::mask use, typename L::value& weight) const {
    using V = typename L::value;
    V const zero = math::broadcast<V>(0);
    weight = math::broadcast<V>(1);
    if (a.batch.rejected_mask.given()) use = math::both<V>(use, lane.flags_column(a.batch.rejected_mask, j));
    if (!a.batch.pair_weights.given()) return use;
    weight = load(lane, a.batch.pair_weights, slot_pair_weights, j, use, zero);
    return math::both<V>(use, weight > zero);
  }
  /// Which examples lie in environment k, and how much.
  template <class L>
  CAUSALDPO_HD typename L::mask member(L const& lane, index_t k, typename L::value& membership) const {
    membership = lane.load_column(a.q, k);
    return membership > math::broadcast<typename L::value>(0);
  }
  /// Examples in any environment; all where there are none to be in.
  template <class L>
  CAUSALDPO_HD typename L::mask in_any(L const& lane) const {
    using V = typename L::value;
    V const zero = math::broadcast<V>(0);
    if (!plan.conditional) return zero == zero;
    typename L::mask in = zero > zero;
    for (index_t k = 0; k < environments(); ++k) {
      V membership;
      in = math::either<V>(in, member(lane, k, membership));
      lane.note(a.watch, slot_q, math::is_nan<V>(membership), environments(), k);
    }
    return in;
  }
  /// tau (chosen_offsets_ik - rejected_offsets_ijk) where `use` is set, 0 elsewhere.
  template <class L>
  CAUSALDPO_HD margin_shift<typename L::value> shift_in(L const& lane, index_t j, index_t k, typename L::mask const& use) const {
    using V = typename L::value;
    V const zero = math::broadcast<V>(0), tau = math::broadcast<V>(plan.strength);
    index_t const j_count = items();
    view<T const, 2, S> const of_item = every_item(a.offsets.rejected, j, j_count);
    V const up = lane.load_column_if(use, a.offsets.chosen, k, zero), down = lane.load_column_if(use, of_item, k, zero);
    lane.note(a.watch, slot_chosen_offsets, math::is_nan<V>(up), environments(), k);
    lane.note(a.watch, slot_rejected_offsets, math::is_nan<V>(down), j_count * environments(), j * environments() + k);
    return {tau * (up - down), tau * down};
  }
  /// sum_k q_ik times the shift in environment k, over the environments that the example is in.
  template <class L>
  CAUSALDPO_HD margin_shift<typename L::value> expected_shift(L const& lane, index_t j, typename L::mask const& use) const {
    using V = typename L::value;
    V const zero = math::broadcast<V>(0);
    margin_shift<V> sum{zero, zero};
    for (index_t k = 0; k < environments(); ++k) {
      V membership;
      typename L::mask const in = math::both<V>(use, member(lane, k, membership));
      margin_shift<V> const s = shift_in(lane, j, k, in);
      sum.total = sum.total + math::select<V>(in, membership * s.total, zero);
      sum.rejected = sum.rejected + math::select<V>(in, membership * s.rejected, zero);
    }
    return sum;
  }

 private:
  template <class V>
  CAUSALDPO_HD log_ratio<V> ratio(V policy, V reference, V const& length) const {
    V inverse = math::broadcast<V>(1);
    if (plan.length_normalize) {
      inverse = inverse / length;
      policy = policy / length;
      reference = reference / length;
    }
    log_ratio<V> r{policy - reference, policy, inverse, inverse};
    if (!plan.clamp) return r;
    V const low = math::broadcast<V>(plan.low), high = math::broadcast<V>(plan.high), zero = math::broadcast<V>(0);
    typename lane_math<V>::mask const below = r.value<low, above = r.value> high;  // neither for a NaN, which stays
    r.factor = math::select<V>(math::either<V>(below, above), zero, inverse);
    r.value = math::select<V>(below, low, math::select<V>(above, high, r.value));
    return r;
  }
  template <class L>
  CAUSALDPO_HD void note(L const& lane, view<T const, 1, S> v, int slot, typename L::mask const& used) const {
    using V = typename L::value;
    if (v.given()) lane.note(a.watch, slot, math::both<V>(used, math::is_nan<V>(lane.load(v))));
  }
  template <class L>
  CAUSALDPO_HD typename L::value load(L const& lane, view<T const, 2, S> m, int slot, index_t j, typename L::mask const& use,
                                      typename L::value const& otherwise) const {
    typename L::value const x = lane.load_column_if(use, m, j, otherwise);
    lane.note(a.watch, slot, math::is_nan<typename L::value>(x), m.cols(), j);
    return x;
  }
};

}  // namespace causaldpo::detail
