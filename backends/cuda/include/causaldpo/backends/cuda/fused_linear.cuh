// SPDX-License-Identifier: Apache-2.0
// fused_linear_logps on a device: products by cuBLAS, two kernels between them. Forwards the generic body reads a tile of
// logits four times and writes it twice (product, shaping, moments, target), backwards it reads it twice more and writes it
// twice more before the products; here that is one write and one read, and one more of each. There is one exponential in
// the data's scalar for a logit in place of one in double, and the tiles fill a device and stay in its cache.
#pragma once

#include <algorithm>

#include "causaldpo/backends/cuda/fused_linear_kernels.cuh"
#include "causaldpo/backends/cuda/reduce.cuh"
#include "causaldpo/logprob/fused_linear_logps.hpp"

namespace causaldpo::detail {

/// The tile where the caller left it to the backend. No block of scratch exceeds `budget`: 4 MiB, or a quarter of the
/// weight where that is more, at most 32 MiB, which the cache of a large device holds.
struct cuda_head_tile {
  index_t rows, columns;

  template <class X>
  static cuda_head_tile of(index_t n, index_t d, index_t v, fused_linear_options const& o) {
    index_t const unit = 64, least = index_t{4} << 20, most = index_t{32} << 20;
    index_t const bytes = sizeof(computed_in<X>), weight_bytes = v * d * static_cast<index_t>(sizeof(X));
    index_t const budget = std::min(most, std::max(least, weight_bytes / 4)) / bytes;
    auto const down = [unit](index_t x) { return std::max(unit, x / unit * unit); };
    index_t const rows = o.row_tile > 0 ? o.row_tile : std::min<index_t>(4096, down(budget / d));
    index_t const across = std::max(half_scalar<X> ? d : 1, std::min(rows, n));  // rows of the weight are widened, too
    index_t const columns = o.vocabulary_tile > 0 ? o.vocabulary_tile : down(budget / across);
    return {std::min(n, rows), std::min(v, columns)};
  }
};

/// One call. Logits of half types are products of half types, added in float by cuBLAS. Their gradients are products of
/// the slopes, which stay in float, with hidden states and weights widened tile by tile: no slope is rounded.
template <head_scalar X>
class cuda_linear_head {
  using S = device_space;
  using T = computed_in<X>;
  static constexpr int raised = 5;

 public:
  cuda_linear_head(cuda_backend& be, fused_linear_args<X, S> const& a, fused_linear_options const& o)
      : be_(be),
        a_(a),
        o_(o),
        n_(a.hidden.rows()),
        d_(a.hidden.cols()),
        v_(a.weight.rows()),
        tile_(cuda_head_tile::of<X>(n_, d_, v_, o)),
        segments_(row_cut::segments_of(tile_.rows, tile_.columns)),
        shaping_{static_cast<T>(o.logit_softcap), static_cast<T>(o.temperature)} {}

