// SPDX-License-Identifier: Apache-2.0
// What a call of either preference operation holds in scratch between its passes, for whoever makes them.
#pragma once

#include <utility>

#include "causaldpo/preference/preference_loss_pass.hpp"

namespace causaldpo::detail {

/// Which passes a call makes, and its scratch: (2 J + 4) B scalars, J B more for listwise losses, K B for `likelihood`,
/// J B for slopes when a gradient is wanted, B for dr_dpo. What is an output already needs none.
template <class B, real_scalar T, class Loss>
class preference_memory {
  using S = typename B::space;
  using block = decltype(std::declval<B&>().template allocate<T>(0));

 public:
  preference_memory(B& be, preference_args<T, S> const& a, preference_plan<T> const& plan)
      : out_(a.out),
        examples_(a.batch.policy_chosen_logps.size()),
        items_(a.batch.policy_rejected_logps.cols()),
        environments_(plan.mixed && plan.mixture == preference_mixture::likelihood ? a.q.cols() : 0),
        gradients_(a.out.grad_chosen_logps.given() || a.out.grad_rejected_logps.given() || a.out.grad_chosen_offsets.given() ||
                   a.out.grad_rejected_offsets.given()),
        dr_gradients_(gradients_ && plan.reduction == loss_reduction::dr_dpo && !a.upstream.given()),
        shares_(pairs(be, true)),
        margins_(pairs(be, true)),
        rejected_(pairs(be, listwise_loss<Loss>)),
        slopes_(pairs(be, gradients_)),
        env_losses_(be.template allocate<T>(environments_ * examples_)),
        chosen_(be.template allocate<T>(gradients_ ? examples_ : 0)),
        coefficients_(be.template allocate<T>(dr_gradients_ ? examples_ : 0)),
        losses_(be.template allocate<T>(out_.loss.given() ? 0 : examples_)),
        counts_(be.template allocate<T>(out_.pair_counts.given() ? 0 : examples_)),
        wins_(be.template allocate<T>(out_.pair_wins.given() ? 0 : examples_)) {}

  /// Whether a gradient is wanted.
  bool gradients() const { return gradients_; }
  /// Whether its scale is the softmax of Dr.DPO, for which `coefficients` has room.
  bool dr_gradients() const { return dr_gradients_; }
  view<T, 1, S> coefficients() const { return coefficients_.vector(); }

  preference_scratch<T, S> scratch() const {
    return {shares_.matrix(items_, examples_),
            margins_.matrix(items_, examples_),
            listwise_loss<Loss> ? rejected_.matrix(items_, examples_) : view<T, 2, S>{},
            slopes_.matrix(items_, examples_),
            env_losses_.matrix(environments_, examples_),
            chosen_.vector(),
            out_.loss.given() ? out_.loss : losses_.vector(),
            out_.pair_counts.given() ? out_.pair_counts : counts_.vector(),
            out_.pair_wins.given() ? out_.pair_wins : wins_.vector()};
  }

 private:
  block pairs(B& be, bool wanted) const { return be.template allocate<T>(wanted ? items_ * examples_ : 0); }

  conditional_results<T, S> out_;
  index_t examples_, items_, environments_;
  bool gradients_, dr_gradients_;
  block shares_, margins_, rejected_, slopes_, env_losses_, chosen_, coefficients_, losses_, counts_, wins_;
};

}  // namespace causaldpo::detail
