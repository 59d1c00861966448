// SPDX-License-Identifier: Apache-2.0
// The three reductions. Terms are joined in an order that depends on the extents alone: no atomics, the same bits every
// time. CUB's device-wide reductions ask for a commutative fold, which the backend concept does not promise, and their
// headers cost twelve seconds of compilation in every file; these are what is used in their place.
#pragma once

#include "causaldpo/backends/cuda/launch.cuh"

namespace causaldpo::detail {

/// Fold of map(j) over the `segment`-th of `segments` equal parts of [0, n), cut again among a block's threads: each has
/// neighbouring terms, so that joining the threads in order joins the terms in order.
struct fold_range {
  index_t n, segments, segment;
  int threads;
  CAUSALDPO_HD index_t first(int t) const {
    index_t const size = (n + segments - 1) / segments, part = (size + threads - 1) / threads, begin = segment * size + t * part;
    return begin < end_of_segment(size) ? begin : end_of_segment(size);
  }
  CAUSALDPO_HD index_t last(int t) const {
    index_t const size = (n + segments - 1) / segments, part = (size + threads - 1) / threads, end = segment * size + (t + 1) * part;
    return end < end_of_segment(size) ? end : end_of_segment(size);
  }

 private:
  CAUSALDPO_HD index_t end_of_segment(index_t size) const {
    index_t const end = (segment + 1) * size;
    return end < n ? end : n;
  }
};

/// out[row * segments + segment] = fold of a segment of a row of map(i, j), by a whole block.
template <class Map, class Fold, class U>
struct fold_rows_kernel {
  static constexpr int threads = 256;
  using carried = typename Fold::value_type;
  struct shared {
    carried values[threads];
  };
  Map map;
  Fold fold;
  U* out;
  index_t rows, cols, segments, blocks;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    for (index_t part = block.index; part < rows * segments; part += blocks) {
      index_t const i = part / segments;
      fold_range const range{cols, segments, part % segments, threads};
      block.each([&](int t) {
        carried sum = Fold::identity();
        for (index_t j = range.first(t); j < range.last(t); ++j) sum = fold(sum, static_cast<carried>(map(i, j)));
        s.values[t] = sum;
      });
      fold_threads<threads>(block, s.values, fold);
      block.each([&](int t) {
        if (t == 0) out[part] = static_cast<U>(s.values[0]);
      });
    }
  }
};

/// f(i): out[i] = fold of map(i, j) over j, by one thread.
template <class Map, class Fold, class U>
struct fold_row {
  Map map;
  Fold fold;
  U* out;
  index_t cols;
  CAUSALDPO_HD void operator()(index_t i) const {
    using carried = typename Fold::value_type;
    carried sum = Fold::identity();
    for (index_t j = 0; j < cols; ++j) sum = fold(sum, static_cast<carried>(map(i, j)));
    out[i] = static_cast<U>(sum);
  }
};

/// Partial results as a map, to be folded once more.
template <class V>
struct partial_rows {
  V const* values;
  index_t cols;
  CAUSALDPO_HD V operator()(index_t i, index_t j) const { return values[i * cols + j]; }
};
template <class V>
struct partial_cols {
  V const* values;
  index_t cols;
  CAUSALDPO_HD V operator()(index_t j, index_t segment) const { return values[segment * cols + j]; }
};

/// out[segment * cols + j] = fold of map(i, j) over a segment of the rows; 2^log_wide columns to a block, the other
/// threads share its rows.
template <class Map, class Fold, class U>
struct fold_cols_kernel {
  static constexpr int threads = 256;
  using carried = typename Fold::value_type;
  struct shared {
    carried values[threads];
  };
  Map map;
  Fold fold;
  U* out;
  index_t rows, cols, segments, across, blocks;
  int log_wide;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    int const wide = 1 << log_wide, tall = threads >> log_wide;
    for (index_t part = block.index; part < across * segments; part += blocks) {
      fold_range const range{rows, segments, part / across, tall};
      index_t const left = part % across * wide;
      block.each([&](int t) {
        carried sum = Fold::identity();
        index_t const j = left + (t & (wide - 1));
        int const share = t >> log_wide;
        if (j < cols)
          for (index_t i = range.first(share); i < range.last(share); ++i) sum = fold(sum, static_cast<carried>(map(i, j)));
        s.values[t] = sum;
      });
      for (int step = 1; step < tall; step *= 2)
        block.each([&](int t) {
          if ((t >> log_wide) % (2 * step) == 0) s.values[t] = fold(s.values[t], s.values[t + step * wide]);
        });
      block.each([&](int t) {
        if (t < wide && left + t < cols) out[part / across * cols + left + t] = static_cast<U>(s.values[t]);
      });
    }
  }
};

/// map(0, i) of a one-dimensional map.
template <class Map>
struct as_one_row {
  Map map;
  CAUSALDPO_HD auto operator()(index_t, index_t i) const { return map(i); }
};

/// How a reduction is cut: into segments of at least `least` terms, so that `lines` of them fill a device.
constexpr index_t segments_for(index_t terms, index_t least, index_t lines) {
  index_t const wanted = parts_of(1024, lines < 1 ? 1 : lines), possible = parts_of(terms, least);
  index_t const segments = wanted < possible ? wanted : possible;
  return segments < 1 ? 1 : segments;
}

template <class Backend, class Map, class Fold, class U>
void cuda_reduce_rows(Backend& be, index_t rows, index_t cols, Map const& map, Fold const& fold, U* out) {
  using carried = typename Fold::value_type;
  if (rows <= 0) return;
  if (cols <= 64 && (cols <= 16 || rows >= 4096)) return cuda_launch(be.stream(), rows, fold_row<Map, Fold, U>{map, fold, out, cols});
  index_t const segments = segments_for(cols, 4096, rows), blocks = blocks_for(rows * segments);
  if (segments == 1)
    return launch_blocks(be.stream(), blocks, fold_rows_kernel<Map, Fold, U>{map, fold, out, rows, cols, segments, blocks});
  auto const partial = be.template allocate<carried>(rows * segments);
  launch_blocks(be.stream(), blocks, fold_rows_kernel<Map, Fold, carried>{map, fold, partial.data(), rows, cols, segments, blocks});
  partial_rows<carried> const again{partial.data(), segments};
  launch_blocks(be.stream(), blocks_for(rows),
                fold_rows_kernel<partial_rows<carried>, Fold, U>{again, fold, out, rows, segments, 1, blocks_for(rows)});
}

template <class Backend, class Map, class Fold, class U>
void cuda_reduce_cols(Backend& be, index_t rows, index_t cols, Map const& map, Fold const& fold, U* out) {
  using carried = typename Fold::value_type;
  if (cols <= 0) return;
  int const log_wide = log_width(cols, 5);
  index_t const across = parts_of(cols, index_t{1} << log_wide), segments = segments_for(rows, 1024, across);
  index_t const blocks = blocks_for(across * segments);
  if (segments == 1)
    return launch_blocks(be.stream(), blocks, fold_cols_kernel<Map, Fold, U>{map, fold, out, rows, cols, 1, across, blocks, log_wide});
  auto const partial = be.template allocate<carried>(cols * segments);
  launch_blocks(be.stream(), blocks,
                fold_cols_kernel<Map, Fold, carried>{map, fold, partial.data(), rows, cols, segments, across, blocks, log_wide});
  cuda_launch(be.stream(), cols,
              fold_row<partial_cols<carried>, Fold, U>{{partial.data(), cols}, fold, out, segments});
}

}  // namespace causaldpo::detail
