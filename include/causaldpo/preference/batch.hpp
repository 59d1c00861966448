// SPDX-License-Identifier: Apache-2.0
// What goes into the preference operations and what comes out: the batch of pairs, the offsets of the
// environment-conditional form, options and results. B examples with one chosen and J rejected items each.
#pragma once

#include <optional>

#include "causaldpo/core/view.hpp"
#include "causaldpo/preference/losses.hpp"

namespace causaldpo {

/// A batch of preference pairs: views of the caller's memory, never modified. Only the first two are always needed.
template <real_scalar T, memory_space S = host_space>
struct preference_batch {
  view<T const, 1, S> policy_chosen_logps{};       ///< [B] log-probabilities (-inf: impossible)
  view<T const, 2, S> policy_rejected_logps{};     ///< [B,J]
  view<T const, 1, S> reference_chosen_logps{};    ///< [B] left out: 0
  view<T const, 2, S> reference_rejected_logps{};  ///< [B,J] left out: 0
  view<std::uint8_t const, 2, S> rejected_mask{};  ///< [B,J] 0 = the slot is not used and may hold anything
  view<T const, 2, S> pair_weights{};              ///< [B,J] finite, >= 0; 0 = as if masked; left out: 1
  view<T const, 1, S> sample_weights{};            ///< [B] finite, >= 0; left out: 1
  view<T const, 1, S> chosen_lengths{};            ///< [B] > 0, only for length_normalize
  view<T const, 2, S> rejected_lengths{};          ///< [B,J] > 0, only for length_normalize
  view<T const, 1, S> smoothing{};                 ///< [B] in [0, 1], only for loss::rosepo
};

/// What each environment makes of an item anyway, normally log p(item | e_k); -inf = not on offer there.
template <real_scalar T, memory_space S = host_space>
struct exposure_offsets {
  view<T const, 2, S> chosen{};    ///< [B,K]
  view<T const, 2, S> rejected{};  ///< [B*J,K], row i*J + j
};

/// How per-example losses l and sample weights w become `loss_mean`.
enum class loss_reduction {
  mean,   ///< sum(w l) / sum(w)
  sum,    ///< sum(w l)
  dr_dpo  ///< -t log( sum(w exp(-l/t)) / sum(w) ), t = dr_beta: Wu et al., arXiv 2407.07880
};

/// An interval of log-ratios.
struct log_ratio_range {
  double low;
  double high;
};

/// Options of preference_loss with the loss Loss: one of namespace `loss`, or a struct of your own that models
/// preference_loss_function. With the default, any of the library's: `{.loss = loss::sdpo{}, .beta = 0.2}`.
template <class Loss = loss::any>
struct preference_options_for {
  Loss loss{};                                       ///< with its own parameters: `loss::simpo{.gamma = 0.3}`
  double beta = 0.1;                                 ///< scale of the log-ratios, > 0
  bool reference_free = false;                       ///< do not read the reference (cpo, simpo and orpo never do)
  bool length_normalize = false;                     ///< divide every log-prob by its length first
  std::optional<log_ratio_range> log_ratio_clamp{};  ///< clamps a and b; gradient 0 strictly outside
  double nll_weight = 0;                             ///< adds -nll_weight * policy_chosen to each example's loss
  loss_reduction reduction = loss_reduction::mean;
  double dr_beta = 1;  ///< temperature of dr_dpo, > 0
};
/// Options of preference_loss with a loss of the library.
using preference_options = preference_options_for<>;

/// Outputs of preference_loss; a member left out is not computed.
///
/// The gradients are those of `loss_mean`; when the operation's late argument `upstream` [B] is given, those of
/// sum_i upstream_i loss_i instead (dropped examples and rows with upstream 0: gradient 0), whatever the reduction.
template <real_scalar T, memory_space S = host_space>
struct preference_results {
  view<T, 1, S> loss{};                 ///< [B] per example, 0 if dropped
  view<T, 1, S> loss_mean{};            ///< [1] by `reduction`
  view<T, 1, S> grad_chosen_logps{};    ///< [B]
  view<T, 2, S> grad_rejected_logps{};  ///< [B,J]
  view<T, 1, S> chosen_rewards{};       ///< [B] beta a
  view<T, 2, S> rejected_rewards{};     ///< [B,J] beta b, 0 for invalid pairs
  view<T, 1, S> margins{};              ///< [B] mean over the valid pairs of chosen minus rejected reward
  view<T, 1, S> accuracy{};             ///< [1] share of kept examples whose chosen reward beats all valid rejected ones
  view<T, 1, S> pair_accuracy{};        ///< [1] share of valid pairs with the strictly higher chosen reward
  view<T, 1, S> pair_counts{};          ///< [B] number of valid pairs, 0 = the example is dropped
  view<T, 1, S> pair_wins{};            ///< [B] how many of them have the strictly higher chosen reward
};

/// Where the average over environments is taken in conditional_preference.
enum class preference_mixture {
  expected,    ///< of the offsets: the loss of the expected shifted margins
  likelihood,  ///< of the likelihoods: -log sum_k q_ik exp(-L_ik), with a posterior over environments
  risk         ///< of the losses: sum_k q_ik L_ik
};

/// Options of conditional_preference; the members of preference_options that apply (no lengths) and two more.
/// Loss must be a function of the margins (shiftable_loss).
template <class Loss = loss::any>
struct conditional_options_for {
  Loss loss{};
  double beta = 0.1;
  bool reference_free = false;
  std::optional<log_ratio_range> log_ratio_clamp{};
  double nll_weight = 0;
  loss_reduction reduction = loss_reduction::mean;
  double dr_beta = 1;
  preference_mixture mixture = preference_mixture::expected;
  double strength = 1;  ///< tau, the factor of the offsets; at 0 they are not read
};
/// Options of conditional_preference with a loss of the library.
using conditional_options = conditional_options_for<>;

/// Outputs of conditional_preference; a member left out is not computed. Gradients as in preference_results.
/// Rewards, margins and accuracies are those of the policy alone, without offsets.
template <real_scalar T, memory_space S = host_space>
struct conditional_results {
  view<T, 1, S> loss{};                   ///< [B]
  view<T, 1, S> loss_mean{};              ///< [1]
  view<T, 1, S> grad_chosen_logps{};      ///< [B]
  view<T, 2, S> grad_rejected_logps{};    ///< [B,J]
  view<T, 2, S> grad_chosen_offsets{};    ///< [B,K]
  view<T, 2, S> grad_rejected_offsets{};  ///< [B*J,K]
  view<T, 2, S> posterior{};              ///< [B,K] only with `likelihood`: q_ik exp(-L_ik) / sum, 0 if dropped
  view<T, 1, S> chosen_rewards{};         ///< [B]
  view<T, 2, S> rejected_rewards{};       ///< [B,J]
  view<T, 1, S> margins{};                ///< [B] mean of z_ij over the valid pairs
  view<T, 1, S> shifted_margins{};        ///< [B] mean of z_ij + sum_k q_ik s_ijk over the valid pairs
  view<T, 1, S> accuracy{};               ///< [1]
  view<T, 1, S> pair_accuracy{};          ///< [1]
  view<T, 1, S> pair_counts{};            ///< [B]
  view<T, 1, S> pair_wins{};              ///< [B]
};

}  // namespace causaldpo
