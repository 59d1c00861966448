// SPDX-License-Identifier: Apache-2.0
// The preference examples of one batch: what is rejected, the scores and offsets of all items, the loss and the way back.
#pragma once

#include <type_traits>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/objective/causal_dpo_objective.hpp"
#include "nn/fill.hpp"
#include "nn/parameters.hpp"
#include "training/options.hpp"
#include "training/pair_kernels.hpp"
#include "training/placed_batch.hpp"
#include "training/rejected_items.hpp"
#include "training/step_report.hpp"

namespace recommender {

/// An exposure table in the memory of a backend. `exposure` outlives it.
template <causaldpo::backend B>
class placed_exposure {
  using table = causaldpo::view<float const, 2, typename B::space>;

 public:
  placed_exposure(B& be, exposure_table const& exposure)
      : environments_(exposure.environments), weights_(be, exposure.weights), table_(be, exposure.table) {}
  table weights() const { return rows_of(weights_.view(), weights_.view().size() / environments_, environments_); }
  table offsets() const { return rows_of(table_.view(), environments_, table_.view().size() / environments_); }

 private:
  static table rows_of(causaldpo::view<float const, 1, typename B::space> x, index_t rows, index_t cols) {
    return {x.data(), rows, cols};
  }
  index_t environments_;
  mirror<B, float const> weights_, table_;
};

/// The pairs of one batch as the preference operations take them; kept between batches.
template <causaldpo::backend B, causaldpo::real_scalar T>
class pair_batch {
  using S = typename B::space;
  using scratch = scratch_of<B, T>;
  using report = step_report<B, T>;
  struct no_backend {};

 public:
  pair_batch(B& be, index_t max_examples, index_t rejected)
      : rejected_(rejected),
        placed_entries_(be, max_examples * (1 + rejected)),
        placed_mask_(be, max_examples * rejected),
        placed_plan_(be, max_examples * (1 + rejected)),
        policy_(be.template allocate<T>(max_examples * (1 + rejected))),
        reference_(be.template allocate<T>(max_examples * (1 + rejected))),
        offsets_(be.template allocate<T>(max_examples * (1 + rejected))),
        slopes_(be.template allocate<T>(max_examples * (1 + rejected))),
        ones_(be.template allocate<T>(max_examples)) {
    fill<T>(be, ones_.vector(), T(1));
  }

  /// The log, the batch and the plan for the gradient are the host's, so a backend elsewhere would have to be waited for in every
  /// step: there the host draws, and as draws do not depend on the backend they are the same.
  void draw(B& be, rejected_sampler& sampler, index_t epoch, training_batch const& batch) {
    if constexpr (in_host_memory<B>)
      sampler.draw(be, epoch, batch, entries_, mask_);
    else
      sampler.draw(host_, epoch, batch, entries_, mask_);
    examples_ = batch.examples();
    plan_.build(entries_);
    placed_entries_.place(be, entries_, out_);
    placed_mask_.place(be, mask_, out_);
    placed_plan_.place(be, plan_, out_);
  }
  void score_reference(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w) { score(be, hidden, w, reference_); }
  void score_policy(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w) { score(be, hidden, w, policy_); }
  void find_offsets(B& be, placed_batch<B> const& batch, placed_exposure<B> const& exposure) {
    be.launch(entries(), entry_offset_kernel<T, S>{exposure.weights(), exposure.offsets(), placed_entries_.view(),
                                                   batch.positions(), example_of(), offsets_.vector()});
  }

  /// Loss and its slopes by all scores; what there is to report goes to `numbers`, laid out as in a step_report.
  void differentiate(B& be, alignment_options const& o, out_vector<T, B> numbers) {
    if (o.method == alignment_method::sdpo)
      differentiate_as<causaldpo::loss::sdpo>(be, o, numbers);
    else
      differentiate_as<causaldpo::loss::sigmoid>(be, o, numbers);
  }

  /// The slopes carried to the examples' outputs (overwritten) and to the item table and bias as output weights (overwritten).
  void carry_back(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w, out_matrix<T, B> grad_hidden,
                  model_parameters<T, S> const& grad) {
    in_vector<T, B> const slopes = slopes_.vector().part(0, entries());
    be.launch_2d(examples_, grad_hidden.cols(),
                 hidden_gradient_kernel<T, S>{w.items, placed_entries_.view(), slopes, rejected_, grad_hidden});
    fill<T>(be, {grad.items.data(), grad.items.rows() * grad.items.cols()}, T(0));
    fill<T>(be, grad.item_bias, T(0));
    scatter_rows<T>(be, placed_plan_.view(), hidden, example_of(), slopes, grad.items);
    scatter_scalars<T>(be, placed_plan_.view(), slopes, grad.item_bias);
  }

 private:
  /// Only the loss and the estimator that the method needs are compiled.
  template <class Loss>
  void differentiate_as(B& be, alignment_options const& o, out_vector<T, B> numbers) {
    causaldpo::objective_batch<T, S> const batch{
        .preference = {.policy_chosen_logps = chosen(policy_),
                       .policy_rejected_logps = against(policy_),
                       .reference_chosen_logps = chosen(reference_),
                       .reference_rejected_logps = against(reference_),
                       .rejected_mask = {placed_mask_.view().data(), examples_, rejected_}},
        .offsets = {.chosen = {offsets_.data(), examples_, 1},
                    .rejected = {offsets_.data() + examples_, examples_ * rejected_, 1}},
        .q = ones_.matrix(examples_, 1)};
    causaldpo::objective_options_for<Loss, causaldpo::estimator::mean> options{.preference = {.beta = o.beta}};
    if (o.method == alignment_method::causaldpo) options.conditional = causaldpo::environment_conditional{.strength = o.tau()};
    causaldpo::causal_dpo_objective(be, batch,
                                    {.value = numbers.part(report::loss, 1),
                                     .grad_chosen_logps = chosen(slopes_),
                                     .grad_rejected_logps = against(slopes_),
                                     .metrics = {.margins = numbers.part(report::margin, 2),
                                                 .pair_accuracy = numbers.part(report::accuracy, 2),
                                                 .saturation = numbers.part(report::saturation, 2)}},
                                    options);
  }

  index_t entries() const { return examples_ * (1 + rejected_); }
  lookup_rows example_of() const { return {examples_, rejected_}; }
  out_vector<T, B> chosen(scratch const& s) const { return {s.data(), examples_}; }
  out_matrix<T, B> against(scratch const& s) const { return {s.data() + examples_, examples_, rejected_}; }
  void score(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w, scratch const& scores) {
    be.launch(entries(),
              entry_score_kernel<T, S>{hidden, w.items, w.item_bias, placed_entries_.view(), example_of(), scores.vector()});
  }

  index_t rejected_, examples_ = 0;
  std::vector<std::int32_t> entries_;
  std::vector<std::uint8_t> mask_;
  scatter_plan plan_;
  mirror<B, std::int32_t const> placed_entries_;
  mirror<B, std::uint8_t const> placed_mask_;
  placed_plan<B> placed_plan_;
  scratch policy_, reference_, offsets_, slopes_, ones_;
  outbox out_;
  [[no_unique_address]] std::conditional_t<in_host_memory<B>, no_backend, causaldpo::reference_backend> host_;
};

}  // namespace recommender
