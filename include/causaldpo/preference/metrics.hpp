// SPDX-License-Identifier: Apache-2.0
// preference_metrics: what to watch while training, for the whole batch and for each environment.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {

/// What preference_metrics looks at: results of preference_loss or conditional_preference, by the same names.
template <real_scalar T, memory_space S = host_space>
struct preference_scores {
  view<T const, 1, S> chosen_rewards{};    ///< [B]
  view<T const, 2, S> rejected_rewards{};  ///< [B,J], 0 for invalid pairs
  view<T const, 1, S> margins{};           ///< [B]
  view<T const, 1, S> pair_counts{};       ///< [B], 0 = dropped
  view<T const, 1, S> pair_wins{};         ///< [B]
  view<T const, 1, S> shifted_margins{};   ///< [B] the margins that the loss sees; left out: `margins`
};

/// Outputs of preference_metrics, each [K+1]: element 0 for the whole batch, element k + 1 for environment k with its
/// examples weighted by q_ik. Means are over kept examples; one that has none is 0.
template <real_scalar T, memory_space S = host_space>
struct preference_metric_results {
  view<T, 1, S> chosen_rewards{};         ///< mean of beta a
  view<T, 1, S> rejected_rewards{};       ///< mean of the examples' mean beta b
  view<T, 1, S> margins{};                ///< mean of the examples' mean margin
  view<T, 1, S> accuracy{};               ///< share of examples whose chosen reward beats all rejected ones
  view<T, 1, S> pair_accuracy{};          ///< share of pairs with the strictly higher chosen reward
  view<T, 1, S> saturation{};             ///< share of examples with s(-shifted margin) < 1e-3: they learn no more
  view<T, 1, S> dropped{};                ///< number of dropped examples; for an environment the sum of their q
  view<T, 1, S> effective_sample_size{};  ///< (sum w)^2 / sum w^2, w = weights_i times q_ik (whole batch: weights_i)
};

namespace detail {

template <class T, class S>
struct metrics_args {
  preference_scores<T, S> scores;
  view<T const, 2, S> q;
  view<T const, 1, S> weights;
  preference_metric_results<T, S> out;
  nan_watch watch;  // slots: 0 chosen_rewards, 1 rejected_rewards, 2 margins, 3 shifted_margins, 4 q, 5 weights
};

/// A sum and the mass it is over.
struct massed_sum {
  accumulator sum = 0, mass = 0;
  massed_sum() = default;
  CAUSALDPO_HD massed_sum(accumulator s, accumulator m) : sum(s), mass(m) {}
  /// An infinite or undefined term has no place in a mean.
  CAUSALDPO_HD static massed_sum of(accumulator x, accumulator m) { return x - x == 0 ? massed_sum(x * m, m) : massed_sum(); }
  CAUSALDPO_HD massed_sum operator+(massed_sum const& o) const { return {sum + o.sum, mass + o.mass}; }
  CAUSALDPO_HD accumulator mean() const { return mass > 0 ? sum / mass : 0; }
};

struct metric_sums {
  massed_sum chosen, rejected, margin, right, pairs, saturated;
  accumulator dropped = 0, weight = 0, weight_squared = 0;
};
struct metric_sums_fold {
  using value_type = metric_sums;
  CAUSALDPO_HD static metric_sums identity() { return {}; }
  CAUSALDPO_HD metric_sums operator()(metric_sums const& a, metric_sums const& b) const {
    return {a.chosen + b.chosen,   a.rejected + b.rejected, a.margin + b.margin,
            a.right + b.right,     a.pairs + b.pairs,       a.saturated + b.saturated,
            a.dropped + b.dropped, a.weight + b.weight,     a.weight_squared + b.weight_squared};
  }
};

/// map(i, c): example i's part in column c (0: the whole batch, k + 1: environment k).
template <class T, class S>
struct metric_sums_map {
  metrics_args<T, S> a;
  CAUSALDPO_HD metric_sums operator()(index_t i, index_t c) const {
    auto const& in = a.scores;
    accumulator const member = c == 0 ? 1 : real(a.watch.checked(a.q.at(i, c - 1), 4, i * a.q.cols() + c - 1));
    if (!(member > 0)) return {};
    metric_sums s;
    accumulator const count = real(in.pair_counts.at(i)), wins = real(in.pair_wins.at(i));
    if (count == 0) {
      s.dropped = member;
      return s;
    }
    accumulator rejected = 0;
    for (index_t j = 0; j < in.rejected_rewards.cols(); ++j)
      rejected += real(a.watch.checked(in.rejected_rewards.at(i, j), 1, i * in.rejected_rewards.cols() + j));
    T const seen = in.shifted_margins.given() ? a.watch.checked(in.shifted_margins.at(i), 3, i) : in.margins.at(i);
    s.chosen = massed_sum::of(real(a.watch.checked(in.chosen_rewards.at(i), 0, i)), member);
    s.rejected = massed_sum::of(rejected / count, member);
    s.margin = massed_sum::of(real(a.watch.checked(in.margins.at(i), 2, i)), member);
    s.right = {wins == count ? member : 0, member};
    s.pairs = {wins * member, count * member};
    s.saturated = {math::sigmoid<accumulator>(-real(seen)) < 1e-3 ? member : 0, member};
    s.weight = a.weights.given() ? member * real(a.watch.checked(a.weights.at(i), 5, i)) : member;
    s.weight_squared = s.weight * s.weight;
    return s;
  }

