// SPDX-License-Identifier: Apache-2.0
// The estimators of adjusted_loss. Each is at once an option, the code that runs, and the extension point: an
// estimator of your own is a struct that models `risk_estimator`.
//
//   1. mean          the plain mean: adjusts nothing
//   2. stratified    sum_k p_k R_k, the backdoor formula on losses
//   3. ipw           inverse propensity weights on rows
//   4. group_dro     weights that grow with past risks
//   5. soft_worst    t log sum_k p_k exp(R_k / t)
//   6. worst         max_k R_k
#pragma once

#include <limits>
#include <type_traits>
#include <variant>

#include "causaldpo/adjustment/environment_risks.hpp"

namespace causaldpo {

/// A function of the risks. `weights = dV/dR_k` is written for every k and is what `env_weights` reports; a quantity
/// that is to be constant for the gradient is simply left out of it. Runs as one work item, host or device.
/// Requires: trivially copyable; `e(risks, weights)`, marked CAUSALDPO_HD, returns V. Optional members:
/// `prior` and `ema_rate` (otherwise the prior is uniform), `check(operation)` (throws option_error),
/// `needs_previous_weights` (true: the input prev_env_weights is required).
/// Models: stratified, group_dro, soft_worst, worst. Not: mean and ipw, which weight rows, not environments.
template <class E, class T = double, class S = host_space>
concept risk_estimator = std::is_trivially_copyable_v<E> &&
    requires(E const e, environment_risks<T, S> const risks, view<accumulator, 1, S> weights) {
  { e(risks, weights) } -> std::convertible_to<accumulator>;
};

/// Where ipw takes the assignment s_ik from.
enum class assignment_kind {
  largest,  ///< one-hot of the largest q_ik, lowest index on ties
  given     ///< the input `assignment` [B,K]
};

namespace estimator {

/// Mean over the rows that belong to some environment (positive row sum of q). The baseline; q is not adjusted for.
struct mean {};

/// V = sum_k p_k R_k. With `prior_kind::batch` this is exactly the mean, value and gradient. Robins 1986; Pearl 2009.
struct stratified {
  prior_kind prior = prior_kind::uniform;
  double ema_rate = 0.1;  ///< only with prior_kind::ema

  void check(char const* op) const {
    detail::expect_option(op, "ema_rate", ema_rate >= 0 && ema_rate <= 1, ema_rate, "in [0, 1]");
  }
  template <class T, class S>
  CAUSALDPO_HD accumulator operator()(environment_risks<T, S> const& e, view<accumulator, 1, S> weights) const {
    accumulator value = 0;
    for (index_t k = 0; k < e.size(); ++k) {
      weights.at(k) = e.prior.at(k);
      if (weights.at(k) > 0) value += weights.at(k) * e.risks.at(k);
    }
    return value;
  }
};

/// V = sum_i w_i l_i / B, or / sum_i w_i, with w_i = sum_k s_ik p_k / max(q_ik, propensity_floor), then clipped.
/// A row of q that is all 0 has weight 0. With assignment = propensity every weight is 1: that adjusts nothing.
/// q is the propensity and constant for the gradient. Robins et al. 2000; Swaminathan & Joachims 2015.
struct ipw {
  prior_kind prior = prior_kind::uniform;
  double ema_rate = 0.1;                                             ///< only with prior_kind::ema
  double propensity_floor = 1e-6;                                    ///< > 0
  bool self_normalize = false;                                       ///< divide by sum w instead of B: biased, lower variance
  double weight_clip_min = 0;                                        ///< weights below are raised to it
  double weight_clip_max = std::numeric_limits<double>::infinity();  ///< weights above are cut to it
  assignment_kind assignment = assignment_kind::largest;

  void check(char const* op) const {
    detail::expect_option(op, "ema_rate", ema_rate >= 0 && ema_rate <= 1, ema_rate, "in [0, 1]");
    detail::expect_option(op, "propensity_floor", propensity_floor > 0 && propensity_floor <= 1, propensity_floor, "in (0, 1]");
    detail::expect_option(op, "weight_clip_min", weight_clip_min >= 0 && detail::is_finite(weight_clip_min), weight_clip_min,
                          "finite and >= 0");
    detail::expect_option(op, "weight_clip_max", weight_clip_max >= weight_clip_min, weight_clip_max, "at least weight_clip_min");
  }
};

/// V = sum_k lam_k R_k, lam_k proportional to prev_env_weights_k exp(eta R_k) over all K, where an inactive environment
/// has factor 1. lam is constant for the gradient; hand `env_weights` back as prev_env_weights at the next step.
/// Evaluated in log space. Sagawa et al., arXiv 1911.08731, algorithm 1.
struct group_dro {
  double eta = 0.01;
  static constexpr bool needs_previous_weights = true;

