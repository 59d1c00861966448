// SPDX-License-Identifier: Apache-2.0
// adjusted_loss: from per-example losses and memberships to one number, with a choice of backdoor estimator.
#pragma once

#include "causaldpo/adjustment/adjusted_loss_kernels.hpp"

namespace causaldpo {

/// Options of adjusted_loss. Built-in estimators: `{.estimator = estimator::soft_worst{.temperature = 0.5}}`.
/// One of your own (a `risk_estimator`): pass `adjustment_options_for<my_estimator>{...}`.
template <class E = any_estimator>
struct adjustment_options_for {
  E estimator{};
  double min_mass = 1e-8;  ///< an environment is active if its mass exceeds this
};
using adjustment_options = adjustment_options_for<>;

namespace detail {

template <class E>
inline constexpr bool is_variant = false;
template <class... E>
inline constexpr bool is_variant<std::variant<E...>> = true;
template <class E>
inline constexpr bool weights_rows = std::is_same_v<E, estimator::mean> || std::is_same_v<E, estimator::ipw>;

/// Checks what only the estimator knows: its options, the inputs it needs and the outputs it has.
template <class T, class S, class E>
void check_estimator(char const* name, E const& e, adjusted_loss_args<T, S> const& a) {
  static_assert(weights_rows<E> || risk_estimator<E, T, S>, "an estimator of your own must model risk_estimator");
  constexpr bool is_mean = std::is_same_v<E, estimator::mean>, is_ipw = std::is_same_v<E, estimator::ipw>;
  index_t const b = a.q.rows(), k = a.q.cols();
  auto const offered = [name](char const* output, bool given, bool ok, char const* must) {
    expect_option(name, output, ok || !given, "asked for", must);
  };
  if constexpr (requires { e.check(name); }) e.check(name);
  if constexpr (!is_mean) expect_prior(name, prior_of(e), a.in.prior, k);
  if constexpr (requires { E::needs_previous_weights; })
    if (E::needs_previous_weights)
      expect_size(name, "prev_env_weights", a.in.prev_env_weights, k, "one weight for each column of q");
  if constexpr (is_ipw)
    if (e.assignment == assignment_kind::given) expect_shape(name, "assignment", a.in.assignment, b, k, "as q");
  offered("weights", a.out.weights.given(), is_ipw, "asked of ipw only");
  offered("effective_sample_size", a.out.effective_sample_size.given(), is_ipw, "asked of ipw only");
  offered("env_weights", a.out.env_weights.given(), !is_mean, "left out for the estimator mean");
  offered("updated_prior", a.out.updated_prior.given(), prior_of(e) == prior_kind::ema,
          "asked of a running prior (prior_kind::ema) only");
}

/// Calls f with the estimator itself: the alternative that a variant holds, or the user's own.
template <class E, class F>
void visit_estimator(E const& e, F const& f) {
  if constexpr (is_variant<E>)
    std::visit(f, e);
  else
    f(e);
}

/// Checks and runs one estimator.
template <class B, class T>
struct run_estimator {
  B& be;
  adjusted_loss_args<T, typename B::space> const& a;
  template <class E>
  void operator()(E const& e) const {
    constexpr char const* name = "adjusted_loss";
    check_estimator(name, e, a);
    nan_guard<B> guard(be, name,
                       {"per_example_losses", "q", "prior|is negative or NaN and must be >= 0",
                        "prev_env_weights|is negative or NaN and must be >= 0", "assignment"});
    adjusted_loss_args<T, typename B::space> watched = a;
    watched.watch = guard.watch();
    run<op::adjusted_loss>(be, watched, e);
    guard.finish();
  }
};

}  // namespace detail

/// Confounder-adjusted reduction of per-example losses. With R_k = sum_i q_ik l_i / n_k, n_k = sum_i q_ik and p the
/// prior over the environments:
///
/// | estimator | value | dV/dl_i |
/// |---|---|---|
/// | `stratified` (default) | sum_k p_k R_k | sum_k p_k q_ik / n_k |
/// | `mean` | mean over the rows with a positive row sum of q | 1 / their number |
/// | `ipw` | sum_i w_i l_i / B (or / sum w), w_i = sum_k s_ik p_k / max(q_ik, floor), clipped | w_i / B (or / sum w) |
/// | `group_dro` | sum_k lam_k R_k, lam_k ~ prev_env_weights_k exp(eta R_k) | sum_k lam_k q_ik / n_k |
/// | `soft_worst` | t log sum_k p_k exp(R_k / t) | sum_k softmax_k(log p + R / t) q_ik / n_k |
/// | `worst` | max_k R_k | q_ik* / n_k* |
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | per_example_losses | [B] | l_i > -inf, e.g. `loss` of preference_loss |
/// | q | [B,K] | membership of each example in each environment, >= 0, used as it is |
/// | inputs.prior | [K] | with `prior_kind::given` and `prior_kind::ema` |
/// | inputs.prev_env_weights | [K] | with `group_dro`: the last `env_weights` (first step: all equal) |
/// | inputs.assignment | [B,K] | with `assignment_kind::given`: s_ik |
///
/// Gradient by q: dV/dq_ik = (dV/dR_k) (l_i - R_k) / n_k with priors and group weights held constant (so with the
/// priors `batch` and `ema` it is not the derivative of V as a function of q); 0 for mean and ipw.
/// Which estimators do nothing: `stratified` with prior `batch`, and `ipw` with assignment = q, equal the plain mean in
/// value and gradient, because sum_k (n_k / B) R_k = mean(l). See docs/algorithms/adjusted_loss.md.
/// Edge cases: an inactive environment (n_k <= min_mass) is left out and the prior renormalised; none active: 0.
/// A loss of +inf in an environment of positive weight: value +inf, dV/dl_i the finite weight; dV/dq 0 where l_i or R_k
/// is infinite. A row of q that is all 0 is not read; it stays in the divisor B of ipw.
/// Errors: shape_error, option_error (also for an output that the estimator does not have), value_error for NaN.
/// Cost O(B K) in 3 passes; scratch 32 K bytes, for mean and ipw 8 B + 24 K.
/// Source: reference formulas in docs/algorithms/adjusted_loss.md, each with its paper.
template <backend B, vector_like L, matrix_like Q, real_scalar T = scalar_of<L>, class O = adjustment_options>
void adjusted_loss(B& be, L const& per_example_losses, Q const& q,
                   std::type_identity_t<adjusted_loss_results<T, typename B::space>> results, O const& options = {},
                   std::type_identity_t<adjusted_loss_inputs<T, typename B::space>> const& inputs = {}) {
  using S = typename B::space;
  constexpr char const* name = "adjusted_loss";
  detail::adjusted_loss_args<T, S> const a{as_view(per_example_losses), as_view(q), inputs, results, options.min_mass, {}};
  index_t const b = a.losses.size(), k = a.q.cols();
  detail::expect_shape(name, "q", a.q, b, k, "one row for each loss");
  detail::expect_option(name, "min_mass", options.min_mass >= 0, options.min_mass, ">= 0");
  detail::expect_size_if_given(name, "value", results.value, 1, "a scalar");
  detail::expect_size_if_given(name, "grad_losses", results.grad_losses, b, "as per_example_losses");
  detail::expect_shape_if_given(name, "grad_q", results.grad_q, b, k, "as q");
  detail::expect_size_if_given(name, "env_losses", results.env_losses, k, "one for each column of q");
  detail::expect_size_if_given(name, "env_mass", results.env_mass, k, "one for each column of q");
  detail::expect_size_if_given(name, "env_weights", results.env_weights, k, "one for each column of q");
  detail::expect_size_if_given(name, "updated_prior", results.updated_prior, k, "one for each column of q");
  detail::expect_size_if_given(name, "weights", results.weights, b, "as per_example_losses");
  detail::expect_size_if_given(name, "effective_sample_size", results.effective_sample_size, 1, "a scalar");
  detail::visit_estimator(options.estimator, detail::run_estimator<B, T>{be, a});
}

}  // namespace causaldpo
