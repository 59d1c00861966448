// SPDX-License-Identifier: Apache-2.0
// The results, arguments and generic bodies of adjusted_loss. Two shapes: estimators that weight environments (a
// function of the risks) and estimators that weight rows (mean and ipw, row_weights.hpp).
#pragma once

#include "causaldpo/adjustment/row_weights.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {

/// Outputs of adjusted_loss; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct adjusted_loss_results {
  view<T, 1, S> value{};                  ///< [1]
  view<T, 1, S> grad_losses{};            ///< [B]
  view<T, 2, S> grad_q{};                 ///< [B,K] priors held constant; 0 for mean and ipw
  view<T, 1, S> env_losses{};             ///< [K] R_k, 0 where inactive
  view<T, 1, S> env_mass{};               ///< [K] n_k
  view<T, 1, S> env_weights{};            ///< [K] dV/dR_k; for ipw the prior; not for mean
  view<T, 1, S> updated_prior{};          ///< [K] the running prior before masking; prior_kind::ema only
  view<T, 1, S> weights{};                ///< [B] w_i; ipw only
  view<T, 1, S> effective_sample_size{};  ///< [1] (sum w)^2 / sum w^2; ipw only
};

/// Inputs that some estimators need.
template <real_scalar T, memory_space S = host_space>
struct adjusted_loss_inputs {
  view<T const, 1, S> prior{};             ///< [K] for prior_kind::given and prior_kind::ema
  view<T const, 1, S> prev_env_weights{};  ///< [K] for group_dro, >= 0
  view<T const, 2, S> assignment{};        ///< [B,K] for assignment_kind::given
};

namespace detail {

template <class T, class S>
struct adjusted_loss_args {
  view<T const, 1, S> losses;
  view<T const, 2, S> q;
  adjusted_loss_inputs<T, S> in;
  adjusted_loss_results<T, S> out;
  accumulator min_mass;
  nan_watch watch;  // slots: 0 per_example_losses, 1 q, 2 prior, 3 prev_env_weights, 4 assignment
};

/// The prior an estimator asks for: its member `prior`, or uniform.
template <class E>
constexpr prior_kind prior_of(E const& e) {
  if constexpr (requires { e.prior; })
    return e.prior;
  else
    return prior_kind::uniform;
}
template <class E>
constexpr double ema_rate_of(E const& e) {
  if constexpr (requires { e.ema_rate; })
    return e.ema_rate;
  else
    return 0.1;
}

/// One work item: the estimator, its value, its weights, and the slopes dV/dR_k that have a gradient.
template <class E, class T, class S>
struct apply_estimator {
  E estimator;
  environment_risks<T, S> risks;
  view<accumulator, 1, S> slopes;  // out
  view<T, 1, S> value, env_weights;
  CAUSALDPO_HD void operator()(index_t) const {
    accumulator const v = estimator(risks, slopes);
    if (value.given()) value.at(0) = static_cast<T>(v);
    for (index_t k = 0; k < slopes.size(); ++k) {
      if (env_weights.given()) env_weights.at(k) = static_cast<T>(slopes.at(k));
      if (!risks.active(k)) slopes.at(k) = 0;
    }
  }
};

/// f(k): the prior as an output.
template <class T, class S>
struct write_prior {
  view<accumulator const, 1, S> prior;
  view<T, 1, S> out;
  CAUSALDPO_HD void operator()(index_t k) const { out.at(k) = static_cast<T>(prior.at(k)); }
};

/// n_k, p_k and, where `risks` is given, R_k; writes env_losses, env_mass and updated_prior.
template <backend B, class T>
void collect_environments(B& be, adjusted_loss_args<T, typename B::space> const& a, prior_kind kind, double ema_rate,
                          view<accumulator, 1, typename B::space> masses, view<accumulator, 1, typename B::space> prior,
                          view<accumulator, 1, typename B::space> risks) {
  using S = typename B::space;
  index_t const k_count = a.q.cols();
  if (kind == prior_kind::given || kind == prior_kind::ema) be.launch(k_count, note_negative<T, S>{a.in.prior, a.watch, 2});
  column_masses<B, T>(be, a.q, masses);
  be.launch(1, normalise_prior<T, S>{masses, a.in.prior, kind, ema_rate, a.min_mass, prior, a.out.updated_prior});
  if (!risks.given()) return;
  be.reduce_cols(a.q.rows(), k_count, weighted_loss_map<T, S>{a.losses, a.q, a.watch}, sum_fold<>{}, risks);
  be.launch(k_count, divide_by_mass<T, S>{masses, risks, a.min_mass, a.out.env_losses, a.out.env_mass});
}

}  // namespace detail

