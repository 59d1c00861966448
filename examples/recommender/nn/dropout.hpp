// SPDX-License-Identifier: Apache-2.0
// Inverted dropout whose mask is a function of (seed, step, element): nothing is stored, and the way back draws the same mask
// again. Source: Srivastava et al., JMLR 15 (2014), section 4.
#pragma once

#include "causaldpo/core/philox.hpp"
#include "nn/types.hpp"

namespace recommender {

/// Which mask. rate 0 means no dropout; otherwise each element is 0 with probability `rate`, else divided by 1 - rate.
struct dropout_draw {
  double rate = 0;
  causaldpo::random_stream stream{};
  std::uint64_t step = 0;  ///< below 2^32
};

/// f(b): elements 4 b .. 4 b + 3 (row-major, rows of x dense or not), from one Philox block.
template <class T, class S>
struct dropout_kernel {
  causaldpo::view<T, 2, S> x;
  causaldpo::random_stream stream;
  std::uint64_t step;
  std::uint32_t threshold;  ///< dropped where the random word is below
  T scale;
  CAUSALDPO_HD void operator()(index_t b) const {
    auto const block = stream.block((step << 32) | static_cast<std::uint64_t>(b));
    for (index_t w = 0; w < 4; ++w) {
      index_t const e = 4 * b + w;
      if (e >= x.rows() * x.cols()) return;
      T& value = x.at(e / x.cols(), e % x.cols());
      value = block.word[w] < threshold ? T(0) : value * scale;
    }
  }
};

/// Applies the mask to x in place; the same call on a gradient is the way back.
template <causaldpo::real_scalar T, causaldpo::backend B>
void apply_dropout(B& be, dropout_draw const& draw, out_matrix<T, B> x) {
  if (draw.rate <= 0) return;
  auto const threshold = static_cast<std::uint32_t>(draw.rate * 4294967296.0);
  be.launch((x.rows() * x.cols() + 3) / 4,
            dropout_kernel<T, typename B::space>{x, draw.stream, draw.step, threshold, static_cast<T>(1 / (1 - draw.rate))});
}

}  // namespace recommender
