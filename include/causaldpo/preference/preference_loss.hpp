// SPDX-License-Identifier: Apache-2.0
// preference_loss: the DPO family of losses over batches of preference pairs, with exact gradients.
#pragma once

#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/preference/preference_loss_finish.hpp"

namespace causaldpo {
namespace detail {

template <class O>
inline constexpr bool is_preference_options = false;
template <class L>
inline constexpr bool is_preference_options<preference_options_for<L>> = true;

/// Shapes of the batch, and of the results that both operations have.
template <class T, class S>
void check_preference_batch(char const* op, preference_args<T, S> const& a, bool reference, bool lengths, bool smoothing) {
  auto const& in = a.batch;
  index_t const b = in.policy_chosen_logps.size(), j = in.policy_rejected_logps.cols();
  constexpr char const* per_example = "one for each chosen item";
  constexpr char const* per_pair = "as policy_rejected_logps";
  expect_shape(op, "policy_rejected_logps", in.policy_rejected_logps, b, j, "one row for each chosen item");
  if (reference) {
    expect_size_if_given(op, "reference_chosen_logps", in.reference_chosen_logps, b, per_example);
    expect_shape_if_given(op, "reference_rejected_logps", in.reference_rejected_logps, b, j, per_pair);
  }
  expect_shape_if_given(op, "rejected_mask", in.rejected_mask, b, j, per_pair);
  expect_shape_if_given(op, "pair_weights", in.pair_weights, b, j, per_pair);
  expect_size_if_given(op, "sample_weights", in.sample_weights, b, per_example);
  if (lengths) {
    expect_size(op, "chosen_lengths", in.chosen_lengths, b, "length_normalize needs one for each chosen item");
    expect_shape(op, "rejected_lengths", in.rejected_lengths, b, j, "length_normalize needs one for each rejected item");
  }
  if (smoothing) expect_size(op, "smoothing", in.smoothing, b, "the loss needs one for each example");
  expect_size_if_given(op, "upstream", a.upstream, b, per_example);

  auto const& out = a.out;
  expect_size_if_given(op, "loss", out.loss, b, per_example);
  expect_size_if_given(op, "loss_mean", out.loss_mean, 1, "a scalar");
  expect_size_if_given(op, "grad_chosen_logps", out.grad_chosen_logps, b, per_example);
  expect_shape_if_given(op, "grad_rejected_logps", out.grad_rejected_logps, b, j, per_pair);
  expect_size_if_given(op, "chosen_rewards", out.chosen_rewards, b, per_example);
  expect_shape_if_given(op, "rejected_rewards", out.rejected_rewards, b, j, per_pair);
  expect_size_if_given(op, "margins", out.margins, b, per_example);
  expect_size_if_given(op, "accuracy", out.accuracy, 1, "a scalar");
  expect_size_if_given(op, "pair_accuracy", out.pair_accuracy, 1, "a scalar");
  expect_size_if_given(op, "pair_counts", out.pair_counts, b, per_example);
  expect_size_if_given(op, "pair_wins", out.pair_wins, b, per_example);
}

/// The options that both operations have, checked; the rest of the plan is that of preference_loss.
template <class T, class Options>
preference_plan<T> plan_preference(char const* op, Options const& o) {
  check_loss(op, o.loss);
  expect_option(op, "beta", o.beta > 0 && is_finite(o.beta) && static_cast<T>(o.beta) > T(0), o.beta, "finite and > 0");
  expect_option(op, "nll_weight", is_finite(o.nll_weight), o.nll_weight, "finite");
  expect_option(op, "dr_beta", o.dr_beta > 0 && is_finite(o.dr_beta), o.dr_beta, "finite and > 0");
  bool const clamp = o.log_ratio_clamp.has_value();
  log_ratio_range const range = o.log_ratio_clamp.value_or(log_ratio_range{0, 0});
  expect_option(op, "log_ratio_clamp.low", range.low <= range.high, range.low, "at most log_ratio_clamp.high");
  bool const reference = !o.reference_free && !loss_is_reference_free<decltype(o.loss)>;
  return {.beta = static_cast<T>(o.beta),
          .low = static_cast<T>(range.low),
          .high = static_cast<T>(range.high),
          .nll_weight = static_cast<T>(o.nll_weight),
          .strength = T(0),
          .clamp = clamp,
          .reference = reference,
          .length_normalize = false,
          .conditional = false,
          .shifted = false,
          .mixed = false,
          .mixture = preference_mixture::expected,
          .reduction = o.reduction,
          .dr_beta = o.dr_beta};
}

/// The plan of preference_loss, its options checked.
template <class T, class Loss>
preference_plan<T> plan_unconditional(preference_options_for<Loss> const& o) {
  auto plan = plan_preference<T>("preference_loss", o);
  plan.length_normalize = o.length_normalize;
  return plan;
}

}  // namespace detail

namespace op {
/// Tag and generic body of preference_loss; `options.loss` is the loss itself, not a choice of several.
struct preference_loss {
  template <class T, class S>
  using calls =
      typename detail::calls_for_each<detail::preference_args<T, S>, preference_options_for, loss::any, std::is_class>::type;

