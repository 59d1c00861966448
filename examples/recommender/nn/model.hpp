// SPDX-License-Identifier: Apache-2.0
// The generative recommender: embeddings, pre-norm blocks of causal attention and feed-forward, a final layer norm. Its output
// h_t of each position scores every item as the next one: h_t . items_y + item_bias_y.
#pragma once

#include <vector>

#include "causaldpo/detail/check.hpp"
#include "nn/dropout.hpp"
#include "nn/embedding.hpp"
#include "nn/fill.hpp"
#include "nn/layer_norm.hpp"
#include "nn/parameters.hpp"

namespace recommender {

/// f(i, lane): y = a + b.
template <class T, class S>
struct add_kernel {
  using lane_scalar = T;
  causaldpo::view<T const, 2, S> a, b;
  causaldpo::view<T, 2, S> y;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    lane.store_row(y, i, lane.load_row(a, i) + lane.load_row(b, i));
  }
};

/// The model at work: activations of the last forward pass, for batches of up to `max_rows` rows. All memory is taken here, none
/// in the passes. Rows are the positions of a `sequence_batch`. The padding never reaches a real position, and its own outputs
/// mean nothing. Memory: about rows * (12 D + 2 F + blocks * (8 D + 2 F + heads * length)) elements.
template <causaldpo::backend B, causaldpo::real_scalar T>
class model {
  using S = typename B::space;
  using scratch = scratch_of<B, T>;

 public:
  model(B& be, model_options const& options, index_t max_rows) : options_(options), max_rows_(max_rows) {
    check_options(options);
    index_t const d = options.dim, f = options.feed_forward, l = options.max_length, h = options.heads;
    for (index_t k = 0; k < 2 * options.blocks + 1; ++k) streams_.push_back(be.template allocate<T>(max_rows * d));
    for (index_t k = 0; k < options.blocks; ++k)
      blocks_.push_back(
          {be.template allocate<T>(max_rows * d), be.template allocate<T>(max_rows), be.template allocate<T>(max_rows),
           be.template allocate<T>(max_rows * 3 * d), be.template allocate<T>(max_rows * h * l),
           be.template allocate<T>(max_rows * d), be.template allocate<T>(max_rows * d), be.template allocate<T>(max_rows),
           be.template allocate<T>(max_rows), be.template allocate<T>(max_rows * f), be.template allocate<T>(max_rows * f)});
    for (index_t n : {d, index_t{1}, index_t{1}}) ends_.push_back(be.template allocate<T>(max_rows * n));
    for (index_t n : {d, d, d, 3 * d, h * l, f}) work_.push_back(be.template allocate<T>(max_rows * n));
  }

  model_options const& options() const { return options_; }

  /// The outputs h [rows, D], valid until the next pass. Throws shape_error for a batch that is too large or too long.
  in_matrix<T, B> forward(B& be, model_parameters<T const, S> const& w, sequence_batch<S> const& batch,
                          dropout_draw const& drop = {}) {
    causaldpo::detail::expect_size("model", "tokens", batch.tokens, batch.rows(), "sequences x length");
    if (batch.rows() > max_rows_ || batch.length > options_.max_length)
      causaldpo::detail::throw_shape(
          "model", "batch", causaldpo::detail::shape_text(batch.sequences, batch.length),
          "at most " + causaldpo::detail::shape_text(max_rows_ / options_.max_length, options_.max_length),
          "the sizes the model was made for");
    index_t const n = batch.rows(), d = options_.dim;
    attention_shape const shape{batch.sequences, batch.length, options_.heads};
    embedding_forward<T>(be, batch, w.items, w.positions, stream(0, n));
    apply_dropout<T>(be, drop, stream(0, n));
    out_matrix<T, B> const branch = work_[0].matrix(n, d);
    for (std::size_t k = 0; k < blocks_.size(); ++k) {
      block const& a = blocks_[k];
      auto const& p = w.blocks[k];
      layer_norm_forward<T>(be, stream(2 * k, n), p.norm1_gain, p.norm1_bias, a.normed1.matrix(n, d), a.mean1.vector(),
                            a.rstd1.vector());
      attention_forward<T>(be, shape, a.normed1.matrix(n, d), p.attention, a.qkv.matrix(n, 3 * d), probabilities(a, batch),
                           a.mixed.matrix(n, d), branch);
      be.launch_2d(n, d, add_kernel<T, S>{stream(2 * k, n), branch, stream(2 * k + 1, n)});
      layer_norm_forward<T>(be, stream(2 * k + 1, n), p.norm2_gain, p.norm2_bias, a.normed2.matrix(n, d), a.mean2.vector(),
                            a.rstd2.vector());
      feed_forward_forward<T>(be, a.normed2.matrix(n, d), p.feed_forward, a.before.matrix(n, options_.feed_forward),
                              a.after.matrix(n, options_.feed_forward), branch);
      be.launch_2d(n, d, add_kernel<T, S>{stream(2 * k + 1, n), branch, stream(2 * k + 2, n)});
    }
    layer_norm_forward<T>(be, stream(2 * blocks_.size(), n), w.norm_gain, w.norm_bias, ends_[0].matrix(n, d), ends_[1].vector(),
                          ends_[2].vector());
    return ends_[0].matrix(n, d);
  }

