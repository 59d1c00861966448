// SPDX-License-Identifier: Apache-2.0
// Stage 1: supervised next item. Cross-entropy over the full catalogue at every position, exact at any size of it.
#pragma once

#include <algorithm>

#include "causaldpo/core/error.hpp"
#include "causaldpo/logprob/fused_linear_logps.hpp"
#include "nn/model.hpp"
#include "training/options.hpp"
#include "training/placed_batch.hpp"
#include "training/rows.hpp"
#include "training/step_report.hpp"

namespace recommender {

/// Throws option_error unless there is something to learn from.
inline void check_log(training_log const& log) {
  if (log.longest() < 2)
    throw causaldpo::option_error("train: no user has two training interactions, and a next item needs one before it");
  for (auto const& s : log.sequences)
    for (std::int32_t y : s)
      if (y < 0 || y >= log.items) throw causaldpo::value_error("train: an item of the log is outside the catalogue");
}

/// One model under training: weights, gradients, optimiser, activations, and the batch they work on, in the backend's memory.
/// Both stages run on it. All memory is taken in the constructor or in the first step; later steps allocate nothing.
template <causaldpo::backend B, causaldpo::real_scalar T>
class learner {
  using S = typename B::space;
  using scratch = scratch_of<B, T>;

 public:
  /// Begins from `weights`; in the host's memory they are trained where they lie.
  learner(B& backend, model_options const& options, adamw_options const& optimizer, std::vector<T>& weights, index_t max_rows)
      : be(backend),
        net(backend, options, max_rows),
        batch(backend, max_rows),
        hidden(backend.template allocate<T>(max_rows * options.dim)),
        grad_hidden(backend.template allocate<T>(max_rows * options.dim)),
        weights_(backend, weights),
        gradient_(backend.template allocate<T>(weights_.view().size())),
        w(options, weights_.view()),
        grad(options, {gradient_.data(), weights_.view().size()}),
        optimizer_(backend, options, optimizer),
        grad_rows_(backend.template allocate<T>(max_rows * options.dim)) {
    fill<T>(be, grad.flat, T(0));
  }

  /// What the next passes work on.
  void place(training_batch const& next) { batch.place(be, next); }

  /// Outputs of the examples, [M,D], in `hidden`, under the weights being trained or others of the same shape.
  out_matrix<T, B> forward(model_parameters<T const, S> const& weights, dropout_draw const& drop) {
    auto const h = net.forward(be, weights, batch.input(), drop);
    out_matrix<T, B> const examples = hidden.matrix(batch.examples(), h.cols());
    be.launch_2d(batch.examples(), h.cols(), gather_rows_kernel<T, S>{h, batch.rows(), examples});
    return examples;
  }

  /// From the gradients by the examples' outputs (in `grad_hidden`) and, already in `grad`, those of the item table and bias as
  /// output weights: the gradient of everything else, and of the table as input.
  void backward(dropout_draw const& drop) {
    index_t const d = net.options().dim;
    out_matrix<T, B> const rows = grad_rows_.matrix(batch.input().rows(), d);
    be.launch_2d(rows.rows(), d, spread_rows_kernel<T, S>{grad_hidden.matrix(batch.examples(), d), batch.example_of(), rows});
    auto const grad_x = net.backward(be, w, batch.input(), drop, rows, grad);
    scatter_rows<T>(be, batch.lookups(), grad_x, {}, {}, grad.items);
  }
  /// One step of the optimiser against `grad`.
  void step(double rate) { optimizer_.step(be, weights_.view(), grad.flat, rate); }
  /// Waits for the backend and brings the weights to the vector they came from.
  void fetch(std::vector<T>& weights) { weights_.fetch(be, weights); }

  B& be;
  model<B, T> net;
  placed_batch<B> batch;
  scratch hidden, grad_hidden;  ///< [M,D]

 private:
  mirror<B, T> weights_;
  scratch gradient_;

 public:
  model_parameters<T const, S> w;
  model_parameters<T, S> grad;

 private:
  adamw<B, T> optimizer_;
  scratch grad_rows_;
};

/// The mean of -log p(next item) over the examples, its gradients by outputs and output weights left in `learn`. `logps` and
/// `upstream` [M] are scratch.
template <causaldpo::backend B, causaldpo::real_scalar T>
void supervised_gradient(learner<B, T>& learn, out_matrix<T, B> hidden, out_vector<T, B> logps, out_vector<T, B> upstream) {
  fill<T>(learn.be, upstream, static_cast<T>(-1.0 / static_cast<double>(hidden.rows())));
  causaldpo::fused_linear_logps(learn.be, hidden, learn.w.items, learn.batch.targets(),
                                {.logps = logps,
                                 .grad_hidden = learn.grad_hidden.matrix(hidden.rows(), hidden.cols()),
                                 .grad_weight = learn.grad.items,
                                 .grad_bias = learn.grad.item_bias},
                                {}, learn.w.item_bias, upstream);
}

/// Trains a fresh model on the log. Deterministic: the same log, options, backend and number of threads give the same bits.
/// Cost for each position: three products with the catalogue, 6 V D multiply-adds, and about 30 D (D + F) for the body.
template <causaldpo::backend B, causaldpo::real_scalar T = float>
trained_model<T> train_supervised(B& be, training_log const& log, train_options const& o, progress_callback const& report = {}) {
  using S = typename B::space;
  check_log(log);
  batch_maker batches(log, {o.max_length, o.windows_per_user, o.batch_sequences, o.seed});
  // Room for the two held-out items: where the longest history fits, it keeps its beginning, and every item its position.
  index_t const context = std::min(o.max_length, batches.context() + 2);
  trained_model<T> result{{log.items, o.dim, o.blocks, o.heads, o.feed_forward, context, log.ordered}, context, {}};
  result.weights = initial_parameters<T>(result.options, o.seed, o.start_scale);
  learner<B, T> learn(be, result.options, o.optimizer, result.weights, batches.max_rows());
  auto logps = be.template allocate<T>(batches.max_rows());
  auto upstream = be.template allocate<T>(batches.max_rows());
  step_report<B, double> progress(be, report);
  training_batch batch;
  index_t const epochs = o.supervised.epochs_of(batches.batches()), steps = epochs * batches.batches();
  double const peak = o.supervised.learning_rate_of(steps);
  for (index_t step = 0; step < steps; ++step) {
    index_t const epoch = step / batches.batches(), b = step % batches.batches();
    if (b == 0) batches.begin_epoch(epoch);
    batches.make(b, batch);
    learn.place(batch);
    index_t const m = batch.examples();
    dropout_draw const drop{o.dropout, {o.seed, 2}, static_cast<std::uint64_t>(step)};
    out_vector<T, B> const row_logps = logps.vector().part(0, m);
    supervised_gradient<B, T>(learn, learn.forward(learn.w, drop), row_logps, upstream.vector().part(0, m));
    learn.backward(drop);
    learn.step(learning_rate(peak, step, steps, o.supervised.warm_up));
    if (progress.wanted()) be.reduce(m, value_map<T, S>{row_logps}, causaldpo::detail::sum_fold<>{}, progress.slot().part(0, 1));
    progress.done({training_stage::supervised, step + 1, steps, epoch, epochs}, -static_cast<double>(m));
  }
  learn.fetch(result.weights);
  return result;
}

}  // namespace recommender