  void run() {
    index_t const ld = parts_of(tile_.columns, 16) * 16;  // rows of the last tile begin on a boundary, too
    bool const widens_hidden = half_scalar<X> && a_.out.grad_weight.given();
    bool const widens_weight = half_scalar<X> && a_.out.grad_hidden.given();
    auto const hidden = be_.template allocate<X>(tile_.rows * d_);
    auto const wide_hidden = be_.template allocate<T>(widens_hidden ? tile_.rows * d_ : 0);
    auto const wide_weight = be_.template allocate<T>(widens_weight ? tile_.columns * d_ : 0);
    auto const logits = be_.template allocate<T>(tile_.rows * ld);
    auto const moments = be_.template allocate<softmax_moments>(tile_.rows * segments_);
    auto const joined = be_.template allocate<softmax_moments>(segments_ > 1 ? tile_.rows : 0);
    auto const rows = be_.template allocate<T>(tile_.rows * 5);
    auto const sums = be_.template allocate<accumulator>(a_.out.grad_bias.given() ? tile_.columns : 0);
    index_t const tiles = parts_of(v_, tile_.columns);

    for (index_t r0 = 0; r0 < n_; r0 += tile_.rows) {
      index_t const r = std::min(tile_.rows, n_ - r0);
      view<T, 2, S> const wide = widens_hidden ? wide_hidden.matrix(r, d_) : view<T, 2, S>{};
      row_block const block{r0,
                            hidden.matrix(r, d_),
                            wide,
                            wide_weight.data(),
                            {logits.data(), r, tile_.columns, ld},
                            row_cut::of(r, tile_.columns, segments_),
                            row_values(rows.data(), tile_.rows, r)};
      gather(block);
      for (index_t t = 0; t < tiles; ++t) {
        multiply(block, t);
        if (a_.out.entropy.given() || a_.out.log_sum_p2.given())
          take_moments<true>(block, t, moments.data());
        else
          take_moments<false>(block, t, moments.data());
      }
      if (segments_ > 1) be_.launch(r, join_row_parts{moments.data(), segments_, joined.data()});
      finish(block, segments_ > 1 ? joined.vector() : moments.vector());
      if (!a_.wants_gradient()) continue;
      for (index_t t = tiles - 1; t >= 0; --t) {  // backwards: the products of the last tile are still there
        if (t + 1 < tiles) multiply(block, t);
        add_gradients(block, t, t + 1 == tiles, sums.vector());
      }
    }
    blame_weight_rows(be_, a_.weight, a_.watch, raised);
  }

 private:
  /// What is kept of each row.
  struct row_values {
    view<T, 1, S> target_logits, largest, log_sum, scale, slack;
    row_values(T* data, index_t most, index_t r)
        : target_logits(data, r),
          largest(data + most, r),
          log_sum(data + 2 * most, r),
          scale(data + 3 * most, r),
          slack(data + 4 * most, r) {}
  };
  /// The rows that are worked on.
  struct row_block {
    index_t first;
    view<X, 2, S> hidden;
    view<T, 2, S> wide_hidden;  // the same where X is a half type and the weight's gradient is wanted
    T* wide_weight;
    view<T, 2, S> products;
    row_cut cut;
    row_values values;
  };
  index_t first_column(index_t t) const { return t * tile_.columns; }
  index_t columns(index_t t) const { return std::min(tile_.columns, v_ - first_column(t)); }
  view<T, 2, S> products(row_block const& b, index_t t) const { return b.products.col_block(0, columns(t)); }
  view<X const, 2, S> weight(index_t t) const { return a_.weight.row_block(first_column(t), columns(t)); }
  product_tile<T> tile(row_block const& b, index_t t) const {
    return {products(b, t), a_.bias.given() ? a_.bias.part(first_column(t), columns(t)) : a_.bias, shaping_};
  }

  void gather(row_block const& b) const {
    bool const all = a_.uses_ignored_rows();
    if constexpr (half_scalar<X>)
      be_.launch_2d(
          b.hidden.rows(), d_,
          gather_half_hidden<X, S>{a_.hidden, a_.targets, b.first, o_.ignore_index, v_, all, a_.watch, b.hidden, b.wide_hidden});
    else
      be_.launch_2d(b.hidden.rows(), d_,
                    gather_hidden<T, S>{a_.hidden, a_.targets, b.first, o_.ignore_index, v_, all, a_.watch, b.hidden});
  }
  void multiply(row_block const& b, index_t t) const {
    if constexpr (half_scalar<X>)
      cublas_half_product<X>(be_.cublas(), b.hidden, weight(t), products(b, t));
    else
      be_.gemm(transpose::no, transpose::yes, T(1), view<T const, 2, S>(b.hidden), weight(t), T(0), products(b, t));
  }
  template <bool Statistics>
  void take_moments(row_block const& b, index_t t, softmax_moments* moments) const {
    online_softmax_kernel<T, Statistics> const kernel{
        tile(b, t),      b.cut,    a_.targets, b.first, first_column(t),
        o_.ignore_index, a_.watch, raised,     moments, b.values.target_logits.data()};
    launch_blocks(be_.stream(), b.cut.blocks, kernel);
  }
  void finish(row_block const& b, view<softmax_moments const, 1, S> moments) const {
    row_values const& v = b.values;
    be_.launch(b.hidden.rows(), finish_row<T, S>{moments, v.target_logits, a_.targets, a_.upstream, b.first, o_.ignore_index, v_,
                                                 a_.watch, a_.out.logps, a_.out.lse, a_.out.entropy, a_.out.log_sum_p2, v.largest,
                                                 v.log_sum, v.scale, v.slack});
  }

