// SPDX-License-Identifier: Apache-2.0
// The feed-forward layer: y = gelu(x W1 + b1) W2 + b2.
#pragma once

#include "nn/gelu.hpp"
#include "nn/linear.hpp"

namespace recommender {

/// Its weights, or their gradients: up [D,F], up_bias [F], down [F,D], down_bias [D].
template <class E, class S>
struct feed_forward_parameters {
  causaldpo::view<E, 2, S> up;
  causaldpo::view<E, 1, S> up_bias;
  causaldpo::view<E, 2, S> down;
  causaldpo::view<E, 1, S> down_bias;
};

/// x, y [N,D]; `before` and `after` [N,F] hold the activations before and after the GELU and are kept for the way back.
template <causaldpo::real_scalar T, causaldpo::backend B>
void feed_forward_forward(B& be, in_matrix<T, B> x, feed_forward_parameters<T const, typename B::space> const& w,
                          out_matrix<T, B> before, out_matrix<T, B> after, out_matrix<T, B> y) {
  linear_forward<T>(be, x, w.up, w.up_bias, before);
  be.launch_2d(before.rows(), before.cols(), gelu_kernel<T, typename B::space>{before, after});
  linear_forward<T>(be, after, w.down, w.down_bias, y);
}

/// From grad_y [N,D]: grad_x [N,D] and the weights' gradients, all overwritten. `grad_inner` [N,F] is scratch.
template <causaldpo::real_scalar T, causaldpo::backend B>
void feed_forward_backward(B& be, in_matrix<T, B> x, feed_forward_parameters<T const, typename B::space> const& w,
                           in_matrix<T, B> before, in_matrix<T, B> after, in_matrix<T, B> grad_y, out_matrix<T, B> grad_inner,
                           out_matrix<T, B> grad_x, feed_forward_parameters<T, typename B::space> const& grad) {
  linear_backward<T>(be, after, w.down, grad_y, grad_inner, grad.down, grad.down_bias);
  be.launch_2d(before.rows(), before.cols(), gelu_gradient<T, typename B::space>{before, grad_inner});
  linear_backward<T>(be, x, w.up, grad_inner, grad_x, grad.up, grad.up_bias);
}

}  // namespace recommender
