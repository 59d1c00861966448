// SPDX-License-Identifier: Apache-2.0
// causal_dpo_objective: one of each, composed: a preference loss, environments, an adjustment, penalties.
#pragma once

#include "causaldpo/objective/objective_kernels.hpp"
#include "causaldpo/objective/presets.hpp"

namespace causaldpo {
namespace op {
/// Tag and generic body of causal_dpo_objective. It calls the front doors of the operations it is made of, so what a
/// backend replaces is replaced here too.
struct causal_dpo_objective {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::objective_args<T, S>, objective_options>>;

  template <backend B, class T, class O>
  static void generic(B& be, detail::objective_args<T, typename B::space> const& a, O const& o) {
    using S = typename B::space;
    auto const& in = a.batch;
    auto const& out = a.out;
    bool const soft = o.environment.kind == environment_kind::soft_assignment;
    soft_assignment_options const assignment{o.environment.metric, o.environment.temperature};
    index_t const b = a.examples(), j = a.items(), k = soft ? in.centers.rows() : in.q.cols();
    bool const by_q = o.environment_gradient && out.grad_features.given();
    bool const by_logps = out.grad_chosen_logps.given() || out.grad_rejected_logps.given();
    bool const watched = any_metric(out.metrics);

    // Who was in which circumstances.
    auto q_memory = be.template allocate<T>(soft && !out.q.given() ? b * k : 0);
    view<T, 2, S> const assigned = out.q.given() ? out.q : q_memory.matrix(soft ? b : 0, k);
    if (soft)
      causaldpo::soft_assignment(be, in.features, in.centers, {.q = assigned}, assignment);
    else if (out.q.given())
      be.copy(out.q, in.q);
    view<T const, 2, S> const q = soft ? view<T const, 2, S>(assigned) : in.q;

    // The loss of each example; what is dropped leaves every environment.
    auto columns = be.template allocate<T>(6 * b);
    auto rewards = be.template allocate<T>(watched ? b * j : 0);
    auto part = [&](index_t c) { return columns.vector().part(c * b, b); };
    conditional_results<T, S> forward{
        .loss = out.loss.given() ? out.loss : part(0), .posterior = out.posterior, .pair_counts = part(1)};
    if (watched) {
      forward.chosen_rewards = part(2);
      forward.rejected_rewards = rewards.matrix(b, j);
      forward.margins = part(3);
      forward.pair_wins = part(4);
      if (o.conditional) forward.shifted_margins = part(5);
    }
    preference(be, a, q, o, forward, {});
    auto kept_memory = be.template allocate<T>(b * k);
    view<T, 2, S> const kept = kept_memory.matrix(b, k);
    be.launch_2d(b, k, detail::keep_rows<T, S>{forward.pair_counts, q, kept});

    // One number from them, and its slopes dV/dl_i and dV/dq_ik.
    auto terms = be.template allocate<T>(3);
    auto slope_memory = be.template allocate<T>(2 * b);
    auto grad_q_memory = be.template allocate<T>(by_q ? 2 * b * k : 0);
    view<T, 1, S> const slopes = slope_memory.vector().part(0, b), more_slopes = slope_memory.vector().part(b, b);
    view<T, 2, S> const grad_q = by_q ? view<T, 2, S>{grad_q_memory.data(), b, k} : view<T, 2, S>{};
    view<T, 2, S> const more_grad_q = by_q ? view<T, 2, S>{grad_q_memory.data() + b * k, b, k} : view<T, 2, S>{};
    causaldpo::adjusted_loss(be, forward.loss, kept,
                             {.value = terms.vector().part(0, 1),
                              .grad_losses = slopes,
                              .grad_q = grad_q,
                              .env_losses = out.env_losses,
                              .env_mass = out.env_mass,
                              .env_weights = out.env_weights,
                              .updated_prior = out.updated_prior},
                             o.adjustment,
                             {.prior = in.prior, .prev_env_weights = in.prev_env_weights, .assignment = in.assignment});
    detail::add_terms<T, S> total{{}, {0, 0}, out};
    index_t count = 0;
    if (o.mmd) {
      causaldpo::mmd_penalty(be, in.outputs, kept,
                             {.value = terms.vector().part(++count, 1), .grad_outputs = out.grad_outputs, .grad_q = more_grad_q},
                             o.mmd->options);
      total.weights[count - 1] = o.mmd->weight;
      if (out.grad_outputs.given())
        be.launch_2d(b, in.outputs.cols(), detail::scale_entries<T, S>{o.mmd->weight, out.grad_outputs});
      add(be, o.mmd->weight, more_grad_q, grad_q);
    } else if (out.grad_outputs.given()) {
      be.launch_2d(b, in.outputs.cols(), detail::clear_entries<T, S>{out.grad_outputs});
    }
    if (o.vrex) {
      causaldpo::vrex_penalty(be, forward.loss, kept,
                              {.value = terms.vector().part(++count, 1), .grad_losses = more_slopes, .grad_q = more_grad_q},
                              o.vrex->options, in.prior);
      total.weights[count - 1] = o.vrex->weight;
      be.launch(b, detail::add_weighted<T, S>{o.vrex->weight, more_slopes, slopes});
      add(be, o.vrex->weight, more_grad_q, grad_q);
    }
    total.terms = terms.vector().part(0, count + 1);
    be.launch(1, total);

    // Back to the log-probabilities, and through the memberships to the features.
    if (by_logps)
      preference(be, a, q, o, {.grad_chosen_logps = out.grad_chosen_logps, .grad_rejected_logps = out.grad_rejected_logps},
                 slopes);
    if (by_q) {
      be.launch_2d(b, k, detail::keep_rows<T, S>{forward.pair_counts, grad_q, grad_q});
      causaldpo::soft_assignment(be, in.features, in.centers, {.grad_x = out.grad_features}, assignment, grad_q);
    } else if (out.grad_features.given()) {
      be.launch_2d(b, in.features.cols(), detail::clear_entries<T, S>{out.grad_features});
    }
    if (watched)
      causaldpo::preference_metrics(be,
                                    preference_scores<T, S>{forward.chosen_rewards, forward.rejected_rewards, forward.margins,
                                                            forward.pair_counts, forward.pair_wins, forward.shifted_margins},
                                    q, out.metrics, slopes);
  }

