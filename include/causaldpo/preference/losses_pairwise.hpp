// SPDX-License-Identifier: Apache-2.0
// Losses of a pair that see the log-ratios a (chosen) and b (rejected) apart. In the comments sp is the softplus and
// s the logistic function.
#pragma once

#include "causaldpo/preference/losses_concepts.hpp"

namespace causaldpo::loss {

/// ORPO: beta sp(-o) with the log odds ratio o = a - b - log(1-e^a) + log(1-e^b), where a and b are log-probabilities
/// (<= 0, per-token means in the paper); no reference. d o/d a = 1/(1-e^a). A rejected item of probability 1 has loss
/// +inf and infinite slope; where both have probability 1 the example is dropped (o is infinity minus infinity). Hong et al.,
/// arXiv 2403.07691, eq. 7; its authors add nll_weight = 1.
struct orpo {
  static constexpr bool reference_free = true;
  static constexpr char const* name() { return "orpo"; }
  template <class V>
  CAUSALDPO_HD pair_terms<V> at_pair(V const& a, V const& b, loss_context<V> const& c) const {
    V const zero = math::broadcast<V>(0), one = math::broadcast<V>(1), beta = math::broadcast<V>(c.beta);
    V const x = math::min<V>(a, zero), y = math::min<V>(b, zero);
    V const o = (x - y) - (math::log1mexp<V>(x) - math::log1mexp<V>(y));
    V const rest_x = zero - math::expm1<V>(x), rest_y = zero - math::expm1<V>(y);  // 1 - e^a, 1 - e^b, never -0
    // s(-o) / (1 - e^a) written so that it keeps its limit e^b / (1 - e^b) at a = 0
    V const chosen = one / (rest_x + math::exp<V>(x - y) * rest_y);
    return {beta * math::softplus<V>(-o), -beta * chosen, beta * (math::sigmoid<V>(-o) / rest_y)};
  }
};

/// KTO for pairs: w_d s(-beta (a - kl)) + w_u s(-beta (kl - b)), the two halves summed. `kl` is the caller's estimate
/// of the divergence from the reference, a constant. Ethayarajh et al., arXiv 2402.01306.
struct kto_pair {
  double kl = 0;
  double desirable_weight = 1;
  double undesirable_weight = 1;
  static constexpr char const* name() { return "kto_pair"; }
  void check(char const* operation) const {
    detail::expect_option(operation, "kl", detail::is_finite(kl), kl, "finite");
    detail::expect_option(operation, "desirable_weight", desirable_weight >= 0 && detail::is_finite(desirable_weight),
                          desirable_weight, "finite and at least 0");
    detail::expect_option(operation, "undesirable_weight", undesirable_weight >= 0 && detail::is_finite(undesirable_weight),
                          undesirable_weight, "finite and at least 0");
  }
  template <class V>
  CAUSALDPO_HD pair_terms<V> at_pair(V const& a, V const& b, loss_context<V> const& c) const {
    V const beta = math::broadcast<V>(c.beta), level = detail::constant<V>(kl);
    V const up = detail::constant<V>(desirable_weight), down = detail::constant<V>(undesirable_weight);
    detail::logistic_slope<V> const chosen(beta * (level - a)), rejected(beta * (b - level));
    return {up * chosen.value + down * rejected.value, -up * beta * chosen.slope, down * beta * rejected.slope};
  }
};

/// BCO for pairs: sp(-(beta a - delta)) + sp(beta b - delta). `bco_delta` is the caller's running mean of the
/// rewards, a constant. Jung et al., arXiv 2404.04656.
struct bco_pair {
  double bco_delta = 0;
  static constexpr char const* name() { return "bco_pair"; }
  void check(char const* operation) const {
    detail::expect_option(operation, "bco_delta", detail::is_finite(bco_delta), bco_delta, "finite");
  }
  template <class V>
  CAUSALDPO_HD pair_terms<V> at_pair(V const& a, V const& b, loss_context<V> const& c) const {
    V const beta = math::broadcast<V>(c.beta), delta = detail::constant<V>(bco_delta);
    detail::logistic_terms<V> const chosen(beta * a - delta), rejected(beta * b - delta);
    return {chosen.softplus_minus + rejected.softplus, -beta * chosen.sigmoid_minus, beta * rejected.sigmoid};
  }
};

/// NCA for pairs: sp(-beta a) + sp(beta a)/2 + sp(beta b)/2. Chen et al., arXiv 2402.05369.
struct nca_pair {
  static constexpr char const* name() { return "nca_pair"; }
  template <class V>
  CAUSALDPO_HD pair_terms<V> at_pair(V const& a, V const& b, loss_context<V> const& c) const {
    V const beta = math::broadcast<V>(c.beta), half = detail::constant<V>(0.5);
    detail::logistic_terms<V> const chosen(beta * a), rejected(beta * b);
    return {chosen.softplus_minus + half * chosen.softplus + half * rejected.softplus,
            beta * (half * chosen.sigmoid - chosen.sigmoid_minus), beta * half * rejected.sigmoid};
  }
};

/// APO-zero: s(-beta a) + s(beta b), raises the chosen item and lowers the rejected one. D'Oosterlinck et al.,
/// arXiv 2408.06266.
struct apo_zero {
  static constexpr char const* name() { return "apo_zero"; }
  template <class V>
  CAUSALDPO_HD pair_terms<V> at_pair(V const& a, V const& b, loss_context<V> const& c) const {
    V const beta = math::broadcast<V>(c.beta);
    detail::logistic_slope<V> const chosen(-(beta * a)), rejected(beta * b);
    return {chosen.value + rejected.value, -beta * chosen.slope, beta * rejected.slope};
  }
};

/// APO-down: s(beta a) + s(-z), lowers both, the rejected item more. D'Oosterlinck et al., arXiv 2408.06266.
struct apo_down {
  static constexpr char const* name() { return "apo_down"; }
  template <class V>
  CAUSALDPO_HD pair_terms<V> at_pair(V const& a, V const& b, loss_context<V> const& c) const {
    V const beta = math::broadcast<V>(c.beta);
    detail::logistic_slope<V> const chosen(beta * a), margin(beta * (b - a));
    return {chosen.value + margin.value, beta * (chosen.slope - margin.slope), beta * margin.slope};
  }
};

/// SPPO with hard labels: (a - 1/(2 beta))^2 + (b + 1/(2 beta))^2. Wu et al., arXiv 2405.00675.
struct sppo_hard {
  static constexpr char const* name() { return "sppo_hard"; }
  template <class V>
  CAUSALDPO_HD pair_terms<V> at_pair(V const& a, V const& b, loss_context<V> const& c) const {
    using T = math::scalar_t<V>;
    V const half = math::broadcast<V>(T(1) / (T(2) * c.beta)), two = math::broadcast<V>(2);
    V const up = a - half, down = b + half;
    return {up * up + down * down, two * up, two * down};
  }
};

}  // namespace causaldpo::loss
