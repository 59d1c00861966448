// SPDX-License-Identifier: Apache-2.0
// Setting a vector to one value.
#pragma once

#include "nn/types.hpp"

namespace recommender {

/// f(lane): x = value.
template <class T, class S>
struct fill_kernel {
  using lane_scalar = T;
  causaldpo::view<T, 1, S> x;
  T value;
  template <class L>
  CAUSALDPO_HD void operator()(L const& lane) const {
    lane.store(x, L::broadcast(value));
  }
};

template <causaldpo::real_scalar T, causaldpo::backend B>
void fill(B& be, out_vector<T, B> x, T value) {
  be.launch(x.size(), fill_kernel<T, typename B::space>{x, value});
}

}  // namespace recommender
