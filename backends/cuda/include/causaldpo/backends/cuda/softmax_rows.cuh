// SPDX-License-Identifier: Apache-2.0
// softmax_rows on the device. The generic body gives a row to a thread, so that neighbouring threads read far apart, and
// reads a row three times. Here a group of threads has a row and neighbouring columns: up to 2048 columns a row is read
// once, kept in the block's memory while it is summed, and written once; a longer one is read again where it is needed.
#pragma once

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/backends/cuda/launch.cuh"

namespace causaldpo::detail {

/// A block has threads / 2^log_wide rows at a time.
template <class T, class S>
struct softmax_rows_kernel {
  static constexpr int threads = 256, kept = 8;  // entries that a thread keeps
  struct shared {
    T weights[threads * kept], upstream[threads * kept];
    T largest[threads];
    accumulator sums[threads], means[threads];
  };
  softmax_rows_args<T, S> a;
  softmax_rows_options options;
  index_t parts, blocks;
  int log_wide;

  CAUSALDPO_HD int wide() const { return 1 << log_wide; }
  /// Whether a thread has room for its entries of a row.
  CAUSALDPO_HD bool keeps() const { return a.scores.cols() <= index_t{kept} * wide(); }

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    typename Block::template own<place> at;
    for (index_t part = block.index; part < parts; part += blocks) {
      block.each([&](int t) {
        at[t] = place_of(part, t);
        s.largest[t] = read(at[t], t, s);
      });
      if (!options.probabilities) {
        fold_groups(block, s.largest, max_fold<T>{});
        block.each([&](int t) { s.sums[t] = sum_weights(at[t], t, s); });
        fold_groups(block, s.sums, sum_fold<>{});
      }
      block.each([&](int t) { s.means[t] = write_shares(at[t], t, s); });
      if (!a.out.grad_scores.given()) continue;
      fold_groups(block, s.means, sum_fold<>{});
      block.each([&](int t) { write_slopes(at[t], t, s); });
    }
  }

 private:
  /// Thread t's row, how many of its columns count, and how many there are: none beyond the last row.
  struct place {
    index_t r, used, cols;
  };
  CAUSALDPO_HD place place_of(index_t part, int t) const {
    index_t const r = part * (threads >> log_wide) + (t >> log_wide);
    if (r >= a.scores.rows()) return {r, 0, 0};
    return {r, a.used(r, options.causal_period), a.scores.cols()};
  }
  CAUSALDPO_HD int column(int t) const { return t & (wide() - 1); }
  CAUSALDPO_HD int leader(int t) const { return t & ~(wide() - 1); }
  /// Where thread t keeps its entry of column j: neighbouring threads in neighbouring places.
  CAUSALDPO_HD int slot(int t, index_t j) const { return static_cast<int>(j >> log_wide) * threads + t; }

  /// s of each group's first thread = fold of the group.
  template <class Block, class V, class Fold>
  CAUSALDPO_HD void fold_groups(Block const& block, V* s, Fold const& fold) const {
    for (int step = 1; step < wide(); step *= 2)
      block.each([&](int t) {
        if (column(t) % (2 * step) == 0) s[t] = fold(s[t], s[t + step]);
      });
  }

  /// The largest score; keeps the scores.
  CAUSALDPO_HD T read(place const& p, int t, shared& s) const {
    T largest = -math::infinity<T>();
    for (index_t j = column(t); j < p.used; j += wide()) {
      T const x = a.watch.checked(a.scores.at(p.r, j), 0, p.r * p.cols + j);
      if (keeps()) s.weights[slot(t, j)] = x;
      largest = math::max<T>(x, largest);
    }
    return largest;
  }
  /// The sum of the weights; keeps them in place of the scores.
  CAUSALDPO_HD accumulator sum_weights(place const& p, int t, shared& s) const {
    accumulator sum = 0;
    for (index_t j = column(t); j < p.used; j += wide()) {
      T const x = keeps() ? s.weights[slot(t, j)] : a.scores.at(p.r, j), w = softmax_weight<T>(x, s.largest[leader(t)]);
      if (keeps()) s.weights[slot(t, j)] = w;
      sum += static_cast<accumulator>(w);
    }
    return sum;
  }
  /// The probability of column j. `written`: whether p has it already, where p was asked for.
  CAUSALDPO_HD T probability(place const& p, int t, index_t j, shared const& s, bool written) const {
    if (options.probabilities || (keeps() && written)) return keeps() ? s.weights[slot(t, j)] : a.scores.at(p.r, j);
    if (written && a.out.p.given()) return a.out.p.at(p.r, j);
    T const w = keeps() ? s.weights[slot(t, j)] : softmax_weight<T>(a.scores.at(p.r, j), s.largest[leader(t)]);
    return softmax_share<T>(w, static_cast<T>(s.sums[leader(t)]));
  }
  /// The probabilities, and the thread's part of their mean of upstream; keeps both.
  CAUSALDPO_HD accumulator write_shares(place const& p, int t, shared& s) const {
    accumulator mean = 0;
    for (index_t j = column(t); j < p.cols; j += wide()) {
      T const share = j < p.used ? probability(p, t, j, s, false) : T(0);
      if (a.out.p.given()) a.out.p.at(p.r, j) = share;
      if (!a.out.grad_scores.given() || j >= p.used) continue;
      T const u = a.watch.checked(a.upstream.at(p.r, j), 1, p.r * p.cols + j);
      if (share != T(0)) mean += static_cast<accumulator>(share) * static_cast<accumulator>(u);
      if (keeps()) s.weights[slot(t, j)] = share, s.upstream[slot(t, j)] = u;
    }
    return mean;
  }
  CAUSALDPO_HD void write_slopes(place const& p, int t, shared& s) const {
    T const mean = static_cast<T>(s.means[leader(t)]);
    for (index_t j = column(t); j < p.cols; j += wide()) {
      T slope = 0;
      if (j < p.used)
        slope = softmax_slope<T>(probability(p, t, j, s, true), keeps() ? s.upstream[slot(t, j)] : a.upstream.at(p.r, j), mean);
      a.out.grad_scores.at(p.r, j) = slope;
    }
  }
};

}  // namespace causaldpo::detail

namespace causaldpo {

template <real_scalar T>
void override_for(op::softmax_rows, cuda_backend& be, detail::softmax_rows_args<T, device_space> const& a,
                  softmax_rows_options const& options) {
  using kernel = detail::softmax_rows_kernel<T, device_space>;
  index_t const rows = a.scores.rows(), cols = a.scores.cols();
  if (rows <= 0 || cols <= 0) return op::softmax_rows::generic(be, a, options);  // only lengths can be wrong
  // About four columns to a thread.
  int const log_wide = detail::log_width((cols + 3) / 4, 8);
  index_t const parts = detail::parts_of(rows, kernel::threads >> log_wide), blocks = detail::blocks_for(parts);
  detail::launch_blocks(be.stream(), blocks, kernel{a, options, parts, blocks, log_wide});
}

}  // namespace causaldpo
