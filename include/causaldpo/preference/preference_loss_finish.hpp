// SPDX-License-Identifier: Apache-2.0
// What follows the pass over examples: sums, the mean and the accuracies, and the gradients scaled by what each example
// counts; and the body that both preference operations share.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/preference/preference_loss_memory.hpp"

namespace causaldpo::detail {

/// Sums over the kept examples, carried in double.
struct preference_sums {
  accumulator weight = 0, weighted_loss = 0, kept = 0, right = 0, pairs = 0, wins = 0;
};
struct preference_sums_fold {
  using value_type = preference_sums;
  CAUSALDPO_HD static preference_sums identity() { return {}; }
  CAUSALDPO_HD preference_sums operator()(preference_sums const& a, preference_sums const& b) const {
    return {a.weight + b.weight, a.weighted_loss + b.weighted_loss, a.kept + b.kept, a.right + b.right, a.pairs + b.pairs,
            a.wins + b.wins};
  }
};

/// The weight of a kept example; 0 where dropped, whose weight is not read.
template <class T, class S>
struct example_weight {
  view<T const, 1, S> weights, counts;
  nan_watch watch;
  CAUSALDPO_HD accumulator operator()(index_t i) const {
    if (counts.at(i) == T(0)) return 0;
    return weights.given() ? static_cast<accumulator>(watch.checked(weights.at(i), slot_sample_weights, i)) : 1;
  }
};

template <class T, class S>
struct preference_sums_map {
  example_weight<T, S> weight;
  view<T const, 1, S> loss, wins;
  CAUSALDPO_HD preference_sums operator()(index_t i) const {
    accumulator const w = weight(i), count = static_cast<accumulator>(weight.counts.at(i)),
                      won = static_cast<accumulator>(wins.at(i));
    if (count == 0) return {};
    return {w, w == 0 ? 0 : w * static_cast<accumulator>(loss.at(i)), 1, won == count ? 1.0 : 0.0, count, won};
  }
};

/// map(i) = log w_i - l_i / t, -inf for examples that do not count.
template <class T, class S>
struct dr_dpo_map {
  example_weight<T, S> weight;
  view<T const, 1, S> loss;
  accumulator temperature;
  CAUSALDPO_HD log_sum_exp operator()(index_t i) const {
    accumulator const w = weight(i);
    return w > 0 ? log_sum_exp(math::log(w) - static_cast<accumulator>(loss.at(i)) / temperature) : log_sum_exp();
  }
};

/// One work item: the scalars, and 1 / sum of the weights for the gradients.
template <class T, class S>
struct preference_finish {
  view<preference_sums const, 1, S> sums;
  view<log_sum_exp const, 1, S> dr;  // dr_dpo only
  loss_reduction reduction;
  accumulator temperature;
  conditional_results<T, S> out;
  view<accumulator, 1, S> inverse_weight;
  CAUSALDPO_HD void operator()(index_t) const {
    preference_sums const& s = sums.at(0);
    inverse_weight.at(0) = s.weight > 0 ? 1 / s.weight : 0;
    accumulator mean = 0;
    if (s.weight > 0) {
      if (reduction == loss_reduction::mean) mean = s.weighted_loss / s.weight;
      if (reduction == loss_reduction::sum) mean = s.weighted_loss;
      if (reduction == loss_reduction::dr_dpo) mean = temperature * (math::log(s.weight) - dr.at(0).value());
    }
    if (out.loss_mean.given()) out.loss_mean.at(0) = static_cast<T>(mean);
    if (out.accuracy.given()) out.accuracy.at(0) = static_cast<T>(s.kept > 0 ? s.right / s.kept : 0);
    if (out.pair_accuracy.given()) out.pair_accuracy.at(0) = static_cast<T>(s.pairs > 0 ? s.wins / s.pairs : 0);
  }
};

/// f(i): what example i counts under dr_dpo, the softmax of log w - l / t.
template <class T, class S>
struct dr_dpo_coefficients {
  example_weight<T, S> weight;
  view<T const, 1, S> loss;
  view<log_sum_exp const, 1, S> dr;
  view<accumulator const, 1, S> inverse_weight;
  accumulator temperature;
  view<T, 1, S> coefficients;
  CAUSALDPO_HD void operator()(index_t i) const {
    accumulator const w = weight(i), infinite = math::infinity<accumulator>();
    log_sum_exp const total = dr.at(0);
    accumulator c = 0;
    if (w > 0) {
      accumulator const own = math::log(w) - static_cast<accumulator>(loss.at(i)) / temperature;
      if (total.largest == -infinite)
        c = w * inverse_weight.at(0);  // every loss is +inf
      else if (total.largest == infinite)
        c = own == total.largest ? 1 / total.sum : 0;  // losses of -inf share all
      else
        c = math::exp(own - total.value());
    }
    coefficients.at(i) = static_cast<T>(c);
  }
};

/// f(lane): gradients, the slopes times what each example counts. What counts 0 gets 0, however steep the loss.
/// So does a slope that has no limit, because infinite slopes of both signs meet in it.
template <class T, class S>
struct preference_gradients {
  using lane_scalar = T;
  preference_reader<T, S> read;
  preference_scratch<T, S> scratch;
  view<accumulator const, 1, S> inverse_weight;
  view<T const, 1, S> dr_coefficients;
  bool of_margin;

