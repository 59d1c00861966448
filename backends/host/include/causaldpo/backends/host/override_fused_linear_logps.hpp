// SPDX-License-Identifier: Apache-2.0
// fused_linear_logps on threads of the host. Rows are taken in chunks of `row_tile`; of each chunk every thread has a
// range of the vocabulary to itself, walks it in tiles that stay in its cache, and turns a tile of logits in place
// into the slopes that both gradient products read. Rows of the weight's gradient thus belong to one thread.
#pragma once

#include "causaldpo/backends/host/parallel_host.hpp"
#include "causaldpo/backends/host/logit_passes.hpp"
#include "causaldpo/logprob/fused_linear_logps.hpp"

namespace causaldpo::detail {

/// One call. Differences from the generic body: packed row passes, one fork for the values and one for the gradients
/// of a chunk, and logits that are kept for the gradients where a chunk's fit in `kept_bytes`.
/// Scratch: at most `kept_bytes` of logits, and (threads + 1) row_tile D scalars, whatever V.
template <class Backend, class T>
class host_linear_head {
  using S = host_space;
  using moments_vector = view<softmax_moments, 1>;
  using row_passes = logit_passes<typename Backend::arithmetic::template pack<T>>;
  static constexpr index_t kept_bytes = 4 << 20;

 public:
  host_linear_head(Backend& be, fused_linear_args<T, S> const& a, fused_linear_options const& o)
      : be_(be),
        a_(a),
        o_(o),
        n_(a.hidden.rows()),
        d_(a.hidden.cols()),
        v_(a.weight.rows()),
        chunk_(tile_extent(n_, o.row_tile, 256)) {
    // Ranges by the extents and the threads asked for, so that the same call gives the same bits.
    double const work = static_cast<double>(chunk_) * static_cast<double>(v_) * static_cast<double>(d_ + 16);
    parts_ = work < 2e5 ? 1 : std::max<index_t>(1, std::min<index_t>(be.threads(), v_ / 64));
    range_ = round_up((v_ + parts_ - 1) / parts_, 16);
    parts_ = range_ == 0 ? 1 : std::max<index_t>(1, (v_ + range_ - 1) / range_);
    index_t const bytes = static_cast<index_t>(sizeof(T));
    keep_ = a.wants_gradient() && chunk_ * v_ * bytes <= kept_bytes;
    index_t const room = kept_bytes / std::max<index_t>(1, parts_ * chunk_ * bytes);
    tile_ =
        std::min({tile_extent(v_, o.vocabulary_tile, 1024), std::max<index_t>(64, room / 16 * 16), std::max<index_t>(range_, 1)});
  }

  void run() {
    auto const hidden = be_.template allocate<T>(chunk_ * d_);
    auto const logits = be_.template allocate<T>(keep_ ? chunk_ * v_ : parts_ * chunk_ * tile_);
    auto const moments = be_.template allocate<softmax_moments>((parts_ + 1) * chunk_);
    auto const rows = be_.template allocate<T>(chunk_ * 5);
    auto const partial = be_.template allocate<T>(a_.out.grad_hidden.given() && parts_ > 1 ? parts_ * chunk_ * d_ : 0);
    auto const sums = be_.template allocate<accumulator>(a_.out.grad_bias.given() ? v_ : 0);
    logits_ = logits.data(), moments_ = moments.data(), partial_ = partial.data(), sums_ = sums.vector();
    for (index_t i = 0; i < 5; ++i) rows_[i] = rows.data() + i * chunk_;
    std::fill_n(sums.data(), sums.size(), accumulator(0));
    if (n_ == 0 && a_.out.grad_weight.given()) be_.launch_2d(v_, d_, zero_cell<T, S>{a_.out.grad_weight});

    for (index_t r0 = 0; r0 < n_; r0 += chunk_) {
      index_t const r = std::min(chunk_, n_ - r0);
      view<T, 2> const h(hidden.data(), r, d_);
      be_.launch_2d(r, d_,
                    gather_hidden<T, S>{a_.hidden, a_.targets, r0, o_.ignore_index, v_, a_.uses_ignored_rows(), a_.watch, h});
      each_part([&](index_t part) { values_of(part, r0, h); });
      for (index_t part = 1; part < parts_; ++part)
        for (index_t i = 0; i < r; ++i) moments_[i] = softmax_moments_fold{}(moments_[i], moments_[part * chunk_ + i]);
      be_.launch(r, finish_row<T, S>{moments_vector(moments_, r), vector(rows_[0], r), a_.targets, a_.upstream, r0,
                                     o_.ignore_index, v_, a_.watch, a_.out.logps, a_.out.lse, a_.out.entropy, a_.out.log_sum_p2,
                                     vector(rows_[1], r), vector(rows_[2], r), vector(rows_[3], r), vector(rows_[4], r)});
      if (!a_.wants_gradient()) continue;
      each_part([&](index_t part) { gradients_of(part, r0, h); });
      if (partial_used()) add_partials(r0, r);
    }
    if (a_.out.grad_bias.given())
      for (index_t j = 0; j < v_; ++j) a_.out.grad_bias(j) = static_cast<T>(sums_(j));
    blame_weight_rows(be_, a_.weight, a_.watch, raised);
  }

 private:
  static constexpr int raised = 5;
  static constexpr index_t round_up(index_t n, index_t unit) { return (n + unit - 1) / unit * unit; }
  bool partial_used() const { return a_.out.grad_hidden.given() && parts_ > 1; }
  index_t first_of(index_t part) const { return std::min(v_, part * range_); }

