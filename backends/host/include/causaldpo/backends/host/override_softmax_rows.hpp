// SPDX-License-Identifier: Apache-2.0
// softmax_rows on threads of the host: blocks of rows to threads, each row in packs.
#pragma once

#include "causaldpo/backends/host/parallel_host.hpp"
#include "causaldpo/ops/softmax_rows.hpp"

namespace causaldpo::detail {

/// One row in packs V; what does not fill one in scalars.
template <class V>
class packed_softmax_row {
  using T = typename lane_math<V>::scalar;
  using elements = pack_traits<V>;

 public:
  packed_softmax_row(softmax_rows_args<T, host_space> const& a, softmax_rows_options const& o, index_t r)
      : probabilities_(o.probabilities),
        watch_(a.watch),
        begin_(r * a.scores.cols()),
        used_(a.used(r, o.causal_period)),
        packed_(used_ / elements::width * elements::width),
        scores_(a.scores.row(r)) {
    if (a.out.p.given()) p_ = a.out.p.row(r);
    if (a.out.grad_scores.given()) upstream_ = a.upstream.row(r), grad_ = a.out.grad_scores.row(r);
  }

  void run() {
    V top(-math::infinity<T>());
    for (index_t j = 0; j < packed_; j += elements::width) top = math::max<V>(score(pack_lane<V>(j)), top);
    auto const tops = elements::elements(top);
    for (int w = 0; w < elements::width; ++w) largest_ = math::max<T>(tops[w], largest_);
    for (index_t j = packed_; j < used_; ++j) largest_ = math::max<T>(score(scalar_lane<T>(j)), largest_);

    if (!probabilities_) total_ = static_cast<T>(sum([this](auto const& lane) { return weight(lane); }));
    if (p_.given()) {
      each([this](auto const& lane) { lane.store(p_, softmax_share(lane.load(p_), total_)); });
      std::fill(p_.data() + used_, p_.data() + p_.size(), T(0));
    }
    if (!grad_.given()) return;
    accumulator const mean = sum([this](auto const& lane) { return product(lane); });
    each([this, m = static_cast<T>(mean)](auto const& lane) {
      lane.store(grad_, softmax_slope(probability(lane), lane.load(upstream_), lane.broadcast(m)));
    });
    std::fill(grad_.data() + used_, grad_.data() + grad_.size(), T(0));
  }

 private:
  template <class F>
  void each(F const& f) const {
    for (index_t j = 0; j < packed_; j += elements::width) f(pack_lane<V>(j));
    for (index_t j = packed_; j < used_; ++j) f(scalar_lane<T>(j));
  }
  /// Sum of f over the row: in T over a few packs, these in double.
  template <class F>
  accumulator sum(F const& f) const {
    accumulator all = 0;
    for (index_t first = 0; first < packed_; first += 32 * elements::width) {
      V part(T(0));
      index_t const last = std::min<index_t>(packed_, first + 32 * elements::width);
      for (index_t j = first; j < last; j += elements::width) part = part + f(pack_lane<V>(j));
      auto const parts = elements::elements(part);
      for (int w = 0; w < elements::width; ++w) all += static_cast<accumulator>(parts[w]);
    }
    for (index_t j = packed_; j < used_; ++j) all += static_cast<accumulator>(f(scalar_lane<T>(j)));
    return all;
  }

  template <class L>
  typename L::value score(L const& lane) const {
    auto const x = lane.load(scores_);
    lane.note(watch_, 0, math::is_nan<typename L::value>(x), 1, begin_);
    return x;
  }
  /// The weight, left in p where that is wanted.
  template <class L>
  typename L::value weight(L const& lane) const {
    auto const w = softmax_weight<typename L::value>(lane.load(scores_), lane.broadcast(largest_));
    if (p_.given()) lane.store(p_, w);
    return w;
  }
  template <class L>
  typename L::value probability(L const& lane) const {
    if (probabilities_) return lane.load(scores_);
    if (p_.given()) return lane.load(p_);
    return softmax_share<typename L::value>(softmax_weight<typename L::value>(lane.load(scores_), lane.broadcast(largest_)),
                                            total_);
  }
  template <class L>
  typename L::value product(L const& lane) const {
    using U = typename L::value;
    U const p = probability(lane), u = lane.load(upstream_), zero = lane.broadcast(T(0));
    lane.note(watch_, 1, math::is_nan<U>(u), 1, begin_);
    return math::select<U>(p == zero, zero, p * u);
  }

  bool probabilities_;
  nan_watch watch_;
  index_t begin_, used_, packed_;
  view<T const, 1> scores_, upstream_;
  view<T, 1> p_, grad_;
  T largest_ = -math::infinity<T>(), total_ = 0;
};

}  // namespace causaldpo::detail

namespace causaldpo {

template <detail::parallel_host_backend B, real_scalar T>
void override_for(op::softmax_rows, B& be, detail::softmax_rows_args<T, host_space> const& a,
                  softmax_rows_options const& options) {
  using row = detail::packed_softmax_row<typename B::arithmetic::template pack<T>>;
  index_t const rows = a.scores.rows(), step = std::max<index_t>(1, 2048 / std::max<index_t>(1, a.scores.cols()));
  be.team().for_each((rows + step - 1) / step, [&](index_t block) {
    for (index_t r = block * step; r < std::min(rows, (block + 1) * step); ++r) row(a, options, r).run();
  });
}

}  // namespace causaldpo
