// SPDX-License-Identifier: Apache-2.0
// fused_linear_logps on a device: products by cuBLAS, two kernels between them. Against the generic body it saves, for each
// tile, three of five passes over the logits forwards (shaping and merging happen where the moments are taken) and three of
// five backwards; takes one exponential in the data's scalar for a logit in place of one in double; and picks tiles that
// fill a device and stay in its cache.
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

  static cuda_head_tile of(index_t n, index_t d, index_t v, index_t scalar_bytes, fused_linear_options const& o) {
    index_t const unit = 64, least = index_t{4} << 20, most = index_t{32} << 20;
    index_t const budget = std::min(most, std::max(least, v * d * scalar_bytes / 4)) / scalar_bytes;
    auto const down = [unit](index_t x) { return std::max(unit, x / unit * unit); };
    index_t const rows = o.row_tile > 0 ? o.row_tile : std::min<index_t>(4096, down(budget / d));
    index_t const columns = o.vocabulary_tile > 0 ? o.vocabulary_tile : down(budget / std::max(d, std::min(rows, n)));
    return {std::min(n, rows), std::min(v, columns)};
  }
};

/// One call.
template <class T>
class cuda_linear_head {
  using S = device_space;
  static constexpr int raised = 5;

 public:
  cuda_linear_head(cuda_backend& be, fused_linear_args<T, S> const& a, fused_linear_options const& o)
      : be_(be),
        a_(a),
        o_(o),
        n_(a.hidden.rows()),
        d_(a.hidden.cols()),
        v_(a.weight.rows()),
        tile_(cuda_head_tile::of(n_, d_, v_, sizeof(T), o)),
        ld_(parts_of(tile_.columns, 16) * 16),
        shaping_{static_cast<T>(o.logit_softcap), static_cast<T>(o.temperature)} {}

  void run() {
    index_t const segments = row_cut::segments_of(tile_.rows, tile_.columns);
    auto const hidden = be_.template allocate<T>(tile_.rows * d_);
    auto const logits = be_.template allocate<T>(tile_.rows * ld_);
    auto const parts = be_.template allocate<softmax_moments>(tile_.rows * segments);
    auto const joined = be_.template allocate<softmax_moments>(segments > 1 ? tile_.rows : 0);
    auto const rows = be_.template allocate<T>(tile_.rows * 5);
    auto const sums = be_.template allocate<accumulator>(a_.out.grad_bias.given() ? tile_.columns : 0);
    index_t const tiles = parts_of(v_, tile_.columns);

    for (index_t r0 = 0; r0 < n_; r0 += tile_.rows) {
      index_t const r = std::min(tile_.rows, n_ - r0);
      row_block const block{r0, {hidden.data(), r, d_}, logits.data(), row_cut::of(r, tile_.columns, segments)};
      row_values const values(rows.data(), tile_.rows, r);
      be_.launch_2d(
          r, d_,
          gather_hidden<T, S>{a_.hidden, a_.targets, r0, o_.ignore_index, v_, a_.uses_ignored_rows(), a_.watch, block.hidden});
      for (index_t t = 0; t < tiles; ++t) {
        multiply(block, t);
        if (a_.out.entropy.given() || a_.out.log_sum_p2.given())
          take_moments<true>(block, t, parts.data(), values);
        else
          take_moments<false>(block, t, parts.data(), values);
      }
      softmax_moments* const moments = segments > 1 ? joined.data() : parts.data();
      if (segments > 1) be_.launch(r, join_segments{parts.data(), segments, moments});
      be_.launch(r, finish_row<T, S>{{moments, r},
                                     values.target_logits,
                                     a_.targets,
                                     a_.upstream,
                                     r0,
                                     o_.ignore_index,
                                     v_,
                                     a_.watch,
                                     a_.out.logps,
                                     a_.out.lse,
                                     a_.out.entropy,
                                     a_.out.log_sum_p2,
                                     values.largest,
                                     values.log_sum,
                                     values.scale,
                                     values.slack});
      if (!a_.wants_gradient()) continue;
      for (index_t t = tiles - 1; t >= 0; --t) {  // backwards: the products of the last tile are still there
        if (t + 1 < tiles) multiply(block, t);
        add_gradients(block, t, t + 1 == tiles, values, sums.vector());
      }
    }
    be_.launch(v_, blame_weight<T, S>{a_.weight, a_.watch, raised});
  }

