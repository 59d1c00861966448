// SPDX-License-Identifier: Apache-2.0
// Stages 2 and 3: a frozen copy of the supervised model is the reference, and the model is aligned against it with the library's
// objective.
#pragma once

#include "causaldpo/objective/causal_dpo_objective.hpp"
#include "training/pair_kernels.hpp"
#include "training/rejected_items.hpp"
#include "training/supervised_stage.hpp"

namespace recommender {

/// Throws unless the table has a row of weights for each position of the log and a column for each item.
inline void check_exposure(training_log const& log, exposure_table const& exposure) {
  auto const k = static_cast<std::size_t>(exposure.environments), positions = static_cast<std::size_t>(log.begins().back());
  if (exposure.environments < 1 || exposure.weights.size() != positions * k ||
      exposure.table.size() != k * static_cast<std::size_t>(log.items)) {
    std::ostringstream text;
    text << "align: the exposure table has " << exposure.environments << " environments, " << exposure.weights.size()
         << " weights and " << exposure.table.size()
         << " offsets and must have at least one environment, a weight for each of the " << positions
         << " positions and an offset for each of the " << log.items << " items in each";
    throw causaldpo::shape_error(text.str());
  }
}

/// The pairs of one batch as the preference operations take them; kept between batches.
template <causaldpo::backend B, causaldpo::real_scalar T>
class pair_batch {
  using S = typename B::space;
  using scratch = decltype(std::declval<B&>().template allocate<T>(0));

 public:
  pair_batch(B& be, index_t max_examples, index_t rejected)
      : rejected_(rejected),
        policy_(be.template allocate<T>(max_examples * (1 + rejected))),
        reference_(be.template allocate<T>(max_examples * (1 + rejected))),
        offsets_(be.template allocate<T>(max_examples * (1 + rejected))),
        slopes_(be.template allocate<T>(max_examples * (1 + rejected))),
        ones_(be.template allocate<T>(max_examples)) {
    fill<T>(be, ones_.vector(), T(1));
  }

  void draw(B& be, rejected_sampler& sampler, index_t epoch, training_batch const& batch) {
    sampler.draw(be, epoch, batch, entries_, mask_);
    examples_ = batch.examples();
    plan_.build(entries_);
  }
  void score_reference(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w) { score(be, hidden, w, reference_); }
  void score_policy(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w) { score(be, hidden, w, policy_); }
  void find_offsets(B& be, training_batch const& batch, exposure_table const& exposure) {
    index_t const k = exposure.environments, positions = static_cast<index_t>(exposure.weights.size()) / k;
    be.launch(entries(), entry_offset_kernel<T, S>{{exposure.weights.data(), positions, k},
                                                   {exposure.table.data(), k, static_cast<index_t>(exposure.table.size()) / k},
                                                   entries_,
                                                   batch.positions,
                                                   example_of(),
                                                   offsets_.vector()});
  }

  /// Loss and its slopes by all scores; what there is to report goes to `progress`.
  void differentiate(B& be, alignment_options const& o, training_progress& progress) {
    if (o.method == alignment_method::sdpo)
      differentiate_as<causaldpo::loss::sdpo>(be, o, progress);
    else
      differentiate_as<causaldpo::loss::sigmoid>(be, o, progress);
  }

  /// The slopes carried to the examples' outputs (overwritten) and to the item table and bias as output weights (overwritten).
  void carry_back(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w, out_matrix<T, B> grad_hidden,
                  model_parameters<T, S> const& grad) {
    in_vector<T, B> const slopes = slopes_.vector().part(0, entries());
    be.launch_2d(examples_, grad_hidden.cols(), hidden_gradient_kernel<T, S>{w.items, entries_, slopes, rejected_, grad_hidden});
    fill<T>(be, {grad.items.data(), grad.items.rows() * grad.items.cols()}, T(0));
    fill<T>(be, grad.item_bias, T(0));
    scatter_rows<T>(be, plan_, hidden, example_of(), slopes, grad.items);
    scatter_scalars<T>(be, plan_, slopes, grad.item_bias);
  }

