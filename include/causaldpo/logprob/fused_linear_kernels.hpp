// SPDX-License-Identifier: Apache-2.0
// The functors of fused_linear_logps: what happens to a tile of logits [R,C] between the matrix products.
#pragma once

#include "causaldpo/core/half.hpp"
#include "causaldpo/core/indices.hpp"
#include "causaldpo/core/lane.hpp"
#include "causaldpo/logprob/logit_shaping.hpp"
#include "causaldpo/logprob/softmax_moments.hpp"

namespace causaldpo::detail {

/// A target that has a log-probability: not ignored, and in range.
CAUSALDPO_HD constexpr bool is_counted(index_t target, index_t ignore_index, index_t vocabulary) {
  return target != ignore_index && target >= 0 && target < vocabulary;
}

/// (i, lane over j): a block of hidden into dense scratch, 0 where the row is not used, so that what it holds cannot
/// reach a product. Notes NaN in slot 0.
template <class T, class S>
struct gather_hidden {
  using lane_scalar = T;
  view<T const, 2, S> hidden;
  index_view<S> targets;
  index_t first_row, ignore_index, vocabulary;
  bool all_rows;
  nan_watch watch;
  view<T, 2, S> out;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    using V = typename L::value;
    index_t const row = first_row + i;
    bool const used = all_rows || is_counted(targets.at(row), ignore_index, vocabulary);
    V const x = used ? lane.load_row(hidden, row) : L::broadcast(T(0));
    lane.note(watch, 0, math::is_nan<V>(x), 1, row * hidden.cols());
    lane.store_row(out, i, x);
  }
};

/// (i, j): the same for hidden states in a half type, as they are and in float; either may be left out.
template <half_scalar X, class S>
struct gather_half_hidden {
  view<X const, 2, S> hidden;
  index_view<S> targets;
  index_t first_row, ignore_index, vocabulary;
  bool all_rows;
  nan_watch watch;
  view<X, 2, S> as_they_are;
  view<float, 2, S> widened;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const {
    index_t const row = first_row + i;
    bool const used = all_rows || is_counted(targets.at(row), ignore_index, vocabulary);
    X const x = used ? hidden.at(row, j) : X::of_bits(0);
    watch.checked(static_cast<float>(x), 0, row * hidden.cols() + j);
    if (as_they_are.given()) as_they_are.at(i, j) = x;
    if (widened.given()) widened.at(i, j) = x;
  }
};

/// (i, j): an element of a half type as a float.
template <half_scalar X, class S>
struct widen {
  view<X const, 2, S> from;
  view<float, 2, S> to;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const { to.at(i, j) = from.at(i, j); }
};

/// (i, lane over j): products h w' of a tile into shaped logits. Notes NaN of the bias in slot 2, and in `raised`
/// that some logit is not a number.
template <class T, class S>
struct shape_logits {
  using lane_scalar = T;
  view<T const, 1, S> bias;  // of this tile's columns, optional
  index_t first_column;
  logit_shaping<T> shaping;
  nan_watch watch;
  int raised;
  view<T, 2, S> tile;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    using V = typename L::value;
    V z = lane.load_row(tile, i);
    if (bias.given()) {
      V const b = lane.load(bias);
      lane.note(watch, 2, math::is_nan<V>(b), 1, first_column);
      z = z + b;
    }
    lane.note(watch, raised, math::is_nan<V>(z));
    lane.store_row(tile, i, shaping.shaped(z));
  }
};

/// map(i, j) = the moments of one logit.
template <class T, class S>
struct logit_moments_map {
  view<T const, 2, S> tile;
  CAUSALDPO_HD softmax_moments operator()(index_t i, index_t j) const {
    return softmax_moments(static_cast<accumulator>(tile.at(i, j)));
  }
};

/// One row: merges the moments of a tile into those of the row (the first tile begins them), and keeps the target's
/// logit if the tile has it.
template <class T, class S>
struct merge_tile {
  view<T const, 2, S> tile;
  view<softmax_moments const, 1, S> tile_moments;
  index_view<S> targets;
  index_t first_row, first_column, ignore_index;
  view<softmax_moments, 1, S> moments;
  view<T, 1, S> target_logits;
  CAUSALDPO_HD void operator()(index_t i) const {
    if (first_column == 0)
      moments.at(i) = tile_moments.at(i);
    else
      moments.at(i) = softmax_moments_fold{}(moments.at(i), tile_moments.at(i));
    index_t const target = targets.at(first_row + i), column = target - first_column;
    if (target != ignore_index && column >= 0 && column < tile.cols()) target_logits.at(i) = tile.at(i, column);
  }
};

