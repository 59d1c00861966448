// SPDX-License-Identifier: Apache-2.0
// What the linear head does with a tile of products [R,C] between two calls of cuBLAS: one kernel reads it once and carries
// the online log-sum-exp of its rows on, one turns it in place into slopes.
#pragma once

#include "causaldpo/backends/cuda/block.cuh"
#include "causaldpo/backends/cuda/device_space.hpp"
#include "causaldpo/core/indices.hpp"
#include "causaldpo/core/watch.hpp"
#include "causaldpo/logprob/logit_shaping.hpp"
#include "causaldpo/logprob/softmax_moments.hpp"

namespace causaldpo::detail {

/// The moments of the logits that one thread has met: one exponential in T for each of them, totals in double. Without
/// Statistics only what the log-sum-exp needs is kept.
template <class T, bool Statistics>
class running_moments {
 public:
  CAUSALDPO_HD void add(T y) {
    if (!(y > -math::infinity<T>())) return;  // weighs nothing; nor does what is not a number
    if (!(largest_ > -math::infinity<T>())) {
      largest_ = y;
      return;
    }
    bool const above = y > largest_;
    T const below = above ? largest_ - y : (y < largest_ ? y - largest_ : T(0));
    auto const e = static_cast<accumulator>(math::exp<T>(below)), distance = static_cast<accumulator>(below);
    if (above) {
      bool const remains = e > 0;  // 0 times an infinite distance is not a number
      if constexpr (Statistics) {
        weighted_ = remains ? e * (weighted_ + distance * (1 + rest_)) : 0;
        squares_ = e * e * (1 + squares_);
      }
      rest_ = remains ? e * (1 + rest_) : 0;
      largest_ = y;
    } else if (e > 0) {
      rest_ += e;
      if constexpr (Statistics) weighted_ += e * distance, squares_ += e * e;
    }
  }
  CAUSALDPO_HD softmax_moments moments() const {
    softmax_moments m(static_cast<accumulator>(largest_));
    m.rest = rest_, m.weighted = weighted_, m.squares = squares_;
    return m;
  }

 private:
  T largest_ = -math::infinity<T>();
  accumulator rest_ = 0, weighted_ = 0, squares_ = 0;
};

/// A tile of products, and how they become logits. Both kernels shape; so nobody writes shaped logits.
template <class T>
struct product_tile {
  view<T, 2, device_space> products;
  view<T const, 1, device_space> bias;  // of the tile's columns, optional
  logit_shaping<T> shaping;

  CAUSALDPO_HD T logit(index_t i, index_t j) const { return products.at(i, j) + (bias.given() ? bias.at(j) : T(0)); }
  CAUSALDPO_HD T shaped(T z) const {
    return shaping.cap == T(0) && shaping.temperature == T(1) ? z : shaping.template shaped<T>(z);
  }
};

/// How rows of a tile are cut among blocks: one row to a block, or a part of it where rows alone would not fill a device.
/// `segments` parts of `width` columns; part p is segment p % segments of row p / segments.
struct row_cut {
  index_t rows, segments, width, blocks;

