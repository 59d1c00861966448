// SPDX-License-Identifier: Apache-2.0
// Layer normalisation of rows: y = (x - mean) / sqrt(var + 1e-5) * gain + bias. Source: Ba, Kiros and Hinton, arXiv 1607.06450,
// eq. 4.
#pragma once

#include "nn/linear.hpp"

namespace recommender {

inline constexpr double layer_norm_epsilon = 1e-5;

/// f(i): row i of y, and the mean and 1 / sqrt(var + epsilon) of row i of x for the way back.
template <class T, class S>
struct layer_norm_kernel {
  causaldpo::view<T const, 2, S> x;
  causaldpo::view<T const, 1, S> gain, bias;
  causaldpo::view<T, 2, S> y;
  causaldpo::view<T, 1, S> mean, rstd;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const d = x.cols();
    double sum = 0, squares = 0;
    for (index_t j = 0; j < d; ++j) sum += static_cast<double>(x.at(i, j));
    double const m = sum / static_cast<double>(d);
    for (index_t j = 0; j < d; ++j) {
      double const off = static_cast<double>(x.at(i, j)) - m;
      squares += off * off;
    }
    double const r = 1 / causaldpo::math::sqrt(squares / static_cast<double>(d) + layer_norm_epsilon);
    T const row_mean = static_cast<T>(m), row_rstd = static_cast<T>(r);
    mean.at(i) = row_mean;
    rstd.at(i) = row_rstd;
    for (index_t j = 0; j < d; ++j) y.at(i, j) = (x.at(i, j) - row_mean) * row_rstd * gain.at(j) + bias.at(j);
  }
};

/// f(i): with g = grad_y gain and n = (x - mean) rstd, grad_x_i += rstd (g - mean(g) - n mean(g n)).
template <class T, class S>
struct layer_norm_input_gradient {
  causaldpo::view<T const, 2, S> x;
  causaldpo::view<T const, 1, S> gain, mean, rstd;
  causaldpo::view<T const, 2, S> grad_y;
  causaldpo::view<T, 2, S> grad_x;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const d = x.cols();
    T const m = mean.at(i), r = rstd.at(i);
    double sum = 0, with_n = 0;
    for (index_t j = 0; j < d; ++j) {
      double const g = static_cast<double>(grad_y.at(i, j) * gain.at(j));
      sum += g;
      with_n += g * static_cast<double>((x.at(i, j) - m) * r);
    }
    T const mean_g = static_cast<T>(sum / static_cast<double>(d)), mean_gn = static_cast<T>(with_n / static_cast<double>(d));
    for (index_t j = 0; j < d; ++j)
      grad_x.at(i, j) += r * (grad_y.at(i, j) * gain.at(j) - mean_g - (x.at(i, j) - m) * r * mean_gn);
  }
};

/// map(i, j) = grad_y_ij n_ij.
template <class T, class S>
struct layer_norm_gain_map {
  causaldpo::view<T const, 2, S> x;
  causaldpo::view<T const, 1, S> mean, rstd;
  causaldpo::view<T const, 2, S> grad_y;
  CAUSALDPO_HD double operator()(index_t i, index_t j) const {
    return static_cast<double>(grad_y.at(i, j) * ((x.at(i, j) - mean.at(i)) * rstd.at(i)));
  }
};

/// x, y [N,D]; gain, bias [D]; mean, rstd [N] are kept for layer_norm_backward.
template <causaldpo::real_scalar T, causaldpo::backend B>
void layer_norm_forward(B& be, in_matrix<T, B> x, in_vector<T, B> gain, in_vector<T, B> bias, out_matrix<T, B> y,
                        out_vector<T, B> mean, out_vector<T, B> rstd) {
  be.launch(x.rows(), layer_norm_kernel<T, typename B::space>{x, gain, bias, y, mean, rstd});
}

/// From grad_y [N,D]: *adds* to grad_x, because a pre-norm block carries its input past the layer; overwrites grad_gain and
/// grad_bias.
template <causaldpo::real_scalar T, causaldpo::backend B>
void layer_norm_backward(B& be, in_matrix<T, B> x, in_vector<T, B> gain, in_vector<T, B> mean, in_vector<T, B> rstd,
                         in_matrix<T, B> grad_y, out_matrix<T, B> grad_x, out_vector<T, B> grad_gain,
                         out_vector<T, B> grad_bias) {
  using S = typename B::space;
  be.reduce_cols(x.rows(), x.cols(), layer_norm_gain_map<T, S>{x, mean, rstd, grad_y}, causaldpo::detail::sum_fold<>{},
                 grad_gain);
  be.reduce_cols(x.rows(), x.cols(), entry_map<T, S>{grad_y}, causaldpo::detail::sum_fold<>{}, grad_bias);
  be.launch(x.rows(), layer_norm_input_gradient<T, S>{x, gain, mean, rstd, grad_y, grad_x});
}

}  // namespace recommender
