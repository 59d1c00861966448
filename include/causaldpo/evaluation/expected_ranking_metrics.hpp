// SPDX-License-Identifier: Apache-2.0
// expected_ranking_metrics: ranking metrics when each user's target is known as a distribution, without sampling noise.
#pragma once

#include "causaldpo/evaluation/ranking_metrics.hpp"

namespace causaldpo {

/// Options of expected_ranking_metrics.
struct expected_ranking_options {
  short_list<index_t> ks{10, 20};  ///< lengths of the list, each >= 1, at most 16 of them
};

/// Outputs of expected_ranking_metrics, each [ks]; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct expected_ranking_results {
  view<T, 1, S> hit_rate{};
  view<T, 1, S> ndcg{};
  view<T, 1, S> mrr{};
};

namespace detail {
template <class T, class S>
struct expected_ranking_args {
  view<T const, 2, S> scores, probabilities;
  expected_ranking_results<T, S> out;
  nan_watch watch;  // slots: 0 scores, 1 probabilities
};
}  // namespace detail

namespace op {
/// Tag and generic body of expected_ranking_metrics.
struct expected_ranking_metrics {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::expected_ranking_args<T, S>, expected_ranking_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::expected_ranking_args<T, typename B::space> const& a, expected_ranking_options const& o) {
    using S = typename B::space;
    index_t const users = a.scores.rows(), k_count = o.ks.size(), length = detail::list_length(o.ks, a.scores.cols());
    auto lists = be.template allocate<index_t>(users * length);
    auto sums = be.template allocate<accumulator>(k_count);
    view<index_t, 2, S> const best = lists.matrix(users, length);
    be.launch(users, detail::best_items<T, S>{a.scores, a.watch, best});
    for (detail::gain const kind : {detail::gain::hit, detail::gain::discounted, detail::gain::reciprocal}) {
      view<T, 1, S> const out = kind == detail::gain::hit          ? a.out.hit_rate
                                : kind == detail::gain::discounted ? a.out.ndcg
                                                                   : a.out.mrr;
      if (!out.given()) continue;
      be.reduce_cols(users, k_count, detail::expected_gain_map<T, S>{a.probabilities, best, o.ks, {kind}, a.watch},
                     detail::sum_fold<>{}, sums.vector());
      be.launch_2d(1, k_count, detail::divide_gains<T, S>{sums.matrix(1, k_count), {}, users, {out.data(), 1, k_count}});
    }
  }
};
}  // namespace op

/// Expectations of HR@k, NDCG@k and MRR@k over a target y ~ p(. | user), mean over the users:
///   hit_rate = mean_u sum_y p_uy [rank_uy < k], and likewise with log 2 / log(rank + 2) and 1 / (rank + 1),
/// where rank_uy is the place of item y among the user's scores, as in ranking_metrics. A simulator that knows p gets the
/// metrics of infinitely many test clicks.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | scores | [U,I] | -inf for an excluded item |
/// | probabilities | [U,I] | p, used as it is; read only for listed items |
///
/// Edge cases: an excluded item is a miss and keeps its share of the probability. No users: 0.
/// Errors: value_error for NaN. Cost O(U (I + ks max(ks))), scratch 8 U max(ks) bytes.
template <backend B, matrix_like M, matrix_like P, real_scalar T = scalar_of<M>>
void expected_ranking_metrics(B& be, M const& scores, P const& probabilities,
                              std::type_identity_t<expected_ranking_results<T, typename B::space>> results,
                              expected_ranking_options const& options = {}) {
  constexpr char const* name = "expected_ranking_metrics";
  detail::expected_ranking_args<T, typename B::space> a{as_view(scores), as_view(probabilities), results, {}};
  index_t const users = a.scores.rows(), items = a.scores.cols(), ks = options.ks.size();
  detail::expect_cutoffs(name, options.ks);
  detail::expect_shape(name, "scores", a.scores, users, items, "itself");
  detail::expect_shape(name, "probabilities", a.probabilities, users, items, "as scores");
  detail::expect_size_if_given(name, "hit_rate", results.hit_rate, ks, "one for each of ks");
  detail::expect_size_if_given(name, "ndcg", results.ndcg, ks, "one for each of ks");
  detail::expect_size_if_given(name, "mrr", results.mrr, ks, "one for each of ks");
  detail::nan_guard<B> guard(be, name, {"scores", "probabilities"});
  a.watch = guard.watch();
  detail::run<op::expected_ranking_metrics>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