  /// The factors of the gradients' products.
  view<T const, 2, S> factor_weight(row_block const& b, index_t t) const {
    if constexpr (half_scalar<X>) {
      view<T, 2, S> const wide(b.wide_weight, columns(t), d_);
      be_.launch_2d(wide.rows(), d_, widen<X, S>{weight(t), wide});
      return wide;
    } else {
      return weight(t);
    }
  }
  view<T const, 2, S> factor_hidden(row_block const& b) const {
    if constexpr (half_scalar<X>)
      return b.wide_hidden;
    else
      return b.hidden;
  }
  void add_gradients(row_block const& b, index_t t, bool begin, view<accumulator, 1, S> sums) const {
    index_t const r = b.hidden.rows(), c0 = first_column(t), c = columns(t);
    row_values const& v = b.values;
    launch_blocks(be_.stream(), b.cut.blocks,
                  linear_slopes_kernel<T>{tile(b, t), b.cut, a_.targets, b.first, c0, v.target_logits, v.largest, v.log_sum,
                                          v.scale, v.slack});
    view<T const, 2, S> const slopes = products(b, t);
    if (a_.out.grad_hidden.given())
      be_.gemm(transpose::no, transpose::no, T(1), slopes, factor_weight(b, t), begin ? T(0) : T(1),
               a_.out.grad_hidden.row_block(b.first, r));
    if (a_.out.grad_weight.given())
      be_.gemm(transpose::yes, transpose::no, T(1), slopes, factor_hidden(b), b.first > 0 ? T(1) : T(0),
               a_.out.grad_weight.row_block(c0, c));
    if (a_.out.grad_bias.given()) {
      be_.reduce_cols(r, c, tile_map<T, S>{slopes}, sum_fold<>{}, sums.part(0, c));
      be_.launch(c, add_bias_gradient<T, S>{sums, b.first == 0, a_.out.grad_bias.part(c0, c)});
    }
  }

  cuda_backend& be_;
  fused_linear_args<X, S> const& a_;
  fused_linear_options const& o_;
  index_t n_, d_, v_;
  cuda_head_tile tile_;
  index_t segments_;
  logit_shaping<T> shaping_;
};

/// Without rows, items or width there is no product to speed up.
template <class Op, head_scalar X>
void run_cuda_linear_head(cuda_backend& be, fused_linear_args<X, device_space> const& a, fused_linear_options const& o) {
  if (a.hidden.rows() == 0 || a.hidden.cols() == 0 || a.weight.rows() == 0) return Op::generic(be, a, o);
  cuda_linear_head<X>(be, a, o).run();
}

}  // namespace causaldpo::detail

namespace causaldpo {

template <real_scalar T>
void override_for(op::fused_linear_logps, cuda_backend& be, fused_linear_args<T, device_space> const& a,
                  fused_linear_options const& o) {
  detail::run_cuda_linear_head<op::fused_linear_logps>(be, a, o);
}
template <half_scalar X>
void override_for(op::fused_linear_logps_half, cuda_backend& be, fused_linear_args<X, device_space> const& a,
                  fused_linear_options const& o) {
  detail::run_cuda_linear_head<op::fused_linear_logps_half>(be, a, o);
}

}  // namespace causaldpo
