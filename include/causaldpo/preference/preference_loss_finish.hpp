// SPDX-License-Identifier: Apache-2.0
// What follows the pass over examples: sums, the mean and the accuracies, and the gradients scaled by what each example
// counts; and the body that both preference operations share.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/preference/preference_loss_pass.hpp"

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

/// One work item: the scalars.
template <class T, class S>
struct preference_finish {
  view<preference_sums const, 1, S> sums;
  view<log_sum_exp const, 1, S> dr;  // dr_dpo only
  loss_reduction reduction;
  accumulator temperature;
  conditional_results<T, S> out;
  CAUSALDPO_HD void operator()(index_t) const {
    preference_sums const& s = sums.at(0);
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

/// f(i): the gradients of example i, its slopes times what it counts. An example that counts 0 gets 0, however steep.
template <class T, class S>
struct preference_gradients {
  preference_reader<T, S> read;
  preference_scratch<T, S> scratch;
  view<preference_sums const, 1, S> sums;
  view<log_sum_exp const, 1, S> dr;
  bool of_margin;

  CAUSALDPO_HD void operator()(index_t i) const {
    auto const& out = read.a.out;
    index_t const j_count = read.items(), k_count = read.environments();
    accumulator const scale = scratch.counts.at(i) == T(0) ? 0 : coefficient(i);
    if (out.grad_chosen_logps.given()) out.grad_chosen_logps.at(i) = scaled(scale, scratch.chosen.at(i));
    accumulator const per_slope = of_margin ? -static_cast<accumulator>(read.plan.beta) : 1;
    bool const expected = read.plan.shifted && !read.plan.mixed;
    accumulator sum = 0;
    for (index_t j = 0; j < j_count; ++j) {
      bool const valid = scratch.shares.at(j, i) > T(0);
      T const slope = valid ? scratch.slopes.at(j, i) : T(0);
      sum += static_cast<accumulator>(slope);
      if (out.grad_rejected_logps.given()) {
        T const factor = read.plan.clamp || read.plan.length_normalize ? read.rejected(scalar_lane<T>(i), j, valid).factor : T(1);
        out.grad_rejected_logps.at(i, j) =
            factor == T(0) ? T(0) : scaled(scale * per_slope * static_cast<accumulator>(factor), slope);
      }
      if (out.grad_rejected_offsets.given())
        for (index_t k = 0; k < k_count; ++k) {
          T& cell = out.grad_rejected_offsets.at(i * j_count + j, k);
          cell =
              expected ? scaled(-scale * pull(i, k), slope) : (read.plan.mixed && read.plan.shifted ? scaled(scale, cell) : T(0));
        }
    }
    if (out.grad_chosen_offsets.given())
      for (index_t k = 0; k < k_count; ++k) {
        T& cell = out.grad_chosen_offsets.at(i, k);
        cell = expected ? scaled(scale * pull(i, k), sum) : (read.plan.mixed && read.plan.shifted ? scaled(scale, cell) : T(0));
      }
  }

 private:
  /// d (weighted sum of the losses) / d loss_i.
  CAUSALDPO_HD accumulator coefficient(index_t i) const {
    if (read.a.upstream.given()) return static_cast<accumulator>(read.a.watch.checked(read.a.upstream.at(i), slot_upstream, i));
    accumulator const w = read.a.batch.sample_weights.given() ? static_cast<accumulator>(read.a.batch.sample_weights.at(i)) : 1;
    if (!(w > 0)) return 0;
    if (read.plan.reduction == loss_reduction::sum) return w;
    if (read.plan.reduction == loss_reduction::mean) return w / sums.at(0).weight;
    log_sum_exp const total = dr.at(0);
    accumulator const own = math::log(w) - static_cast<accumulator>(scratch.loss.at(i)) / read.plan.dr_beta;
    if (total.largest == own && total.largest == math::infinity<accumulator>()) return 1 / total.sum;  // losses of -inf share all
    if (total.largest == -math::infinity<accumulator>()) return w / sums.at(0).weight;                 // every loss is +inf
    return math::exp(own - total.value());
  }
  /// tau q_ik, 0 outside the environment.
  CAUSALDPO_HD accumulator pull(index_t i, index_t k) const {
    accumulator const q = static_cast<accumulator>(read.a.q.at(i, k));
    return q > 0 ? static_cast<accumulator>(read.plan.strength) * q : 0;
  }
  template <class X>
  CAUSALDPO_HD static T scaled(accumulator scale, X slope) {
    return scale == 0 || slope == X(0) ? T(0) : static_cast<T>(scale * static_cast<accumulator>(slope));
  }
};

/// The body of both operations. Scratch: (2 J + 4) B scalars, J B more for listwise losses, K B for `likelihood`,
/// J B for slopes when a gradient is wanted.
template <backend B, real_scalar T, class Loss>
void run_preference(B& be, Loss const& loss, preference_args<T, typename B::space> const& a, preference_plan<T> const& plan) {
  using S = typename B::space;
  auto const& out = a.out;
  preference_reader<T, S> const read{a, plan};
  index_t const b = read.examples(), j = read.items();
  bool const gradients = out.grad_chosen_logps.given() || out.grad_rejected_logps.given() || out.grad_chosen_offsets.given() ||
                         out.grad_rejected_offsets.given();
  bool const likelihood = plan.mixed && plan.mixture == preference_mixture::likelihood;
  auto shares = be.template allocate<T>(j * b);
  auto margins = be.template allocate<T>(j * b);
  auto rejected = be.template allocate<T>(listwise_loss<Loss> ? j * b : 0);
  auto slopes = be.template allocate<T>(gradients ? j * b : 0);
  auto env_losses = be.template allocate<T>(likelihood ? a.q.cols() * b : 0);
  auto chosen = be.template allocate<T>(gradients ? b : 0);
  auto losses = be.template allocate<T>(out.loss.given() ? 0 : b);
  auto counts = be.template allocate<T>(out.pair_counts.given() ? 0 : b);
  auto wins = be.template allocate<T>(out.pair_wins.given() ? 0 : b);
  auto sums = be.template allocate<preference_sums>(1);
  auto dr = be.template allocate<log_sum_exp>(1);
  preference_scratch<T, S> scratch{shares.matrix(j, b),
                                   margins.matrix(j, b),
                                   listwise_loss<Loss> ? rejected.matrix(j, b) : view<T, 2, S>{},
                                   slopes.matrix(j, b),
                                   env_losses.matrix(likelihood ? a.q.cols() : 0, b),
                                   chosen.vector(),
                                   out.loss.given() ? out.loss : losses.vector(),
                                   out.pair_counts.given() ? out.pair_counts : counts.vector(),
                                   out.pair_wins.given() ? out.pair_wins : wins.vector()};
  be.launch(b, preference_pass<Loss, T, S>{{loss, read, scratch, gradients}});

  example_weight<T, S> const weight{a.batch.sample_weights, scratch.counts, a.watch};
  be.reduce(b, preference_sums_map<T, S>{weight, scratch.loss, scratch.wins}, preference_sums_fold{}, sums.vector());
  if (plan.reduction == loss_reduction::dr_dpo)
    be.reduce(b, dr_dpo_map<T, S>{weight, scratch.loss, plan.dr_beta}, log_sum_exp_fold{}, dr.vector());
  be.launch(1, preference_finish<T, S>{sums.vector(), dr.vector(), plan.reduction, plan.dr_beta, out});
  if (gradients)
    be.launch(
        b, preference_gradients<T, S>{read, scratch, sums.vector(), dr.vector(), preference_evaluation<Loss, T, S>::of_margin});
}

}  // namespace causaldpo::detail