namespace op {
/// Tag and generic bodies of adjusted_loss.
struct adjusted_loss {
  template <class T, class S>
  using calls = typename detail::calls_for_each<detail::adjusted_loss_args<T, S>, std::type_identity_t, any_estimator, std::is_class>::type;

  /// Estimators on the risks: V = e(R), chained through R_k = sum_i q_ik l_i / n_k.
  template <backend B, class T, class E>
  requires risk_estimator<E, T, typename B::space>
  static void generic(B& be, detail::adjusted_loss_args<T, typename B::space> const& a, E const& e) {
    using S = typename B::space;
    index_t const k_count = a.q.cols();
    auto masses = be.template allocate<accumulator>(k_count);
    auto prior = be.template allocate<accumulator>(k_count);
    auto risks = be.template allocate<accumulator>(k_count);
    auto slopes = be.template allocate<accumulator>(k_count);
    detail::collect_environments(be, a, detail::prior_of(e), detail::ema_rate_of(e), masses.vector(), prior.vector(),
                                 risks.vector());
    if (a.in.prev_env_weights.given()) be.launch(k_count, detail::note_negative<T, S>{a.in.prev_env_weights, a.watch, 3});
    environment_risks<T, S> const columns{masses.vector(), risks.vector(), prior.vector(), a.in.prev_env_weights, a.min_mass};
    be.launch(1, detail::apply_estimator<E, T, S>{e, columns, slopes.vector(), a.out.value, a.out.env_weights});
    if (a.out.grad_losses.given() || a.out.grad_q.given())
      be.launch(a.q.rows(), detail::risk_gradients<T, S>{a.losses, a.q, masses.vector(), risks.vector(), slopes.vector(),
                                                         a.out.grad_losses, a.out.grad_q});
  }

  template <backend B, class T>
  static void generic(B& be, detail::adjusted_loss_args<T, typename B::space> const& a, estimator::mean const&) {
    weighted_rows(be, a, estimator::ipw{.self_normalize = true}, true);
  }
  template <backend B, class T>
  static void generic(B& be, detail::adjusted_loss_args<T, typename B::space> const& a, estimator::ipw const& e) {
    weighted_rows(be, a, e, false);
  }

 private:
  /// Estimators on the rows: V = sum_i w_i l_i over B or sum_i w_i. The mean is the case of weights 0 and 1.
  template <backend B, class T>
  static void weighted_rows(B& be, detail::adjusted_loss_args<T, typename B::space> const& a, estimator::ipw const& e,
                            bool members) {
    using S = typename B::space;
    index_t const rows = a.q.rows(), k_count = a.q.cols();
    auto w = be.template allocate<accumulator>(rows);
    auto sums = be.template allocate<accumulator>(3);
    auto divisor = be.template allocate<accumulator>(1);
    auto masses = be.template allocate<accumulator>(k_count);
    auto prior = be.template allocate<accumulator>(k_count);
    auto risks = be.template allocate<accumulator>(k_count);
    bool const risks_wanted = a.out.env_losses.given() || a.out.env_mass.given();
    if (!members || risks_wanted)
      detail::collect_environments(be, a, e.prior, e.ema_rate, masses.vector(), prior.vector(),
                                   risks_wanted ? risks.vector() : view<accumulator, 1, S>{});
    if (members) {
      be.launch(rows, detail::member_weight<T, S>{a.q, w.vector(), a.watch});
    } else {
      be.launch(rows, detail::propensity_weight<T, S>{
                          a.q, e.assignment == assignment_kind::given ? a.in.assignment : view<T const, 2, S>{}, prior.vector(),
                          e, w.vector(), a.out.weights, a.watch});
      if (a.out.env_weights.given()) be.launch(k_count, detail::write_prior<T, S>{prior.vector(), a.out.env_weights});
    }
    for (int power = 0; power < (a.out.effective_sample_size.given() ? 3 : 2); ++power)
      be.reduce(rows, detail::row_sum_map<T, S>{w.vector(), a.losses, power, a.watch}, detail::sum_fold<>{},
                sums.vector().part(power, 1));
    be.launch(1, detail::finish_rows<T, S>{sums.vector(), e.self_normalize ? 0 : static_cast<accumulator>(rows), divisor.vector(),
                                           a.out.value, a.out.effective_sample_size});
    if (a.out.grad_losses.given() || a.out.grad_q.given())
      be.launch(rows, detail::row_gradients<T, S>{w.vector(), divisor.vector(), a.out.grad_losses, a.out.grad_q});
  }
};
}  // namespace op
}  // namespace causaldpo