 private:
  /// The preference loss, plain or conditional; with `upstream` its gradients are those of sum_i upstream_i loss_i.
  template <class B, class T, class O>
  static void preference(B& be, detail::objective_args<T, typename B::space> const& a, view<T const, 2, typename B::space> q,
                         O const& o, std::type_identity_t<conditional_results<T, typename B::space>> const& r,
                         std::type_identity_t<view<T const, 1, typename B::space>> upstream) {
    auto const& p = o.preference;
    if (o.conditional) {
      using loss_type = std::remove_const_t<decltype(p.loss)>;
      conditional_options_for<loss_type> const c{
          p.loss,      p.beta,    p.reference_free,       p.log_ratio_clamp,      p.nll_weight,
          p.reduction, p.dr_beta, o.conditional->mixture, o.conditional->strength};
      causaldpo::conditional_preference(be, a.batch.preference, q, a.batch.offsets, r, c, upstream);
    } else {
      causaldpo::preference_loss(be, a.batch.preference,
                                 {.loss = r.loss,
                                  .grad_chosen_logps = r.grad_chosen_logps,
                                  .grad_rejected_logps = r.grad_rejected_logps,
                                  .chosen_rewards = r.chosen_rewards,
                                  .rejected_rewards = r.rejected_rewards,
                                  .margins = r.margins,
                                  .pair_counts = r.pair_counts,
                                  .pair_wins = r.pair_wins},
                                 p, upstream);
    }
  }

  /// sum += weight * x for dense matrices; nothing where they were not wanted.
  template <class B, class T, class S>
  static void add(B& be, double weight, view<T, 2, S> x, view<T, 2, S> sum) {
    index_t const n = sum.rows() * sum.cols();
    be.launch(n, detail::add_weighted<T, S>{weight, view<T, 1, S>{x.data(), n}, view<T, 1, S>{sum.data(), n}});
  }

  template <class T, class S>
  static bool any_metric(preference_metric_results<T, S> const& m) {
    return m.chosen_rewards.given() || m.rejected_rewards.given() || m.margins.given() || m.accuracy.given() ||
           m.pair_accuracy.given() || m.saturation.given() || m.dropped.given() || m.effective_sample_size.given();
  }
};
}  // namespace op

/// The training objective of one batch: value = adjusted_loss(l, q) + sum of weight * penalty, with exact gradients.
///
/// 1. q [B,K]: given, or the soft assignment of `features` to `centers`;
/// 2. l [B]: preference_loss, or conditional_preference with the same q (a constant inside it) and `offsets`;
/// 3. a dropped example (no valid pair) has its row of q set to 0, so it leaves every environment;
/// 4. preference_term = adjusted_loss(l, q); penalties: mmd on `outputs`, vrex on l;
/// 5. back: dV/dl_i goes into the preference loss as `upstream`, dV/dq through the soft assignment to `features` if
///    `environment_gradient`. Centres, offsets, priors, bandwidths and group weights are constants.
///
///     causal_dpo_objective(backend, batch, {.value = scalar(&value), .grad_chosen_logps = gw, .grad_rejected_logps = gl},
///                          {.preference = {.beta = 1}, .conditional = {{.strength = 2}}});
///
/// | argument | meaning |
/// |---|---|
/// | batch | views of the inputs, see objective_batch |
/// | results | views of the outputs, see objective_results |
/// | options | see objective_options_for and namespace presets |
///
/// Edge cases are those of the operations. With strength 0 value and gradients are those of the plain loss to the bit;
/// environments with equal offsets and rows of q that sum to 1 give what one environment gives, up to rounding.
/// Everything dropped: all 0. A chosen item of probability 0: value +inf, gradients finite.
/// Errors: shape_error and option_error before anything is written; value_error names the operation inside.
/// Cost: two passes of the preference loss (one without gradients), and what the parts cost. Scratch: 8 B + 2 B K
/// scalars (B J and 2 B K more for metrics and environment_gradient) and the parts' own; from the second step on
/// nothing is allocated. Source: CausalDPO, arXiv 2603.22335, algorithm 1; docs/algorithms/causal_dpo_objective.md.
template <backend B, real_scalar T, class O = objective_options>
void causal_dpo_objective(B& be, objective_batch<T, typename B::space> const& batch,
                          std::type_identity_t<objective_results<T, typename B::space>> results, O const& options = {}) {
  detail::objective_args<T, typename B::space> const a{batch, results};
  detail::check_objective("causal_dpo_objective", a, options);
  detail::run<op::causal_dpo_objective>(be, a, options);
}

}  // namespace causaldpo
