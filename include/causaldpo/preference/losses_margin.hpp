// SPDX-License-Identifier: Apache-2.0
// Losses of the scaled margin z = beta (a - b). In the comments sp is the softplus, s the logistic function and
// e = label_smoothing.
#pragma once

#include "causaldpo/preference/losses_concepts.hpp"

namespace causaldpo {
namespace detail {

inline void expect_smoothing(char const* operation, double e) {
  expect_option(operation, "label_smoothing", e >= 0 && e <= 1, e, "between 0 and 1");
}

/// (1-e) sp(-z) + e sp(z). Exactly sp(-z) at e = 0.
template <class V>
CAUSALDPO_HD margin_terms<V> smoothed_sigmoid(V const& z, V const& e) {
  V const keep = math::broadcast<V>(1) - e;
  logistic_terms<V> const t(z);
  return {weighted<V>(keep, t.softplus_minus) + weighted<V>(e, t.softplus), e * t.sigmoid - keep * t.sigmoid_minus};
}

}  // namespace detail

namespace loss {

/// DPO: (1-e) sp(-z) + e sp(z); slope e s(z) - (1-e) s(-z). e = 0: Rafailov et al., arXiv 2305.18290, eq. 7;
/// e > 0: Mitchell's conservative DPO.
struct sigmoid {
  double label_smoothing = 0;
  static constexpr char const* name() { return "sigmoid"; }
  void check(char const* operation) const { detail::expect_smoothing(operation, label_smoothing); }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    return detail::smoothed_sigmoid<V>(z, detail::constant<V>(label_smoothing));
  }
};

/// CPO: `sigmoid` without a reference (Xu et al., arXiv 2401.08417); its authors add nll_weight = 1.
struct cpo {
  double label_smoothing = 0;
  static constexpr bool reference_free = true;
  static constexpr char const* name() { return "cpo"; }
  void check(char const* operation) const { detail::expect_smoothing(operation, label_smoothing); }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    return detail::smoothed_sigmoid<V>(z, detail::constant<V>(label_smoothing));
  }
};

/// SimPO: `sigmoid` of z - gamma without a reference, meant with length_normalize (Meng et al., arXiv 2405.14734, eq. 6).
struct simpo {
  double gamma = 0.5;
  double label_smoothing = 0;
  static constexpr bool reference_free = true;
  static constexpr char const* name() { return "simpo"; }
  void check(char const* operation) const {
    detail::expect_option(operation, "gamma", detail::is_finite(gamma), gamma, "finite");
    detail::expect_smoothing(operation, label_smoothing);
  }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    return detail::smoothed_sigmoid<V>(z - detail::constant<V>(gamma), detail::constant<V>(label_smoothing));
  }
};

/// RosePO: `sigmoid` whose e is the example's own input `smoothing` [B] (Liao et al., arXiv 2410.12519).
struct rosepo {
  static constexpr bool needs_smoothing = true;
  static constexpr char const* name() { return "rosepo"; }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const& c) const {
    return detail::smoothed_sigmoid<V>(z, c.smoothing);
  }
};

/// Robust DPO: ((1-e) sp(-z) - e sp(z)) / (1-2e), unbiased for labels flipped with probability e < 1/2; it is
/// unbounded below. Chowdhury et al., arXiv 2403.00409, eq. 12.
struct robust {
  double label_smoothing = 0;
  static constexpr char const* name() { return "robust"; }
  void check(char const* operation) const {
    detail::expect_option(operation, "label_smoothing", label_smoothing >= 0 && label_smoothing < 0.5, label_smoothing,
                          "at least 0 and below 0.5");
  }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    V const e = detail::constant<V>(label_smoothing), keep = detail::constant<V>(1 - label_smoothing);
    V const scale = detail::constant<V>(1 / (1 - 2 * label_smoothing));
    detail::logistic_terms<V> const t(z);
    return {scale * (keep * t.softplus_minus - detail::weighted<V>(e, t.softplus)),
            -scale * (keep * t.sigmoid_minus + e * t.sigmoid)};
  }
};

/// SLiC: max(0, 1 - z), slope 0 at the kink. Zhao et al., arXiv 2305.10425.
struct hinge {
  static constexpr char const* name() { return "hinge"; }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    V const zero = math::broadcast<V>(0), one = math::broadcast<V>(1);
    return {math::max<V>(one - z, zero), math::select<V>(z < one, -one, zero)};
  }
};

/// IPO: (d - 1/(2 beta))^2 with d = z / beta. Azar et al., arXiv 2310.12036, eq. 17 (beta is their tau).
struct ipo {
  static constexpr char const* name() { return "ipo"; }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const& c) const {
    V const inverse = math::broadcast<V>(1 / c.beta);
    V const off = z * inverse - inverse * detail::constant<V>(0.5);
    return {off * off, detail::constant<V>(2) * off * inverse};
  }
};

/// EXO: s(z) (log s(z) - log(1-e)) + s(-z) (log s(-z) - log e), slope s(z) s(-z) (z + log(e / (1-e))); 0 < e < 1.
/// Ji et al., arXiv 2402.00856.
struct exo_pair {
  double label_smoothing = 1e-3;
  static constexpr char const* name() { return "exo_pair"; }
  void check(char const* operation) const {
    detail::expect_option(operation, "label_smoothing", label_smoothing > 0 && label_smoothing < 1, label_smoothing,
                          "above 0 and below 1 for exo_pair");
  }
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    V const log_keep = detail::constant<V>(std::log1p(-label_smoothing)),
            log_flip = detail::constant<V>(std::log(label_smoothing));
    detail::logistic_terms<V> const t(z);
    V const right = detail::weighted<V>(t.sigmoid, -t.softplus_minus - log_keep);
    V const wrong = detail::weighted<V>(t.sigmoid_minus, -t.softplus - log_flip);
    return {right + wrong, detail::weighted<V>(t.sigmoid * t.sigmoid_minus, z + log_flip - log_keep)};
  }
};

}  // namespace loss
}  // namespace causaldpo
