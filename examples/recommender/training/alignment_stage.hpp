// SPDX-License-Identifier: Apache-2.0
// Stages 2 and 3: a frozen copy of the supervised model is the reference, and the model is aligned against it with the library's
// objective.
#pragma once

#include "training/pair_batch.hpp"
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
  mirror<B, T const> const reference_weights(be, other_reference ? other_reference->weights : start.weights);
  model_parameters<T const, S> const reference(start.options, reference_weights.view());
  exposure_table const nothing{1, {}, {}};
  placed_exposure<B> const offsets(be, conditional ? exposure : nothing);
  rejected_sampler sampler(log, o.alignment.rejected_items(), o.alignment.popularity_exponent, o.seed);
  pair_batch<B, T> pairs(be, batches.max_rows(), o.alignment.rejected_items());
  step_report<B, T> progress(be, report);
  training_batch batch;
  index_t const epochs = o.alignment.epochs_of(batches.batches()), steps = epochs * batches.batches(), d = result.options.dim;
  for (index_t step = 0; step < steps; ++step) {
    index_t const epoch = step / batches.batches(), b = step % batches.batches();
    if (b == 0) batches.begin_epoch((index_t{1} << 16) + epoch);  // other windows than the supervised stage's
    batches.make(b, batch);
    learn.place(batch);
    pairs.draw(be, sampler, epoch, batch);
    pairs.score_reference(be, learn.forward(reference, {}), reference);
    dropout_draw const drop{o.dropout, {o.seed, 3}, static_cast<std::uint64_t>(step)};
    out_matrix<T, B> const h = learn.forward(learn.w, drop);
    pairs.score_policy(be, h, learn.w);
    if (conditional) pairs.find_offsets(be, learn.batch, offsets);
    pairs.differentiate(be, o.alignment, progress.slot());
    pairs.carry_back(be, h, learn.w, learn.grad_hidden.matrix(batch.examples(), d), learn.grad);
    learn.backward(drop);
    learn.step(learning_rate(o.alignment.learning_rate, step, steps, o.alignment.warm_up));
    progress.done({training_stage::alignment, step + 1, steps, epoch, epochs});
  }
  learn.fetch(result.weights);
  return result;
}

}  // namespace recommender