  template <backend B, real_scalar T, preference_loss_function Loss>
  static void generic(B& be, detail::preference_args<T, typename B::space> const& a, preference_options_for<Loss> const& o) {
    detail::run_preference<B, T>(be, o.loss, a, detail::plan_unconditional<T>(o));
  }
};
}  // namespace op

namespace detail {
/// Checks and runs preference_loss with one loss.
template <class B, class T, class Loss>
void check_and_run_preference(B& be, preference_args<T, typename B::space> a, preference_options_for<Loss> const& o) {
  constexpr char const* name = "preference_loss";
  auto const plan = plan_unconditional<T>(o);
  check_preference_batch(name, a, plan.reference, plan.length_normalize, loss_needs_smoothing<Loss>);
  nan_guard<B> guard(be, name, preference_input_names);
  a.watch = guard.watch();
  run<op::preference_loss>(be, a, o);
  guard.finish();
}
}  // namespace detail

/// Preference loss of B examples with one chosen and J rejected items each, and its gradients.
///
///   a_i = policy_chosen - reference_chosen,  b_ij = policy_rejected - reference_rejected,  z_ij = beta (a_i - b_ij)
///   loss_i = the loss of the example's valid pairs (namespace `loss`) - nll_weight policy_chosen_i
///   loss_mean = mean, sum or Dr.DPO aggregate of the loss_i with sample weights
///
/// | argument | meaning |
/// |---|---|
/// | batch | views of the inputs, see preference_batch |
/// | results | views of the outputs, see preference_results |
/// | options | loss, beta, ..., see preference_options; `preference_options_for<my_loss>{...}` for a loss of your own |
/// | upstream [B] | optional: gradients of sum_i upstream_i loss_i in place of those of loss_mean |
///
/// A pair is valid if its mask is set, its weight is not 0 and a - b is a number (infinity minus infinity is not). An
/// example without a valid pair is dropped, as is one whose loss would add infinities of both signs: loss, gradients,
/// rewards 0, counted in no mean. Infinite margins: values and gradients take their limits, so a chosen item of
/// probability 0 has loss +inf and gradient -beta. Under sample weight 0 or upstream 0 an example has gradient 0.
/// If every loss is +inf, Dr.DPO's gradient weights are the sample weights.
/// Throws shape_error, option_error before anything is written; value_error for a NaN in a slot in use.
/// Cost O(B J): one pass over the examples and one over the gradients. Scratch: (3 J + 4) B scalars, J B more for
/// listwise losses. Source: Rafailov et al., arXiv 2305.18290; each loss names its own.
template <backend B, real_scalar T, class Options = preference_options>
requires detail::is_preference_options<Options>
void preference_loss(B& be, preference_batch<T, typename B::space> const& batch,
                     std::type_identity_t<preference_results<T, typename B::space>> results, Options const& options = {},
                     std::type_identity_t<view<T const, 1, typename B::space>> upstream = {}) {
  using S = typename B::space;
  conditional_results<T, S> const out{.loss = results.loss,
                                      .loss_mean = results.loss_mean,
                                      .grad_chosen_logps = results.grad_chosen_logps,
                                      .grad_rejected_logps = results.grad_rejected_logps,
                                      .chosen_rewards = results.chosen_rewards,
                                      .rejected_rewards = results.rejected_rewards,
                                      .margins = results.margins,
                                      .accuracy = results.accuracy,
                                      .pair_accuracy = results.pair_accuracy,
                                      .pair_counts = results.pair_counts,
                                      .pair_wins = results.pair_wins};
  detail::preference_args<T, S> const a{.batch = batch, .upstream = upstream, .out = out};
  detail::visit_loss_option(options.loss, [&]<class Loss>(Loss const& loss) {
    detail::check_and_run_preference<B, T>(
        be, a,
        preference_options_for<Loss>{loss, options.beta, options.reference_free, options.length_normalize,
                                     options.log_ratio_clamp, options.nll_weight, options.reduction, options.dr_beta});
  });
}

}  // namespace causaldpo
