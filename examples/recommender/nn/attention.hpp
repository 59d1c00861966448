// SPDX-License-Identifier: Apache-2.0
// Causal self-attention: in each sequence and head O = softmax(Q K' / sqrt(d), over the positions up to the query's own) V.
// Source: Vaswani et al., arXiv 1706.03762, eq. 1. A sequence is padded on the right, so that the causal mask also hides the
// padding from every real position: no other mask is needed.
#pragma once

#include <cmath>

#include "causaldpo/ops/batched_gemm.hpp"
#include "causaldpo/ops/softmax_rows.hpp"
#include "nn/linear.hpp"

namespace recommender {

/// Its weights, or their gradients: qkv [D,3D] (columns: queries, keys, values, each by head), qkv_bias [3D], out [D,D], out_bias
/// [D].
template <class E, class S>
struct attention_parameters {
  causaldpo::view<E, 2, S> qkv;
  causaldpo::view<E, 1, S> qkv_bias;
  causaldpo::view<E, 2, S> out;
  causaldpo::view<E, 1, S> out_bias;
};

/// `sequences` sequences of `length` rows each, one after the other.
struct attention_shape {
  index_t sequences, length, heads;
};

/// x, y [N,D] with N = sequences * length; kept for the way back: qkv [N,3D], p [heads * N, length], mixed [N,D] (before the
/// output weights).
template <causaldpo::real_scalar T, causaldpo::backend B>
void attention_forward(B& be, attention_shape s, in_matrix<T, B> x, attention_parameters<T const, typename B::space> const& w,
                       out_matrix<T, B> qkv, out_matrix<T, B> p, out_matrix<T, B> mixed, out_matrix<T, B> y) {
  using causaldpo::transpose;
  index_t const n = s.sequences * s.length, d = x.cols(), width = d / s.heads, l = s.length;
  T const scale = static_cast<T>(1 / std::sqrt(static_cast<double>(width)));
  linear_forward<T>(be, x, w.qkv, w.qkv_bias, qkv);
  in_matrix<T, B> const first = qkv.row_block(0, l);
  for (index_t h = 0; h < s.heads; ++h)
    causaldpo::batched_gemm(be, s.sequences, transpose::no, transpose::yes, scale, first.col_block(h * width, width),
                            l * qkv.ld(), first.col_block(d + h * width, width), l * qkv.ld(), T(0), p.row_block(h * n, l),
                            l * p.ld());
  out_matrix<T, B> const weights = p.row_block(0, s.heads * n);
  causaldpo::softmax_rows(be, weights, {.p = weights}, {.causal_period = l});
  for (index_t h = 0; h < s.heads; ++h)
    causaldpo::batched_gemm(be, s.sequences, transpose::no, transpose::no, T(1), in_matrix<T, B>(p.row_block(h * n, l)),
                            l * p.ld(), first.col_block(2 * d + h * width, width), l * qkv.ld(), T(0),
                            mixed.row_block(0, l).col_block(h * width, width), l * mixed.ld());
  linear_forward<T>(be, mixed, w.out, w.out_bias, y);
}

/// What attention_backward needs besides the results: grad_qkv [N,3D], grad_p [heads * N, length], grad_mixed [N,D].
template <class T, class S>
struct attention_scratch {
  causaldpo::view<T, 2, S> grad_qkv, grad_p, grad_mixed;
};

/// From grad_y [N,D]: grad_x [N,D] and the weights' gradients, all overwritten.
template <causaldpo::real_scalar T, causaldpo::backend B>
void attention_backward(B& be, attention_shape s, in_matrix<T, B> x, attention_parameters<T const, typename B::space> const& w,
                        in_matrix<T, B> qkv, in_matrix<T, B> p, in_matrix<T, B> mixed, in_matrix<T, B> grad_y,
                        attention_scratch<T, typename B::space> const& scratch, out_matrix<T, B> grad_x,
                        attention_parameters<T, typename B::space> const& grad) {
  using causaldpo::transpose;
  index_t const n = s.sequences * s.length, d = x.cols(), width = d / s.heads, l = s.length;
  T const scale = static_cast<T>(1 / std::sqrt(static_cast<double>(width)));
  linear_backward<T>(be, mixed, w.out, grad_y, scratch.grad_mixed, grad.out, grad.out_bias);
  in_matrix<T, B> const first = qkv.row_block(0, l), grad_mixed = scratch.grad_mixed;
  out_matrix<T, B> const first_grad = scratch.grad_qkv.row_block(0, l);
  index_t const step = l * qkv.ld(), grad_step = l * first_grad.ld(), p_step = l * p.ld(), grad_p_step = l * scratch.grad_p.ld();
  for (index_t h = 0; h < s.heads; ++h) {
    auto const grad_o = grad_mixed.row_block(0, l).col_block(h * width, width);
    causaldpo::batched_gemm(be, s.sequences, transpose::no, transpose::yes, T(1), grad_o, l * grad_mixed.ld(),
                            first.col_block(2 * d + h * width, width), step, T(0), scratch.grad_p.row_block(h * n, l),
                            grad_p_step);
    causaldpo::batched_gemm(be, s.sequences, transpose::yes, transpose::no, T(1), p.row_block(h * n, l), p_step, grad_o,
                            l * grad_mixed.ld(), T(0), first_grad.col_block(2 * d + h * width, width), grad_step);
  }
  out_matrix<T, B> const slopes = scratch.grad_p.row_block(0, s.heads * n);
  causaldpo::softmax_rows(be, p.row_block(0, s.heads * n), {.grad_scores = slopes}, {.causal_period = l, .probabilities = true},
                          slopes);
  in_matrix<T, B> const grad_scores = scratch.grad_p;
  for (index_t h = 0; h < s.heads; ++h) {
    auto const grad_s = grad_scores.row_block(h * n, l);
    causaldpo::batched_gemm(be, s.sequences, transpose::no, transpose::no, scale, grad_s, grad_p_step,
                            first.col_block(d + h * width, width), step, T(0), first_grad.col_block(h * width, width), grad_step);
    causaldpo::batched_gemm(be, s.sequences, transpose::yes, transpose::no, scale, grad_s, grad_p_step,
                            first.col_block(h * width, width), step, T(0), first_grad.col_block(d + h * width, width), grad_step);
  }
  linear_backward<T>(be, x, w.qkv, scratch.grad_qkv, grad_x, grad.qkv, grad.qkv_bias);
}

}  // namespace recommender
