// SPDX-License-Identifier: Apache-2.0
// conditional_preference: preference losses of the environment-conditional policy, whose margins are shifted by what
// each environment makes of the items anyway.
#pragma once

#include "causaldpo/preference/preference_loss.hpp"

namespace causaldpo {
namespace detail {

template <class O>
inline constexpr bool is_conditional_options = false;
template <class L>
inline constexpr bool is_conditional_options<conditional_options_for<L>> = true;

template <class T, class Loss>
preference_plan<T> plan_conditional(conditional_options_for<Loss> const& o) {
  constexpr char const* name = "conditional_preference";
  auto plan = plan_preference<T>(name, o);
  expect_option(name, "strength", is_finite(o.strength), o.strength, "finite");
  plan.strength = static_cast<T>(o.strength);
  plan.conditional = true;
  plan.shifted = plan.strength != T(0);
  plan.mixed = o.mixture != preference_mixture::expected;
  plan.mixture = o.mixture;
  return plan;
}

}  // namespace detail

namespace op {
/// Tag and generic body of conditional_preference; `options.loss` is the loss itself.
struct conditional_preference {
  template <class T, class S>
  using calls = typename detail::calls_for_each<detail::preference_args<T, S>, conditional_options_for, loss::any, detail::is_shiftable>::type;

  template <backend B, real_scalar T, shiftable_loss Loss>
  static void generic(B& be, detail::preference_args<T, typename B::space> const& a, conditional_options_for<Loss> const& o) {
    detail::run_preference<B, T>(be, o.loss, a, detail::plan_conditional<T>(o));
  }
};
}  // namespace op

namespace detail {
/// Checks and runs conditional_preference with one loss.
template <class B, class T, class Loss>
void check_and_run_conditional(B& be, preference_args<T, typename B::space> a, conditional_options_for<Loss> const& o) {
  constexpr char const* name = "conditional_preference";
  if constexpr (!shiftable_loss<Loss>) {
    expect_option(name, "loss", false, Loss::name(), "a function of the margins (sigmoid, hinge, ipo, sdpo, dmpo, ...)");
  } else {
    auto const plan = plan_conditional<T>(o);
    check_preference_batch(name, a, plan.reference, false, loss_needs_smoothing<Loss>);
    index_t const b = a.batch.policy_chosen_logps.size(), pairs = b * a.batch.policy_rejected_logps.cols(), k = a.q.cols();
    expect_shape(name, "q", a.q, b, k, "one row for each chosen item");
    if (plan.shifted) {
      expect_shape(name, "offsets.chosen", a.offsets.chosen, b, k, "as q");
      expect_shape(name, "offsets.rejected", a.offsets.rejected, pairs, k, "row i*J + j for rejected item j of example i");
    }
    expect_shape_if_given(name, "grad_chosen_offsets", a.out.grad_chosen_offsets, b, k, "as q");
    expect_shape_if_given(name, "grad_rejected_offsets", a.out.grad_rejected_offsets, pairs, k, "as offsets.rejected");
    expect_shape_if_given(name, "posterior", a.out.posterior, b, k, "as q");
    expect_option(name, "posterior", !a.out.posterior.given() || o.mixture == preference_mixture::likelihood, "given",
                  "left out unless mixture is likelihood");
    expect_size_if_given(name, "shifted_margins", a.out.shifted_margins, b, "one for each chosen item");
    nan_guard<B> guard(be, name, preference_input_names);
    a.watch = guard.watch();
    run<op::conditional_preference>(be, a, o);
    guard.finish();
  }
}
}  // namespace detail

/// Preference loss of a policy that knows the circumstances: in environment k the score of an item is the policy's
/// plus an offset, normally log p(item | e_k) of exposure_model, so that what exposure explains is not learned.
///
///   s_ijk = strength (chosen_offsets_ik - rejected_offsets_ijk),  z_ij = beta (a_i - b_ij) as in preference_loss
///   expected:    loss_i = L_i(z + sum_k q_ik s_.k)
///   risk:        loss_i = sum_k q_ik L_i(z + s_.k)
///   likelihood:  loss_i = -log sum_k q_ik exp(-L_i(z + s_.k)),  posterior_ik = q_ik exp(-L_ik) / sum
///
/// (- nll_weight policy_chosen_i each). With rejected items drawn from p(y)^s, strength = 1 + beta - s makes the
/// exposure drop out of the policy.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | batch | | as for preference_loss; lengths are not used |
/// | q | [B,K] | membership of each example in each environment, used as it is; a constant |
/// | offsets | [B,K], [B*J,K] | see exposure_offsets; may be left out at strength 0 |
/// | results | | see conditional_results |
/// | options | | loss: a function of the margins; mixture, strength; see conditional_options |
/// | upstream | [B] | optional: gradients of sum_i upstream_i loss_i in place of those of loss_mean |
///
/// Offsets where q is 0, and all at strength 0, are not read. At strength 0 `expected` is preference_loss to the bit.
/// A pair whose shifted margin is infinity minus infinity (`expected`: after the sum; else: in any environment that the
/// example is in) is invalid; an example without a valid pair, or in no environment, is dropped. `likelihood` where
/// every L_ik is +inf: loss +inf, posterior q over its sum, gradients those of `risk` with that q. Infinite margins,
/// errors and weights as in preference_loss.
/// Cost O(B J K); `likelihood` evaluates each environment's loss twice. Scratch: (3 J + 4) B scalars, J B more for
/// listwise losses, K B for `likelihood`. Source: backdoor adjustment with an exposure model, docs/algorithms.
template <backend B, real_scalar T, matrix_like Q, class Options = conditional_options>
requires detail::is_conditional_options<Options>
void conditional_preference(B& be, preference_batch<T, typename B::space> const& batch, Q const& q,
                            std::type_identity_t<exposure_offsets<T, typename B::space>> offsets,
                            std::type_identity_t<conditional_results<T, typename B::space>> results, Options const& options = {},
                            std::type_identity_t<view<T const, 1, typename B::space>> upstream = {}) {
  using S = typename B::space;
  detail::preference_args<T, S> const a{batch, as_view(q), offsets, upstream, results, {}};
  detail::visit_loss_option(options.loss, [&]<class Loss>(Loss const& loss) {
    detail::check_and_run_conditional<B, T>(
        be, a,
        conditional_options_for<Loss>{loss, options.beta, options.reference_free, options.log_ratio_clamp, options.nll_weight,
                                      options.reduction, options.dr_beta, options.mixture, options.strength});
  });
}

}  // namespace causaldpo
