// SPDX-License-Identifier: Apache-2.0
// The affine layer: y = x W + b.
#pragma once

#include "nn/types.hpp"

namespace recommender {

/// f(i, lane): y_i. += b.
template <class T, class S>
struct add_row_kernel {
  using lane_scalar = T;
  causaldpo::view<T const, 1, S> b;
  causaldpo::view<T, 2, S> y;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    lane.store_row(y, i, lane.load_row(y, i) + lane.load(b));
  }
};

/// map(i, j) = m_ij in double.
template <class T, class S>
struct entry_map {
  causaldpo::view<T const, 2, S> m;
  CAUSALDPO_HD double operator()(index_t i, index_t j) const { return static_cast<double>(m.at(i, j)); }
};

/// y [N,O] = x [N,I] W [I,O] + b [O].
template <causaldpo::real_scalar T, causaldpo::backend B>
void linear_forward(B& be, in_matrix<T, B> x, in_matrix<T, B> w, in_vector<T, B> b, out_matrix<T, B> y) {
  be.gemm(causaldpo::transpose::no, causaldpo::transpose::no, T(1), x, w, T(0), y);
  be.launch_2d(y.rows(), y.cols(), add_row_kernel<T, typename B::space>{b, y});
}

/// From grad_y [N,O]: grad_x = grad_y W', grad_w = x' grad_y, grad_b = column sums of grad_y. All three are overwritten.
template <causaldpo::real_scalar T, causaldpo::backend B>
void linear_backward(B& be, in_matrix<T, B> x, in_matrix<T, B> w, in_matrix<T, B> grad_y, out_matrix<T, B> grad_x,
                     out_matrix<T, B> grad_w, out_vector<T, B> grad_b) {
  be.gemm(causaldpo::transpose::yes, causaldpo::transpose::no, T(1), x, grad_y, T(0), grad_w);
  be.reduce_cols(grad_y.rows(), grad_y.cols(), entry_map<T, typename B::space>{grad_y}, causaldpo::detail::sum_fold<>{}, grad_b);
  be.gemm(causaldpo::transpose::no, causaldpo::transpose::yes, T(1), grad_y, w, T(0), grad_x);
}

}  // namespace recommender