 private:
  /// Only the loss and the estimator that the method needs are compiled.
  template <class Loss>
  void differentiate_as(B& be, alignment_options const& o, training_progress& progress) {
    causaldpo::objective_batch<T, S> const batch{.preference = {.policy_chosen_logps = chosen(policy_),
                                                                .policy_rejected_logps = against(policy_),
                                                                .reference_chosen_logps = chosen(reference_),
                                                                .reference_rejected_logps = against(reference_),
                                                                .rejected_mask = {mask_.data(), examples_, rejected_}},
                                                 .offsets = {.chosen = {offsets_.data(), examples_, 1},
                                                             .rejected = {offsets_.data() + examples_, examples_ * rejected_, 1}},
                                                 .q = ones_.matrix(examples_, 1)};
    causaldpo::objective_options_for<Loss, causaldpo::estimator::mean> options{.preference = {.beta = o.beta}};
    if (o.method == alignment_method::causaldpo) options.conditional = causaldpo::environment_conditional{.strength = o.tau()};
    T loss = 0, margin[2] = {}, accuracy[2] = {}, saturation[2] = {};
    causaldpo::causal_dpo_objective(
        be, batch,
        {.value = causaldpo::scalar(&loss),
         .grad_chosen_logps = chosen(slopes_),
         .grad_rejected_logps = against(slopes_),
         .metrics = {.margins = {margin, 2}, .pair_accuracy = {accuracy, 2}, .saturation = {saturation, 2}}},
        options);
    progress.loss = static_cast<double>(loss);
    progress.margin = static_cast<double>(margin[0]);
    progress.accuracy = static_cast<double>(accuracy[0]);
    progress.saturation = static_cast<double>(saturation[0]);
  }

  index_t entries() const { return examples_ * (1 + rejected_); }
  lookup_rows example_of() const { return {examples_, rejected_}; }
  out_vector<T, B> chosen(scratch const& s) const { return {s.data(), examples_}; }
  out_matrix<T, B> against(scratch const& s) const { return {s.data() + examples_, examples_, rejected_}; }
  void score(B& be, in_matrix<T, B> hidden, model_parameters<T const, S> const& w, scratch const& scores) {
    be.launch(entries(), entry_score_kernel<T, S>{hidden, w.items, w.item_bias, entries_, example_of(), scores.vector()});
  }

  index_t rejected_, examples_ = 0;
  std::vector<std::int32_t> entries_;
  std::vector<std::uint8_t> mask_;
  scatter_plan plan_;
  scratch policy_, reference_, offsets_, slopes_, ones_;
};

/// Aligns a supervised model: every position is an example, its next item chosen, `rejected` sampled items rejected. The policy
/// begins at `start` and has dropout; the reference is `start` (or `other_reference`, of the same shape) without it. `exposure`
/// is read by causaldpo only (unless its strength is 0). Deterministic as train_supervised is; the batches and rejected items
/// depend on the seed and not on the method.
template <causaldpo::backend B, causaldpo::real_scalar T = float>
trained_model<T> align(B& be, training_log const& log, trained_model<T> const& start, train_options const& o,
                       exposure_table const& exposure = {}, progress_callback const& report = {},
                       trained_model<T> const* other_reference = nullptr) {
  using S = typename B::space;
  check_log(log);
  bool const conditional = o.alignment.method == alignment_method::causaldpo && o.alignment.tau() != 0;
  if (conditional) check_exposure(log, exposure);
  batch_maker batches(log, {start.context, o.windows_per_user, o.batch_sequences, o.seed});
  trained_model<T> result = start;
  learner<B, T> learn(be, result.options, o.optimizer, result.weights, batches.max_rows());
  model_parameters<T const, S> const reference(start.options, other_reference ? other_reference->weights : start.weights);
  rejected_sampler sampler(log, o.alignment.rejected_items(), o.alignment.popularity_exponent, o.seed);
  pair_batch<B, T> pairs(be, batches.max_rows(), o.alignment.rejected_items());
  training_batch batch;
  index_t const epochs = o.alignment.epochs_of(batches.batches()), steps = epochs * batches.batches(), d = result.options.dim;
  auto const start_time = std::chrono::steady_clock::now();
  for (index_t step = 0; step < steps; ++step) {
    index_t const epoch = step / batches.batches(), b = step % batches.batches();
    if (b == 0) batches.begin_epoch((index_t{1} << 16) + epoch);  // other windows than the supervised stage's
    batches.make(b, batch);
    pairs.draw(be, sampler, epoch, batch);
    pairs.score_reference(be, learn.forward(reference, batch, {}), reference);
    dropout_draw const drop{o.dropout, {o.seed, 3}, static_cast<std::uint64_t>(step)};
    out_matrix<T, B> const h = learn.forward(learn.w, batch, drop);
    pairs.score_policy(be, h, learn.w);
    if (conditional) pairs.find_offsets(be, batch, exposure);
    training_progress progress{training_stage::alignment, step + 1, steps, epoch, epochs, 0, 0, 0, 0, 0};
    pairs.differentiate(be, o.alignment, progress);
    pairs.carry_back(be, h, learn.w, learn.grad_hidden.matrix(batch.examples(), d), learn.grad);
    learn.backward(batch, drop);
    learn.step(learning_rate(o.alignment.learning_rate, step, steps, o.alignment.warm_up));
    progress.seconds = seconds_since(start_time);
    if (report) report(progress);
  }
  return result;
}

}  // namespace recommender