 private:
  /// The rows that are worked on.
  struct row_block {
    index_t first;
    view<T, 2, S> hidden;
    T* logits;
    row_cut cut;
  };
  /// What is kept of each of them.
  struct row_values {
    view<T, 1, S> target_logits, largest, log_sum, scale, slack;
    row_values(T* data, index_t most, index_t r)
        : target_logits(data, r),
          largest(data + most, r),
          log_sum(data + 2 * most, r),
          scale(data + 3 * most, r),
          slack(data + 4 * most, r) {}
  };
  index_t first_column(index_t t) const { return t * tile_.columns; }
  index_t columns(index_t t) const { return std::min(tile_.columns, v_ - first_column(t)); }
  view<T, 2, S> products(row_block const& b, index_t t) const { return {b.logits, b.hidden.rows(), columns(t), ld_}; }
  product_tile<T> tile(row_block const& b, index_t t) const {
    return {products(b, t), a_.bias.given() ? a_.bias.part(first_column(t), columns(t)) : a_.bias, shaping_};
  }

  void multiply(row_block const& b, index_t t) const {
    be_.gemm(transpose::no, transpose::yes, T(1), view<T const, 2, S>(b.hidden), a_.weight.row_block(first_column(t), columns(t)),
             T(0), products(b, t));
  }
  template <bool Statistics>
  void take_moments(row_block const& b, index_t t, softmax_moments* parts, row_values const& values) const {
    launch_blocks(be_.stream(), b.cut.blocks,
                  online_softmax_kernel<T, Statistics>{tile(b, t), b.cut, a_.targets, b.first, first_column(t), o_.ignore_index,
                                                       a_.watch, raised, parts, values.target_logits.data()});
  }
  void add_gradients(row_block const& b, index_t t, bool begin, row_values const& values, view<accumulator, 1, S> sums) const {
    index_t const r = b.hidden.rows(), c0 = first_column(t), c = columns(t);
    launch_blocks(be_.stream(), b.cut.blocks,
                  linear_slopes_kernel<T>{tile(b, t), b.cut, a_.targets, b.first, c0, values.target_logits, values.largest,
                                          values.log_sum, values.scale, values.slack});
    view<T const, 2, S> const slopes = products(b, t);
    if (a_.out.grad_hidden.given())
      be_.gemm(transpose::no, transpose::no, T(1), slopes, a_.weight.row_block(c0, c), begin ? T(0) : T(1),
               a_.out.grad_hidden.row_block(b.first, r));
    if (a_.out.grad_weight.given())
      be_.gemm(transpose::yes, transpose::no, T(1), slopes, view<T const, 2, S>(b.hidden), b.first > 0 ? T(1) : T(0),
               a_.out.grad_weight.row_block(c0, c));
    if (a_.out.grad_bias.given()) {
      be_.reduce_cols(r, c, tile_map<T, S>{slopes}, sum_fold<>{}, sums);
      be_.launch(c, add_bias_gradient<T, S>{sums, b.first == 0, a_.out.grad_bias.part(c0, c)});
    }
  }

  cuda_backend& be_;
  fused_linear_args<T, S> const& a_;
  fused_linear_options const& o_;
  index_t n_, d_, v_;
  cuda_head_tile tile_;
  index_t ld_;
  logit_shaping<T> shaping_;
};

}  // namespace causaldpo::detail

namespace causaldpo {

/// Without rows, items or width there is no product to speed up.
template <real_scalar T>
void override_for(op::fused_linear_logps, cuda_backend& be, fused_linear_args<T, device_space> const& a,
                  fused_linear_options const& o) {
  if (a.hidden.rows() == 0 || a.hidden.cols() == 0 || a.weight.rows() == 0) return op::fused_linear_logps::generic(be, a, o);
  detail::cuda_linear_head<T>(be, a, o).run();
}

}  // namespace causaldpo