  template <class L>
  CAUSALDPO_HD void operator()(L const& lane) const {
    using V = typename L::value;
    using M = typename L::mask;
    auto const& out = read.a.out;
    V const zero = math::broadcast<V>(0);
    M const kept = lane.load(scratch.counts) > zero;
    V const scale = math::select<V>(kept, coefficient(lane, kept), zero);
    if (out.grad_chosen_logps.given()) lane.store(out.grad_chosen_logps, scaled<V>(scale, lane.load(scratch.chosen)));
    V const per_slope = of_margin ? scale * math::broadcast<V>(-read.plan.beta) : scale;
    bool const factors = read.plan.clamp || read.plan.length_normalize;
    V sum = zero;
    for (index_t j = 0; j < read.items(); ++j) {
      M const valid = math::both<V>(kept, lane.load_row(scratch.shares, j) > zero);
      V const slope = math::select<V>(valid, lane.load_row(scratch.slopes, j), zero);
      sum = sum + slope;
      if (out.grad_rejected_logps.given()) {
        V const factor = factors ? per_slope * read.rejected(lane, j, valid).factor : per_slope;
        lane.store_column(out.grad_rejected_logps, j, scaled<V>(factor, slope));
      }
      if (out.grad_rejected_offsets.given())
        scale_offsets(lane, every_item(out.grad_rejected_offsets, j, read.items()), scale, -slope);
    }
    if (out.grad_chosen_offsets.given()) scale_offsets(lane, out.grad_chosen_offsets, scale, sum);
  }

 private:
  /// d (weighted sum of the losses) / d loss_i.
  template <class L, class V = typename L::value>
  CAUSALDPO_HD V coefficient(L const& lane, typename L::mask const& kept) const {
    if (read.a.upstream.given()) {
      V const u = lane.load(read.a.upstream);
      lane.note(read.a.watch, slot_upstream, math::both<V>(kept, math::is_nan<V>(u)));
      return u;
    }
    if (read.plan.reduction == loss_reduction::dr_dpo) return lane.load(dr_coefficients);
    V const w = read.a.batch.sample_weights.given() ? lane.load(read.a.batch.sample_weights) : math::broadcast<V>(1);
    return read.plan.reduction == loss_reduction::sum ? w : w * math::broadcast<V>(static_cast<T>(inverse_weight.at(0)));
  }
  /// `expected`: tau q_ik times the scaled slope. Mixed over environments: scales what the pass left, whose sign is right.
  template <class L, class V = typename L::value>
  CAUSALDPO_HD void scale_offsets(L const& lane, view<T, 2, S> gradient, V const& scale, V const& slope) const {
    V const zero = math::broadcast<V>(0), tau = math::broadcast<V>(read.plan.strength);
    for (index_t k = 0; k < read.environments(); ++k) {
      V membership, g = zero;
      typename L::mask const in = read.member(lane, k, membership);
      if (read.plan.shifted && read.plan.mixed)
        g = scaled<V>(scale, lane.load_column(gradient, k));
      else if (read.plan.shifted)
        g = math::select<V>(in, scaled<V>(scale * tau * membership, slope), zero);
      lane.store_column(gradient, k, g);
    }
  }
  template <class V>
  CAUSALDPO_HD static V scaled(V const& scale, V const& slope) {
    V const zero = math::broadcast<V>(0);
    math::mask_t<V> const none = math::either<V>(scale == zero, math::is_nan<V>(slope));  // or +inf and -inf met
    return math::select<V>(math::either<V>(none, slope == zero), zero, scale * slope);
  }
};

/// The generic body of both operations.
template <backend B, real_scalar T, class Loss>
void run_preference(B& be, Loss const& loss, preference_args<T, typename B::space> const& a, preference_plan<T> const& plan) {
  using S = typename B::space;
  preference_reader<T, S> const read{a, plan};
  index_t const b = read.examples();
  preference_memory<B, T, Loss> const memory(be, a, plan);
  auto const scratch = memory.scratch();
  auto sums = be.template allocate<preference_sums>(1);
  auto dr = be.template allocate<log_sum_exp>(1);
  auto inverse_weight = be.template allocate<accumulator>(1);
  be.launch(b, preference_pass<Loss, T, S>{{loss, read, scratch, memory.gradients()}});

  example_weight<T, S> const weight{a.batch.sample_weights, scratch.counts, a.watch};
  be.reduce(b, preference_sums_map<T, S>{weight, scratch.loss, scratch.wins}, preference_sums_fold{}, sums.vector());
  if (plan.reduction == loss_reduction::dr_dpo)
    be.reduce(b, dr_dpo_map<T, S>{weight, scratch.loss, plan.dr_beta}, log_sum_exp_fold{}, dr.vector());
  be.launch(1, preference_finish<T, S>{sums.vector(), dr.vector(), plan.reduction, plan.dr_beta, a.out, inverse_weight.vector()});
  if (memory.dr_gradients())
    be.launch(b, dr_dpo_coefficients<T, S>{weight, scratch.loss, dr.vector(), inverse_weight.vector(), plan.dr_beta,
                                           memory.coefficients()});
  if (memory.gradients())
    be.launch(b, preference_gradients<T, S>{read, scratch, inverse_weight.vector(), memory.coefficients(),
                                            preference_evaluation<Loss, T, S>::of_margin});
}

}  // namespace causaldpo::detail