  /// The way back of the last forward pass (same arguments) from grad_h [rows, D], 0 in the padding. Overwrites all gradients
  /// except those of the item table and bias, which it leaves alone: returns grad_x [rows, D], what each position asks of its
  /// item's embedding, for `scatter_rows`.
  in_matrix<T, B> backward(B& be, model_parameters<T const, S> const& w, sequence_batch<S> const& batch, dropout_draw const& drop,
                           in_matrix<T, B> grad_h, model_parameters<T, S> const& grad) {
    index_t const n = batch.rows(), d = options_.dim, f = options_.feed_forward;
    attention_shape const shape{batch.sequences, batch.length, options_.heads};
    out_matrix<T, B> const branch = work_[0].matrix(n, d), g = work_[1].matrix(n, d);
    out_matrix<T, B> const grad_p{work_[4].data(), options_.heads * n, batch.length};
    attention_scratch<T, S> const attention_work{work_[3].matrix(n, 3 * d), grad_p, work_[2].matrix(n, d)};
    fill<T>(be, out_vector<T, B>(g.data(), n * d), T(0));
    layer_norm_backward<T>(be, stream(2 * blocks_.size(), n), w.norm_gain, ends_[1].vector(), ends_[2].vector(), grad_h, g,
                           grad.norm_gain, grad.norm_bias);
    for (std::size_t k = blocks_.size(); k-- > 0;) {
      block const& a = blocks_[k];
      auto const& p = w.blocks[k];
      auto const& q = grad.blocks[k];
      feed_forward_backward<T>(be, a.normed2.matrix(n, d), p.feed_forward, a.before.matrix(n, f), a.after.matrix(n, f), g,
                               work_[5].matrix(n, f), branch, q.feed_forward);
      layer_norm_backward<T>(be, stream(2 * k + 1, n), p.norm2_gain, a.mean2.vector(), a.rstd2.vector(), branch, g, q.norm2_gain,
                             q.norm2_bias);
      attention_backward<T>(be, shape, a.normed1.matrix(n, d), p.attention, a.qkv.matrix(n, 3 * d), probabilities(a, batch),
                            a.mixed.matrix(n, d), g, attention_work, branch, q.attention);
      layer_norm_backward<T>(be, stream(2 * k, n), p.norm1_gain, a.mean1.vector(), a.rstd1.vector(), branch, g, q.norm1_gain,
                             q.norm1_bias);
    }
    apply_dropout<T>(be, drop, g);
    if (grad.positions.given()) position_backward<T>(be, batch, g, grad.positions);
    return g;
  }

 private:
  /// What one block keeps for the way back.
  struct block {
    scratch normed1, mean1, rstd1, qkv, p, mixed, normed2, mean2, rstd2, before, after;
  };

  out_matrix<T, B> stream(std::size_t k, index_t rows) const { return streams_[k].matrix(rows, options_.dim); }
  out_matrix<T, B> probabilities(block const& a, sequence_batch<S> const& batch) const {
    return {a.p.data(), options_.heads * batch.rows(), batch.length};
  }

  model_options options_;
  index_t max_rows_;
  std::vector<scratch> streams_;  ///< the residual stream before each half block, and the last
  std::vector<block> blocks_;
  std::vector<scratch> ends_;  ///< h, and mean and rstd of the final norm
  std::vector<scratch> work_;  ///< branch, gradient of the stream, of mixed, of qkv, of p, of the feed-forward's inner layer
};

}  // namespace recommender