/// One row: writes its results, and what its gradients need. Notes NaN of upstream in slot 3, bad targets in slot 4.
template <class T, class S>
struct finish_row {
  view<softmax_moments const, 1, S> moments;
  view<T const, 1, S> target_logits;
  index_view<S> targets;
  view<T const, 1, S> upstream;  // optional, 1
  index_t first_row, ignore_index, vocabulary;
  nan_watch watch;
  view<T, 1, S> logps, lse, entropy, log_sum_p2;  // each optional, of all rows
  view<T, 1, S> largest, log_sum, scale, target_slack;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const row = first_row + i;
    softmax_moments const m = moments.at(i);
    index_t const target = targets.at(row);
    bool const counted = is_counted(target, ignore_index, vocabulary);
    if (!counted && target != ignore_index) watch.note(4, row);
    accumulator const logp = counted ? m.log_probability(static_cast<accumulator>(target_logits.at(i))) : 0;
    if (logps.given()) logps.at(row) = static_cast<T>(logp);
    if (lse.given()) lse.at(row) = static_cast<T>(m.log_sum_exp());
    if (entropy.given()) entropy.at(row) = static_cast<T>(m.entropy());
    if (log_sum_p2.given()) log_sum_p2.at(row) = static_cast<T>(m.log_sum_p2());
    bool const possible = counted && logp > -math::infinity<accumulator>();
    T const up = counted && upstream.given() ? watch.checked(upstream.at(row), 3, row) : T(1);
    largest.at(i) = static_cast<T>(m.largest);
    log_sum.at(i) = static_cast<T>(m.log_sum());
    scale.at(i) = possible ? up : T(0);
    target_slack.at(i) = possible ? static_cast<T>(-math::expm1(logp)) : T(0);  // 1 - p of the target, without cancellation
  }
};

/// (i, lane over j): a tile of shaped logits y becomes d/dz of sum(upstream logp) without the target's own term:
/// -up_i p_ij dy/dz.
template <class T, class S>
struct softmax_slopes {
  using lane_scalar = T;
  view<T const, 1, S> largest, log_sum, scale;
  logit_shaping<T> shaping;
  view<T, 2, S> tile;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    using V = typename L::value;
    V const y = lane.load_row(tile, i), zero = L::broadcast(T(0)), m = L::broadcast(largest.at(i));
    V const below = math::select<V>(y >= m, zero, y - m);
    V const p = math::select<V>(y > L::broadcast(-math::infinity<T>()), math::exp<V>(below - L::broadcast(log_sum.at(i))), zero);
    V const slope = shaping.template slope<V>(y);
    lane.store_row(tile, i, math::select<V>(p > zero, -L::broadcast(scale.at(i)) * p * slope, zero));
  }
};

/// One row: the target's entry, up_i (1 - p) dy/dz.
template <class T, class S>
struct target_slopes {
  view<T const, 1, S> target_logits, scale, target_slack;
  index_view<S> targets;
  index_t first_row, first_column;
  logit_shaping<T> shaping;
  view<T, 2, S> tile;
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const column = targets.at(first_row + i) - first_column;
    if (scale.at(i) == T(0) || column < 0 || column >= tile.cols()) return;
    tile.at(i, column) = scale.at(i) * target_slack.at(i) * shaping.template slope<T>(target_logits.at(i));
  }
};

/// map(i, j) = an element in double.
template <class T, class S>
struct tile_map {
  view<T const, 2, S> tile;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t j) const { return static_cast<accumulator>(tile.at(i, j)); }
};

/// One column: adds the sum of a tile's column to the gradient of the bias, or begins it.
template <class T, class S>
struct add_bias_gradient {
  view<accumulator const, 1, S> sums;
  bool begin;
  view<T, 1, S> grad;
  CAUSALDPO_HD void operator()(index_t j) const {
    grad.at(j) = static_cast<T>(sums.at(j) + (begin ? 0 : static_cast<accumulator>(grad.at(j))));
  }
};

/// (i, j): 0.
template <class T, class S>
struct zero_cell {
  view<T, 2, S> out;
  CAUSALDPO_HD void operator()(index_t i, index_t j) const { out.at(i, j) = T(0); }
};
template <class T, class S>
struct zero_element {
  view<T, 1, S> out;
  CAUSALDPO_HD void operator()(index_t i) const { out.at(i) = T(0); }
};

/// One row of weight: if a logit was not a number, looks for the NaN that made it, and notes it in slot 1.
template <class X, class S>
struct blame_weight {
  view<X const, 2, S> weight;
  nan_watch watch;
  int raised;
  CAUSALDPO_HD void operator()(index_t v) const {
    if (watch.first[raised] == nan_watch::clear) return;
    for (index_t d = 0; d < weight.cols(); ++d)
      watch.checked(static_cast<computed_in<X>>(weight.at(v, d)), 1, v * weight.cols() + d);
  }
};
/// One work item: clears `raised`, which no input stands for: a device keeps its slots from call to call.
struct forget_raised {
  nan_watch watch;
  int raised;
  CAUSALDPO_HD void operator()(index_t) const { watch.first[raised] = nan_watch::clear; }
};
/// After the tiles: names the NaN of the weight behind a logit that is not a number.
template <class B, class X, class S>
void blame_weight_rows(B& be, view<X const, 2, S> weight, nan_watch watch, int raised) {
  be.launch(weight.rows(), blame_weight<X, S>{weight, watch, raised});
  be.launch(1, forget_raised{watch, raised});
}

}  // namespace causaldpo::detail
