// SPDX-License-Identifier: Apache-2.0
// Losses of all rejected items of an example at once.
#pragma once

#include "causaldpo/preference/losses_concepts.hpp"

namespace causaldpo::loss {

/// S-DPO: log(1 + sum_j w_j exp(-z_j)), slope -p_j with p_j = w_j exp(-z_j - value); w = 1 without pair weights.
/// Chen et al., arXiv 2406.09215, eq. 11.
///
/// It is sp(t) with t = log sum_j w_j exp(-z_j), and p_j = s(t) softmax_j(log w_j + beta b_j). The softmax over the
/// rejected parts alone stays right where the chosen item's part is -inf or huge; t is formed from the margin of the
/// largest entry, so that with one rejected item the loss is that of `sigmoid` to the bit.
struct sdpo {
  static constexpr char const* name() { return "sdpo"; }

  template <class V>
  struct state {
    V largest;  // of log w_j + rejected_j, over the entries so far
    V sum;      // of exp(log w_j + rejected_j - largest)
    V top;      // log w_j - z_j of the largest
    V lost;     // after finish: s(t)
  };
  template <class V>
  CAUSALDPO_HD state<V> begin() const {
    V const zero = math::broadcast<V>(0), low = math::broadcast<V>(-math::infinity<math::scalar_t<V>>());
    return {low, zero, low, zero};
  }
  template <class V>
  CAUSALDPO_HD void absorb(state<V>& s, list_entry<V> const& e, math::mask_t<V> const& valid) const {
    V const zero = math::broadcast<V>(0), one = math::broadcast<V>(1);
    V const key = e.log_weight + e.rejected;
    math::mask_t<V> const larger = math::both<V>(valid, key > s.largest);
    V const ratio = math::exp<V>(math::select<V>(key == s.largest, zero, -math::abs<V>(key - s.largest)));
    V const sum = math::select<V>(larger, s.sum * ratio + one, s.sum + ratio);
    s.sum = math::select<V>(valid, sum, s.sum);
    s.top = math::select<V>(larger, e.log_weight - e.margin, s.top);
    s.largest = math::select<V>(larger, key, s.largest);
  }
  template <class V>
  CAUSALDPO_HD V finish(state<V>& s) const {
    V const t = s.top + math::log<V>(s.sum);
    s.lost = math::sigmoid<V>(t);
    return math::softplus<V>(t);
  }
  template <class V>
  CAUSALDPO_HD V slope(state<V> const& s, list_entry<V> const& e) const {
    V const key = e.log_weight + e.rejected;
    V const ratio = math::exp<V>(math::select<V>(key == s.largest, math::broadcast<V>(0), key - s.largest));
    return -s.lost * (ratio / s.sum);
  }
};

/// DMPO: sp(-zbar) with zbar the (weighted) mean of the margins, slope -s(-zbar) share_j. Bai et al., arXiv 2405.16127.
struct dmpo {
  static constexpr char const* name() { return "dmpo"; }

  template <class V>
  struct state {
    V mean;
    V lost;  // after finish: s(-mean)
  };
  template <class V>
  CAUSALDPO_HD state<V> begin() const {
    return {math::broadcast<V>(0), math::broadcast<V>(0)};
  }
  template <class V>
  CAUSALDPO_HD void absorb(state<V>& s, list_entry<V> const& e, math::mask_t<V> const& valid) const {
    s.mean = s.mean + math::select<V>(valid, e.share * e.margin, math::broadcast<V>(0));
  }
  template <class V>
  CAUSALDPO_HD V finish(state<V>& s) const {
    s.lost = math::sigmoid<V>(-s.mean);
    return math::softplus<V>(-s.mean);
  }
  template <class V>
  CAUSALDPO_HD V slope(state<V> const& s, list_entry<V> const& e) const {
    return -s.lost * e.share;
  }
};

}  // namespace causaldpo::loss