 private:
  CAUSALDPO_HD static accumulator real(T x) { return static_cast<accumulator>(x); }
};

/// f(c): the results of column c.
template <class T, class S>
struct metrics_finish {
  view<metric_sums const, 1, S> sums;
  preference_metric_results<T, S> out;
  CAUSALDPO_HD void operator()(index_t c) const {
    metric_sums const& s = sums.at(c);
    put(out.chosen_rewards, c, s.chosen.mean());
    put(out.rejected_rewards, c, s.rejected.mean());
    put(out.margins, c, s.margin.mean());
    put(out.accuracy, c, s.right.mean());
    put(out.pair_accuracy, c, s.pairs.mean());
    put(out.saturation, c, s.saturated.mean());
    put(out.dropped, c, s.dropped);
    put(out.effective_sample_size, c, s.weight_squared > 0 ? s.weight * s.weight / s.weight_squared : 0);
  }

 private:
  CAUSALDPO_HD static void put(view<T, 1, S> v, index_t c, accumulator x) {
    if (v.given()) v.at(c) = static_cast<T>(x);
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of preference_metrics.
struct preference_metrics {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::metrics_args<T, S>>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::metrics_args<T, typename B::space> const& a) {
    using S = typename B::space;
    index_t const b = a.scores.pair_counts.size(), columns = a.q.cols() + 1;
    auto sums = be.template allocate<detail::metric_sums>(columns);
    be.reduce_cols(b, columns, detail::metric_sums_map<T, S>{a}, detail::metric_sums_fold{}, sums.vector());
    be.launch(columns, detail::metrics_finish<T, S>{sums.vector(), a.out});
  }
};
}  // namespace op

/// Metrics of a batch of preference pairs: rewards, margins, accuracies, saturation, dropped examples, effective
/// sample size; K + 1 of each, the whole batch first.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | scores | | results of preference_loss or conditional_preference |
/// | q | [B,K] | memberships; `{}` for no environments |
/// | weights | [B] | optional: how much each example counts, e.g. d objective / d loss_i; only for effective_sample_size |
///
/// A term that is infinite (an impossible item) is left out of the means of rewards and margins. Cost O(B (J + 1)(K + 1)),
/// scratch 120 (K + 1) bytes. The names are those of the usual DPO trainers.
template <backend B, real_scalar T>
void preference_metrics(B& be, preference_scores<T, typename B::space> const& scores,
                        std::type_identity_t<view<T const, 2, typename B::space>> q,
                        std::type_identity_t<preference_metric_results<T, typename B::space>> results,
                        std::type_identity_t<view<T const, 1, typename B::space>> weights = {}) {
  using S = typename B::space;
  constexpr char const* name = "preference_metrics";
  constexpr char const* per_example = "one for each example";
  detail::metrics_args<T, S> a{scores, q, weights, results, {}};
  index_t const b = scores.pair_counts.size(), k = q.cols();
  detail::expect_size(name, "chosen_rewards", scores.chosen_rewards, b, per_example);
  detail::expect_shape(name, "rejected_rewards", scores.rejected_rewards, b, scores.rejected_rewards.cols(), per_example);
  detail::expect_size(name, "margins", scores.margins, b, per_example);
  detail::expect_size(name, "pair_wins", scores.pair_wins, b, per_example);
  detail::expect_size_if_given(name, "shifted_margins", scores.shifted_margins, b, per_example);
  if (k > 0 || q.given()) detail::expect_shape(name, "q", q, b, k, per_example);
  detail::expect_size_if_given(name, "weights", weights, b, per_example);
  view<T, 1, S> const outputs[] = {results.chosen_rewards, results.rejected_rewards,     results.margins,
                                   results.accuracy,       results.pair_accuracy,        results.saturation,
                                   results.dropped,        results.effective_sample_size};
  constexpr char const* output_names[] = {"results.chosen_rewards", "results.rejected_rewards",     "results.margins",
                                          "results.accuracy",       "results.pair_accuracy",        "results.saturation",
                                          "results.dropped",        "results.effective_sample_size"};
  for (int r = 0; r < 8; ++r)
    detail::expect_size_if_given(name, output_names[r], outputs[r], k + 1, "the batch and each column of q");
  detail::nan_guard<B> guard(be, name, {"chosen_rewards", "rejected_rewards", "margins", "shifted_margins", "q", "weights"});
  a.watch = guard.watch();
  detail::run<op::preference_metrics>(be, a);
  guard.finish();
}

}  // namespace causaldpo