  void check(char const* op) const {
    detail::expect_option(op, "eta", eta >= 0 && detail::is_finite(eta), eta, "finite and >= 0");
  }
  /// log of the unnormalised weight; -inf for a previous weight of 0.
  template <class T, class S>
  CAUSALDPO_HD accumulator exponent(environment_risks<T, S> const& e, index_t k) const {
    accumulator const before = static_cast<accumulator>(e.previous.at(k));
    if (!(before > 0)) return -math::infinity<accumulator>();
    return math::log(before) + (eta > 0 && e.active(k) ? eta * e.risks.at(k) : 0);
  }
  template <class T, class S>
  CAUSALDPO_HD accumulator operator()(environment_risks<T, S> const& e, view<accumulator, 1, S> weights) const {
    accumulator top = -math::infinity<accumulator>(), sum = 0, value = 0;
    for (index_t k = 0; k < e.size(); ++k) top = math::max(exponent(e, k), top);
    for (index_t k = 0; k < e.size(); ++k) {
      accumulator const x = exponent(e, k);
      if (!(x > -math::infinity<accumulator>()))
        weights.at(k) = 0;
      else if (x == top)
        weights.at(k) = detail::finite(top) ? 1 : static_cast<accumulator>(e.previous.at(k));  // +inf: shared as before
      else
        weights.at(k) = math::exp(x - top);
      sum += weights.at(k);
    }
    for (index_t k = 0; k < e.size(); ++k) {
      weights.at(k) = sum > 0 ? weights.at(k) / sum : 0;
      if (weights.at(k) > 0) value += weights.at(k) * e.risks.at(k);
    }
    return value;
  }
};

/// V = t log sum_k p_k exp(R_k / t): between `stratified` (t to infinity) and `worst` (t to 0), without state.
/// Its weights are the softmax of log p_k + R_k / t.
struct soft_worst {
  double temperature = 1;  ///< t > 0
  prior_kind prior = prior_kind::uniform;
  double ema_rate = 0.1;  ///< only with prior_kind::ema

  void check(char const* op) const {
    detail::expect_option(op, "temperature", temperature > 0 && detail::is_finite(temperature), temperature, "finite and > 0");
    detail::expect_option(op, "ema_rate", ema_rate >= 0 && ema_rate <= 1, ema_rate, "in [0, 1]");
  }
  template <class T, class S>
  CAUSALDPO_HD accumulator operator()(environment_risks<T, S> const& e, view<accumulator, 1, S> weights) const {
    accumulator top = -math::infinity<accumulator>(), sum = 0;
    for (index_t k = 0; k < e.size(); ++k)
      if (e.prior.at(k) > 0) top = math::max(e.risks.at(k), top);
    for (index_t k = 0; k < e.size(); ++k) {
      accumulator const gap = e.risks.at(k) == top ? 0 : e.risks.at(k) - top;  // never inf - inf
      weights.at(k) = e.prior.at(k) > 0 ? e.prior.at(k) * math::exp(gap / temperature) : 0;
      sum += weights.at(k);
    }
    for (index_t k = 0; k < e.size(); ++k) weights.at(k) = sum > 0 ? weights.at(k) / sum : 0;
    return sum > 0 ? top + temperature * math::log(sum) : 0;
  }
};

/// V = max_k R_k over the active environments; the lowest index on ties has weight 1, the others 0 (a subgradient).
struct worst {
  template <class T, class S>
  CAUSALDPO_HD accumulator operator()(environment_risks<T, S> const& e, view<accumulator, 1, S> weights) const {
    index_t best = -1;
    for (index_t k = 0; k < e.size(); ++k) {
      weights.at(k) = 0;
      if (e.active(k) && (best < 0 || e.risks.at(k) > e.risks.at(best))) best = k;
    }
    if (best < 0) return 0;
    weights.at(best) = 1;
    return e.risks.at(best);
  }
};

}  // namespace estimator

/// The built-in estimators; a default-constructed one is `stratified` with a uniform prior.
using any_estimator = std::variant<estimator::stratified, estimator::mean, estimator::ipw, estimator::group_dro,
                                   estimator::soft_worst, estimator::worst>;

static_assert(risk_estimator<estimator::stratified> && risk_estimator<estimator::group_dro, float> &&
              risk_estimator<estimator::soft_worst> && risk_estimator<estimator::worst>);
static_assert(!risk_estimator<estimator::mean> && !risk_estimator<estimator::ipw> && !risk_estimator<int>);

}  // namespace causaldpo