  template <class Body>
  void each_part(Body const& body) const {
    if (parts_ > 1) return be_.team().split(0, parts_, body);
    body(0);
  }
  /// Where the logits of columns [c0, c0 + c) of a chunk of r rows are kept, or computed again.
  view<T, 2> tile_of(index_t part, index_t r, index_t c0, index_t c) const {
    if (keep_) return {logits_ + c0, r, c, v_};
    return {logits_ + part * chunk_ * tile_, r, c, c};
  }
  void fill(view<T, 2> tile, view<T, 2> h, index_t c0) const {
    Backend::template product<T>(transpose::no, transpose::yes, T(1), h, a_.weight.row_block(c0, tile.cols()), T(0), tile);
  }
  row_passes row_pass(index_t c0, index_t c) const {
    view<T const, 1> const bias = a_.bias.given() ? a_.bias.part(c0, c) : a_.bias;
    return {bias,
            c0,
            {static_cast<T>(o_.logit_softcap), static_cast<T>(o_.temperature)},
            a_.out.entropy.given() || a_.out.log_sum_p2.given(),
            a_.watch,
            raised};
  }

  void values_of(index_t part, index_t r0, view<T, 2> h) const {
    index_t const r = h.rows();
    softmax_moments* const moments = moments_ + part * chunk_;
    std::fill_n(moments, r, softmax_moments{});
    index_t const last = first_of(part + 1);
    for (index_t c0 = first_of(part); c0 < last; c0 += tile_) {
      view<T, 2> const tile = tile_of(part, r, c0, std::min(tile_, last - c0));
      fill(tile, h, c0);
      row_passes const pass = row_pass(c0, tile.cols());
      for (index_t i = 0; i < r; ++i) {
        moments[i] = softmax_moments_fold{}(moments[i], pass.moments(tile.row(i)));
        index_t const target = a_.targets.at(r0 + i), column = target - c0;
        if (target != o_.ignore_index && column >= 0 && column < tile.cols()) rows_[0][i] = tile(i, column);
      }
    }
  }

  void gradients_of(index_t part, index_t r0, view<T, 2> h) const {
    index_t const r = h.rows(), first = first_of(part), last = first_of(part + 1);
    view<T, 2> const grad_h = partial_used()               ? view<T, 2>(partial_ + part * chunk_ * d_, r, d_)
                              : a_.out.grad_hidden.given() ? a_.out.grad_hidden.row_block(r0, r)
                                                           : view<T, 2>{};
    for (index_t c0 = first; c0 < last; c0 += tile_) {
      index_t const c = std::min(tile_, last - c0);
      view<T, 2> const tile = tile_of(part, r, c0, c);
      row_passes const pass = row_pass(c0, c);
      if (!keep_) fill(tile, h, c0);
      for (index_t i = 0; i < r; ++i) {
        index_t const column = a_.targets.at(r0 + i) - c0;
        pass.slopes(tile.row(i), !keep_, rows_[1][i], rows_[2][i], rows_[3][i]);
        if (rows_[3][i] != T(0) && column >= 0 && column < c)
          tile(i, column) = rows_[3][i] * rows_[4][i] * pass.shaping.template slope<T>(rows_[0][i]);
      }
      if (grad_h.given())
        Backend::template product<T>(transpose::no, transpose::no, T(1), tile, a_.weight.row_block(c0, c),
                                     c0 == first ? T(0) : T(1), grad_h);
      if (a_.out.grad_weight.given())
        Backend::template product<T>(transpose::yes, transpose::no, T(1), tile, h, r0 == 0 ? T(0) : T(1),
                                     a_.out.grad_weight.row_block(c0, c));
      if (a_.out.grad_bias.given())
        for (index_t i = 0; i < r; ++i) {
          T const* const row = &tile(i, 0);
          for (index_t j = 0; j < c; ++j) sums_(c0 + j) += static_cast<accumulator>(row[j]);
        }
    }
    if (first == last && grad_h.given())
      for (index_t i = 0; i < r; ++i) std::fill_n(&grad_h(i, 0), d_, T(0));
  }

  /// grad_hidden of a chunk: the parts in order.
  void add_partials(index_t r0, index_t r) const {
    for (index_t i = 0; i < r; ++i) {
      T* const to = &a_.out.grad_hidden(r0 + i, 0);
      std::copy_n(partial_ + i * d_, d_, to);
      for (index_t part = 1; part < parts_; ++part) {
        T const* const from = partial_ + (part * chunk_ + i) * d_;
        for (index_t j = 0; j < d_; ++j) to[j] += from[j];
      }
    }
  }

  Backend& be_;
  fused_linear_args<T, S> const& a_;
  fused_linear_options const& o_;
  index_t n_, d_, v_, chunk_, parts_ = 1, range_ = 0, tile_ = 1;
  bool keep_ = false;
  T* logits_ = nullptr;
  softmax_moments* moments_ = nullptr;
  T* rows_[5] = {};  // of a chunk: target logits, largest, log_sum, scale, target slack
  T* partial_ = nullptr;
  view<accumulator, 1> sums_{};
};

}  // namespace causaldpo::detail

namespace causaldpo {

template <detail::parallel_host_backend B, real_scalar T>
void override_for(op::fused_linear_logps, B& be, fused_linear_args<T, host_space> const& args,
                  fused_linear_options const& options) {
  detail::host_linear_head<B, T>(be, args, options).run();
}

}  // namespace causaldpo
