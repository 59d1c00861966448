// SPDX-License-Identifier: Apache-2.0
// The input of the model: the item's embedding plus the position's, and 0 in the padding.
#pragma once

#include "nn/types.hpp"

namespace recommender {

/// Sequences of equal padded length, one after the other: row s * length + t is position t of sequence s.
template <class S>
struct sequence_batch {
  index_t sequences = 0;
  index_t length = 0;
  causaldpo::view<std::int32_t const, 1, S>
      tokens{};  ///< [sequences * length] items; negative: padding, only after the last item
  index_t rows() const { return sequences * length; }
};

/// f(r, lane): x_r = items_token (+ positions_t), or 0 in the padding.
template <class T, class S>
struct embedding_kernel {
  using lane_scalar = T;
  sequence_batch<S> batch;
  causaldpo::view<T const, 2, S> items, positions;
  causaldpo::view<T, 2, S> x;
  template <class L>
  CAUSALDPO_HD void operator()(index_t r, L const& lane) const {
    index_t const token = batch.tokens.at(r);
    typename L::value value = L::broadcast(T(0));
    if (token >= 0) {
      value = lane.load_row(items, token);
      if (positions.given()) value = value + lane.load_row(positions, r % batch.length);
    }
    lane.store_row(x, r, value);
  }
};

/// f(t, lane): grad_positions_t = sum of grad_x over the real positions t, in the order of the sequences; 0 beyond the batch's
/// length.
template <class T, class S>
struct position_gradient_kernel {
  using lane_scalar = T;
  sequence_batch<S> batch;
  causaldpo::view<T const, 2, S> grad_x;
  causaldpo::view<T, 2, S> grad_positions;
  template <class L>
  CAUSALDPO_HD void operator()(index_t t, L const& lane) const {
    typename L::value sum = L::broadcast(T(0));
    if (t < batch.length)
      for (index_t s = 0; s < batch.sequences; ++s)
        if (batch.tokens.at(s * batch.length + t) >= 0) sum = sum + lane.load_row(grad_x, s * batch.length + t);
    lane.store_row(grad_positions, t, sum);
  }
};

/// x [N,D] from items [V,D] and positions [P,D] (not given: none), length <= P.
template <causaldpo::real_scalar T, causaldpo::backend B>
void embedding_forward(B& be, sequence_batch<typename B::space> const& batch, in_matrix<T, B> items, in_matrix<T, B> positions,
                       out_matrix<T, B> x) {
  be.launch_2d(batch.rows(), x.cols(), embedding_kernel<T, typename B::space>{batch, items, positions, x});
}

/// grad_positions [P,D], overwritten. The items' gradient is a `scatter_rows` (nn/scatter.hpp).
template <causaldpo::real_scalar T, causaldpo::backend B>
void position_backward(B& be, sequence_batch<typename B::space> const& batch, in_matrix<T, B> grad_x,
                       out_matrix<T, B> grad_positions) {
  be.launch_2d(grad_positions.rows(), grad_positions.cols(),
               position_gradient_kernel<T, typename B::space>{batch, grad_x, grad_positions});
}

}  // namespace recommender
