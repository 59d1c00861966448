// SPDX-License-Identifier: Apache-2.0
// V-REx: the variance of the environments' risks.
#pragma once

#include "causaldpo/adjustment/environment_risks.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {

/// Options of vrex_penalty.
struct vrex_options {
  prior_kind prior = prior_kind::uniform;  ///< weights p of the environments (uniform, batch or given)
  double min_mass = 1e-8;                  ///< an environment counts if its mass exceeds this
};

/// Outputs of vrex_penalty; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct vrex_results {
  view<T, 1, S> value{};        ///< [1]
  view<T, 1, S> grad_losses{};  ///< [B]
  view<T, 2, S> grad_q{};       ///< [B,K]
  view<T, 1, S> env_losses{};   ///< [K] R_k, 0 where inactive
  view<T, 1, S> env_weights{};  ///< [K] p_k
};

namespace detail {

template <class T, class S>
struct vrex_args {
  view<T const, 1, S> losses;
  view<T const, 2, S> q;
  view<T const, 1, S> prior;
  vrex_results<T, S> out;
  nan_watch watch;  // slots: 0 per_example_losses, 1 q, 2 prior
};

/// One work item: R_k = sums_k / n_k, the weighted mean and variance, and slope_k = dV/dR_k = 2 p_k (R_k - mean).
template <class T, class S>
struct vrex_finish {
  view<accumulator const, 1, S> masses, prior;
  view<accumulator, 1, S> risks, slopes;  // risks: sums on entry
  accumulator min_mass;
  vrex_results<T, S> out;
  CAUSALDPO_HD void operator()(index_t) const {
    index_t const k_count = masses.size();
    accumulator mean = 0, value = 0;
    index_t weighted = 0;
    for (index_t k = 0; k < k_count; ++k) {
      risks.at(k) = masses.at(k) > min_mass ? risks.at(k) / masses.at(k) : 0;
      if (prior.at(k) > 0) mean += prior.at(k) * risks.at(k), ++weighted;
    }
    bool const bounded = finite(mean);
    for (index_t k = 0; k < k_count; ++k) {
      accumulator const off = prior.at(k) > 0 && bounded && weighted > 1 ? risks.at(k) - mean : 0;
      value += prior.at(k) * off * off;
      slopes.at(k) = 2 * prior.at(k) * off;
      if (out.env_losses.given()) out.env_losses.at(k) = static_cast<T>(risks.at(k));
      if (out.env_weights.given()) out.env_weights.at(k) = static_cast<T>(prior.at(k));
    }
    if (out.value.given()) out.value.at(0) = static_cast<T>(bounded || weighted < 2 ? value : math::infinity<accumulator>());
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of vrex_penalty.
struct vrex_penalty {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::vrex_args<T, S>, vrex_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::vrex_args<T, typename B::space> const& a, vrex_options const& o) {
    using S = typename B::space;
    index_t const k_count = a.q.cols();
    auto masses = be.template allocate<accumulator>(k_count);
    auto prior = be.template allocate<accumulator>(k_count);
    auto risks = be.template allocate<accumulator>(k_count);
    auto slopes = be.template allocate<accumulator>(k_count);
    if (o.prior == prior_kind::given) be.launch(k_count, detail::note_negative<T, S>{a.prior, a.watch, 2});
    detail::column_masses<B, T>(be, a.q, masses.vector());
    be.launch(1, detail::normalise_prior<T, S>{masses.vector(), a.prior, o.prior, 0, o.min_mass, prior.vector(), {}});
    be.reduce_cols(a.q.rows(), k_count, detail::weighted_loss_map<T, S>{a.losses, a.q, a.watch}, detail::sum_fold<>{},
                   risks.vector());
    be.launch(1, detail::vrex_finish<T, S>{masses.vector(), prior.vector(), risks.vector(), slopes.vector(), o.min_mass, a.out});
    if (a.out.grad_losses.given() || a.out.grad_q.given())
      be.launch(a.q.rows(), detail::risk_gradients<T, S>{a.losses, a.q, masses.vector(), risks.vector(), slopes.vector(),
                                                         a.out.grad_losses, a.out.grad_q});
  }
};
}  // namespace op

/// V-REx penalty: V = sum_k p_k (R_k - sum_m p_m R_m)^2 with R_k = sum_i q_ik l_i / n_k (population variance).
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | per_example_losses | [B] | l_i, e.g. `loss` of preference_loss |
/// | q | [B,K] | membership of each example in each environment, used as it is |
/// | prior | [K] | only with `prior_kind::given` |
///
/// Gradients: dV/dl_i = sum_k 2 p_k (R_k - mean) q_ik / n_k;  dV/dq_ik = 2 p_k (R_k - mean) (l_i - R_k) / n_k.
/// Edge cases: an inactive environment is left out and the prior renormalised; one active environment, or none,
/// gives 0. A risk of +inf beside others: value +inf, gradients 0 (the slope has no finite limit). Cost O(B K), scratch 32 K
/// bytes. Source: Krueger et al., arXiv 2003.00688, eq. 8; DomainBed (weight 10 after 500 warm-up steps).
template <backend B, vector_like L, matrix_like Q, real_scalar T = scalar_of<L>>
void vrex_penalty(B& be, L const& per_example_losses, Q const& q,
                  std::type_identity_t<vrex_results<T, typename B::space>> results, vrex_options const& options = {},
                  std::type_identity_t<view<T const, 1, typename B::space>> prior = {}) {
  using S = typename B::space;
  constexpr char const* name = "vrex_penalty";
  detail::vrex_args<T, S> a{as_view(per_example_losses), as_view(q), prior, results, {}};
  index_t const b = a.losses.size(), k = a.q.cols();
  detail::expect_shape(name, "q", a.q, b, k, "one row for each loss");
  detail::expect_prior(name, options.prior, prior, k);
  detail::expect_option(name, "prior", options.prior != prior_kind::ema, "ema", "uniform, batch or given");
  detail::expect_size_if_given(name, "value", results.value, 1, "a scalar");
  detail::expect_size_if_given(name, "grad_losses", results.grad_losses, b, "as per_example_losses");
  detail::expect_shape_if_given(name, "grad_q", results.grad_q, b, k, "as q");
  detail::expect_size_if_given(name, "env_losses", results.env_losses, k, "one for each column of q");
  detail::expect_size_if_given(name, "env_weights", results.env_weights, k, "one for each column of q");
  detail::nan_guard<B> guard(be, name, {"per_example_losses", "q", "prior|is negative or NaN and must be >= 0"});
  a.watch = guard.watch();
  detail::run<op::vrex_penalty>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
