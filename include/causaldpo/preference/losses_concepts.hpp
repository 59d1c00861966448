// SPDX-License-Identifier: Apache-2.0
// What a preference loss is: the concepts, the terms a loss returns, and the mathematics that several share.
// A loss is a small trivially copyable struct of parameters with members over a value type V (a scalar, or a pack of
// examples): it is the option, the code that runs, and the way to add one of your own.
#pragma once

#include <concepts>
#include <type_traits>

#include "causaldpo/concepts/tensor.hpp"
#include "causaldpo/core/math.hpp"
#include "causaldpo/detail/check.hpp"

namespace causaldpo {

/// What every loss may look at besides its pair.
template <class V>
struct loss_context {
  math::scalar_t<V> beta;  ///< scale of the log-ratios
  V smoothing;             ///< probability that the example's label is wrong (input `smoothing`; 0 if left out)
};

/// Value and slope of a function of the scaled margin z.
template <class V>
struct margin_terms {
  V value;
  V slope;  ///< d value / d z
};

/// Value and slopes of a function of the log-ratios a (chosen) and b (rejected).
template <class V>
struct pair_terms {
  V value;
  V chosen_slope;    ///< d value / d a
  V rejected_slope;  ///< d value / d b
};

/// One rejected item as a listwise loss sees it.
template <class V>
struct list_entry {
  V margin;      ///< z_j = beta (a - b_j), shifted in conditional_preference
  V rejected;    ///< beta b_j, shifted likewise: z_j without the chosen item's part, finite where that is -inf
  V share;       ///< pair weight divided by the sum over the valid pairs; 1 / count without weights
  V log_weight;  ///< log of the pair weight; 0 without weights
};

/// A loss of one pair that depends on its scaled margin only; averaged over an example's valid pairs.
/// Requires: `at_margin(z, context)` -> margin_terms. At z = +-inf value and slope are the limits, never NaN.
/// Models: sigmoid, cpo, simpo, rosepo, robust, hinge, ipo, exo_pair. Not: kto_pair (it sees a and b apart).
template <class L>
concept margin_loss = std::is_trivially_copyable_v<L> && requires(L const& l, double z, loss_context<double> c) {
  { l.at_margin(z, c) } -> std::same_as<margin_terms<double>>;
};

/// A loss of one pair; averaged over an example's valid pairs.
/// Requires: `at_pair(a, b, context)` -> pair_terms; limits at infinities as above; or models margin_loss.
/// Models: orpo, kto_pair, bco_pair, nca_pair, apo_zero, apo_down, sppo_hard, every margin_loss. Not: sdpo.
template <class L>
concept pairwise_loss = margin_loss<L> ||
    (std::is_trivially_copyable_v<L>&& requires(L const& l, double x, loss_context<double> c) {
      { l.at_pair(x, x, c) } -> std::same_as<pair_terms<double>>;
    });

/// A loss of all of an example's margins at once, computed in two passes over the rejected items.
/// Requires: a template `state<V>`, `begin<V>()` -> it, `absorb(state, entry, valid)` (entries in which `valid` is not set may
/// hold anything and must not count), `finish(state)` -> the value, and then `slope(state, entry)` -> d value / d z_j. Models:
/// sdpo, dmpo.
template <class L>
concept listwise_loss = std::is_trivially_copyable_v<L> &&
    requires(L const& l, typename L::template state<double>& s, list_entry<double> e) {
  { l.template begin<double>() } -> std::same_as<typename L::template state<double>>;
  l.absorb(s, e, true);
  { l.finish(s) } -> std::same_as<double>;
  { l.slope(s, e) } -> std::same_as<double>;
};

/// Whatever preference_loss accepts.
template <class L>
concept preference_loss_function = pairwise_loss<L> || listwise_loss<L>;

/// A loss that can be given shifted margins, as conditional_preference does.
template <class L>
concept shiftable_loss = margin_loss<L> || listwise_loss<L>;

namespace detail {

template <class L>
struct is_shiftable : std::bool_constant<shiftable_loss<L>> {};

/// sp(z), sp(-z), s(z), s(-z) from one exponential and one logarithm, each with full relative accuracy in its tail.
template <class V>
struct logistic_terms {
  V softplus, softplus_minus, sigmoid, sigmoid_minus;
  CAUSALDPO_HD explicit logistic_terms(V const& z) {
    V const zero = math::broadcast<V>(0), one = math::broadcast<V>(1);
    V const e = math::exp<V>(-math::abs<V>(z));
    V const log_term = math::log1p<V>(e), large = one / (one + e), small = e / (one + e);
    softplus = math::max<V>(z, zero) + log_term;
    softplus_minus = math::max<V>(-z, zero) + log_term;
    sigmoid = math::select<V>(z >= zero, large, small);
    sigmoid_minus = math::select<V>(z >= zero, small, large);
  }
};

/// s(x) and s(x) s(-x), the logistic function and its slope.
template <class V>
struct logistic_slope {
  V value, slope;
  CAUSALDPO_HD explicit logistic_slope(V const& x) {
    V const one = math::broadcast<V>(1);
    V const e = math::exp<V>(-math::abs<V>(x));
    value = math::select<V>(x >= math::broadcast<V>(0), one, e) / (one + e);
    slope = e / ((one + e) * (one + e));
  }
};

/// w x, and 0 where w = 0 even if x is infinite.
template <class V>
CAUSALDPO_HD V weighted(V const& w, V const& x) {
  V const zero = math::broadcast<V>(0);
  return math::select<V>(w == zero, zero, w * x);
}

/// A parameter of a loss as a value.
template <class V>
CAUSALDPO_HD V constant(double x) {
  return math::broadcast<V>(static_cast<math::scalar_t<V>>(x));
}

}  // namespace detail
}  // namespace causaldpo