  static index_t segments_of(index_t rows, index_t cols) {
    index_t const wanted = parts_of(1024, rows), possible = parts_of(cols, 2048);
    return wanted < possible ? wanted : possible;
  }
  static row_cut of(index_t rows, index_t cols, index_t segments) {
    return {rows, segments, parts_of(cols, segments), blocks_for(rows * segments)};
  }
  CAUSALDPO_HD index_t parts() const { return rows * segments; }
  CAUSALDPO_HD index_t first(index_t part) const { return part % segments * width; }
  CAUSALDPO_HD index_t last(index_t part, index_t cols) const {
    index_t const end = first(part) + width;
    return end < cols ? end : cols;
  }
};

/// Merges a tile into the moments of its rows (the first tile begins them), one for each part of a row, and keeps the
/// target's logit where the tile has it. Notes NaN of the bias in slot 2, and in `raised` that a logit is not a number.
template <class T, bool Statistics>
struct online_softmax_kernel {
  static constexpr int threads = 256;
  struct shared {
    softmax_moments values[threads];
  };
  product_tile<T> tile;
  row_cut cut;
  index_view<device_space> targets;
  index_t first_row, first_column, ignore_index;
  nan_watch watch;
  int raised;
  softmax_moments* moments;  // of each part
  T* target_logits;          // of each row

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    for (index_t part = block.index; part < cut.parts(); part += cut.blocks) {
      index_t const i = part / cut.segments, first = cut.first(part), last = cut.last(part, tile.products.cols());
      block.each([&](int t) {
        index_t const target = targets.at(first_row + i), column = target == ignore_index ? -1 : target - first_column;
        running_moments<T, Statistics> mine;
        for (index_t j = first + t; j < last; j += threads) {
          T const z = tile.logit(i, j), y = tile.shaped(z);
          if (math::is_nan(z)) blame(j);
          if (j == column) target_logits[i] = y;
          mine.add(y);
        }
        s.values[t] = mine.moments();
      });
      for (int step = threads / 2; step > 0; step /= 2)
        block.each([&](int t) {
          if (t < step) s.values[t] = softmax_moments_fold{}(s.values[t], s.values[t + step]);
        });
      block.each([&](int t) {
        if (t == 0) moments[part] = first_column == 0 ? s.values[0] : softmax_moments_fold{}(moments[part], s.values[0]);
      });
    }
  }
  CAUSALDPO_HD void blame(index_t j) const {
    watch.note(raised, j);
    if (tile.bias.given()) watch.checked(tile.bias.at(j), 2, first_column + j);
  }
};

/// f(i): joins the parts of a row.
struct join_row_parts {
  softmax_moments const* parts;
  index_t segments;
  softmax_moments* joined;
  CAUSALDPO_HD void operator()(index_t i) const {
    softmax_moments sum = parts[i * segments];
    for (index_t s = 1; s < segments; ++s) sum = softmax_moments_fold{}(sum, parts[i * segments + s]);
    joined[i] = sum;
  }
};

/// Products become d/dz of sum(upstream logp) in place: upstream_i ([j = target_i] - p_ij) dy/dz. A row without a
/// gradient is 0 and is not read.
template <class T>
struct linear_slopes_kernel {
  static constexpr int threads = 256;
  struct shared {};
  product_tile<T> tile;
  row_cut cut;
  index_view<device_space> targets;
  index_t first_row, first_column;
  view<T const, 1, device_space> target_logits, largest, log_sum, scale, target_slack;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared&) const {
    for (index_t part = block.index; part < cut.parts(); part += cut.blocks) {
      index_t const i = part / cut.segments, first = cut.first(part), last = cut.last(part, tile.products.cols());
      block.each([&](int t) {
        T const up = scale.at(i), m = largest.at(i), norm = log_sum.at(i);
        index_t const column = targets.at(first_row + i) - first_column;
        for (index_t j = first + t; j < last; j += threads) {
          T out = T(0);
          if (up != T(0)) out = j == column ? at_target(i, up) : elsewhere(tile.shaped(tile.logit(i, j)), m, norm, up);
          tile.products.at(i, j) = out;
        }
      });
    }
  }
  CAUSALDPO_HD T at_target(index_t i, T up) const {
    return up * target_slack.at(i) * tile.shaping.template slope<T>(target_logits.at(i));
  }
  CAUSALDPO_HD T elsewhere(T y, T m, T norm, T up) const {
    if (!(y > -math::infinity<T>())) return T(0);
    T const p = math::exp<T>((y >= m ? T(0) : y - m) - norm);
    return p > T(0) ? -up * p * tile.shaping.template slope<T>(y) : T(0);
  }
};

}  // namespace causaldpo::detail
