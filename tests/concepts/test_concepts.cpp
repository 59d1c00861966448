// SPDX-License-Identifier: Apache-2.0
// The concepts: what models them, what just misses, and that every operation runs on a backend which offers no more
// than the concept lists, with the results of the reference backend.
#include <doctest/doctest.h>

#include <list>
#include <optional>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/causaldpo.hpp"
#include "support/archetype_backend.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

// Backends that lack one piece each. A type that hides a member of its base with one that cannot be called lacks it.
static_assert(backend<archetype_backend> && backend<reference_backend>);
struct without_name : archetype_backend {
  int name;
};
struct without_space : archetype_backend {
  using space = int;
};
struct without_allocate : archetype_backend {
  void allocate();
};
struct without_counters : archetype_backend {
  int allocations;
};
struct without_peak : archetype_backend {
  int reset_scratch_peak;
};
struct without_copy : archetype_backend {
  void copy();
};
struct without_launch : archetype_backend {
  void launch();
};
struct without_launch_2d : archetype_backend {
  void launch_2d();
};
struct without_reduce : archetype_backend {
  void reduce();
};
struct without_reduce_rows : archetype_backend {
  void reduce_rows();
};
struct without_reduce_cols : archetype_backend {
  void reduce_cols();
};
struct without_gemm : archetype_backend {
  void gemm();
};
struct without_watch : archetype_backend {
  void close_watch();
};
struct without_synchronize : archetype_backend {
  int synchronize;
};
static_assert(!backend<without_name> && !has_identity<without_name> && has_launch<without_name>);
static_assert(!backend<without_space> && !has_identity<without_space>);
static_assert(!backend<without_allocate> && !has_scratch<without_allocate> && has_copy<without_allocate>);
static_assert(!backend<without_counters> && !has_scratch<without_counters>);
static_assert(!backend<without_peak> && !has_scratch<without_peak>);
static_assert(!backend<without_copy> && !has_copy<without_copy> && has_gemm<without_copy>);
static_assert(!backend<without_launch> && !has_launch<without_launch> && has_reduce<without_launch>);
static_assert(!backend<without_launch_2d> && !has_launch<without_launch_2d>);
static_assert(!backend<without_reduce> && !has_reduce<without_reduce> && has_launch<without_reduce>);
static_assert(!backend<without_reduce_rows> && !has_reduce<without_reduce_rows>);
static_assert(!backend<without_reduce_cols> && !has_reduce<without_reduce_cols>);
static_assert(!backend<without_gemm> && !has_gemm<without_gemm> && has_watch<without_gemm>);
static_assert(!backend<without_watch> && !has_watch<without_watch>);
static_assert(!backend<without_synchronize> && has_watch<without_synchronize>);
static_assert(!backend<int>);

// A backend whose gemm knows float only, and one whose launch cannot serve lanes.
struct only_float : archetype_backend {
  void gemm(transpose, transpose, float, view<float const, 2, archetype_space>, view<float const, 2, archetype_space>, float,
            view<float, 2, archetype_space>) {}
};
struct only_indices : archetype_backend {
  template <class F>
  requires(!wants_lanes<F>) void launch(index_t, F) {}
};
static_assert(!has_gemm<only_float>);
static_assert(!has_launch<only_indices>);

// Tensors and near misses.
struct own_matrix {
  float* p;
  index_t r, c;
};
static_assert(memory_space<host_space> && memory_space<archetype_space> && !memory_space<int>);
static_assert(real_scalar<float> && real_scalar<double> && !real_scalar<int> && !real_scalar<long double> &&
              !real_scalar<float const>);
static_assert(vector_like<std::vector<double>> && vector_like<std::vector<double> const> && vector_like<std::array<float, 3>> &&
              vector_like<std::span<float const>>);
static_assert(!vector_like<std::list<double>> && !vector_like<std::vector<bool>> && !vector_like<double*> && !tensor<own_matrix>);
static_assert(matrix_like<view<float, 2, archetype_space>> && !matrix_like<std::vector<std::vector<double>>>);
// const is added, never removed; a space is never changed; a temporary is taken as any other (results are given so).
static_assert(std::is_convertible_v<std::vector<float>&, view<float const, 1>> &&
              std::is_convertible_v<std::vector<float>&, view<float, 1>>);
static_assert(!std::is_convertible_v<std::vector<float> const&, view<float, 1>> &&
              !std::is_convertible_v<std::vector<float>&, view<double, 1>>);
static_assert(!std::is_convertible_v<view<float const, 1>, view<float, 1>> &&
              !std::is_convertible_v<view<float, 1>, view<float, 2>>);
static_assert(!std::is_convertible_v<view<float, 1, archetype_space>, view<float, 1>> &&
              !std::is_convertible_v<std::vector<float>&, view<float, 1, archetype_space>>);
static_assert(std::is_convertible_v<std::vector<std::int32_t>&, index_view<>> &&
              !std::is_convertible_v<std::vector<float>&, index_view<>>);
template <class V>
concept readable_on_host = requires(V v) {
  v(0);
};
static_assert(readable_on_host<view<float, 1>> && !readable_on_host<view<float, 1, archetype_space>>);

/// Runs every operation on one backend with the data of `random`, and collects what they put out.
template <class B>
class every_operation {
  using S = typename B::space;
  using T = double;

 public:
  std::vector<std::pair<char const*, std::vector<double>>> run() {
    exposure();
    mixtures();
    assignment();
    losses();
    penalties();
    head();
    ranking();
    sampling();
    be_.synchronize();
    return std::move(collected_);
  }

 private:
  static constexpr index_t b = 23, j = 3, k = 2, d = 4, v = 29;
  template <class U>
  view<U, 1, S> vec(std::vector<U>& x) {
    return {x.data(), static_cast<index_t>(x.size())};
  }
  template <class U>
  view<U, 2, S> mat(std::vector<U>& x, index_t cols) {
    return {x.data(), static_cast<index_t>(x.size()) / cols, cols};
  }
  template <class U>
  index_view<S> idx(std::vector<U>& x) {
    return index_view<S>(view<U const, 1, S>(x.data(), static_cast<index_t>(x.size())));
  }
  static std::vector<T> fresh(index_t n) { return std::vector<T>(static_cast<std::size_t>(n)); }
  template <class U>
  void collect(char const* name, std::initializer_list<std::vector<U>> outputs) {
    for (auto const& o : outputs) collected_.emplace_back(name, std::vector<double>(o.begin(), o.end()));
  }

  void exposure() {
    auto log_p = fresh(v), log_pe = fresh(k * v), prior = fresh(k);
    exposure_model(be_, idx(targets_), mat(q_, k),
                   {.log_marginal = vec(log_p), .log_conditional = mat(log_pe, v), .prior = vec(prior)}, {}, vec(weights_));
    collect("exposure_model", {log_p, log_pe, prior});
  }
  void mixtures() {
    for (auto kind : {covariance_kind::spherical, covariance_kind::diag, covariance_kind::tied, covariance_kind::full}) {
      index_t const cols = covariance_cols(kind, d);
      auto w = fresh(k), m = fresh(k * d), c = fresh(covariance_rows(kind, k, d) * cols), ll = fresh(1), trace = fresh(3),
           r = fresh(b * k), density = fresh(b);
      gmm_initialize(be_, mat(x_, d),
                     {.weights = vec(w), .means = mat(m, d), .covariances = mat(c, cols), .log_likelihood = vec(ll)},
                     {.covariance_type = kind, .seed = 4});
      collect("gmm_initialize", {w, m, c, ll});
      gmm_parameters<T const, S> const start{vec(w), mat(m, d), mat(c, cols)};
      gmm_em(be_, mat(x_, d), start,
             {.weights = vec(w),
              .means = mat(m, d),
              .covariances = mat(c, cols),
              .responsibilities = mat(r, k),
              .log_likelihood = vec(trace),
              .bic = vec(ll)},
             {.covariance_type = kind, .n_iter = 3});
      collect("gmm_em", {w, m, c, ll, trace, r});
      gmm_posterior(be_, mat(x_, d), start,
                    {.responsibilities = mat(r, k), .log_density = vec(density), .log_likelihood = vec(ll)},
                    {.covariance_type = kind});
      collect("gmm_posterior", {r, density, ll});
    }
  }
  void assignment() {
    auto q = fresh(b * k), gx = fresh(b * d), gc = fresh(k * d), centers = random_.normals<T>(k * d),
         up = random_.normals<T>(b * k);
    soft_assignment(be_, mat(x_, d), mat(centers, d), {.q = mat(q, k), .grad_x = mat(gx, d), .grad_centers = mat(gc, d)}, {},
                    mat(up, k));
    collect("soft_assignment", {q, gx, gc});
  }
  preference_batch<T, S> batch() {
    return {.policy_chosen_logps = vec(chosen_),
            .policy_rejected_logps = mat(rejected_, j),
            .reference_chosen_logps = vec(ref_chosen_),
            .reference_rejected_logps = mat(ref_rejected_, j),
            .rejected_mask = view<std::uint8_t const, 2, S>(mat(mask_, j))};
  }
  void losses() {
    auto loss = fresh(b), mean = fresh(1), gc = fresh(b), gr = fresh(b * j), rewards = fresh(b), pair_rewards = fresh(b * j),
         margins = fresh(b), counts = fresh(b), wins = fresh(b);
    for (loss::any const& kind :
         {loss::any(loss::sigmoid{}), loss::any(loss::sdpo{}), loss::any(loss::dmpo{}), loss::any(loss::ipo{})}) {
      preference_loss(be_, batch(),
                      {.loss = vec(loss),
                       .loss_mean = vec(mean),
                       .grad_chosen_logps = vec(gc),
                       .grad_rejected_logps = mat(gr, j),
                       .chosen_rewards = vec(rewards),
                       .rejected_rewards = mat(pair_rewards, j),
                       .margins = vec(margins),
                       .pair_counts = vec(counts),
                       .pair_wins = vec(wins)},
                      {.loss = kind});
      collect("preference_loss", {loss, mean, gc, gr, rewards, pair_rewards, margins, counts, wins});
    }
    auto offsets = random_.normals<T>(b * k), pair_offsets = random_.normals<T>(b * j * k), posterior = fresh(b * k);
    for (auto mixture : {preference_mixture::expected, preference_mixture::likelihood, preference_mixture::risk}) {
      conditional_results<T, S> out{.loss_mean = vec(mean), .grad_chosen_logps = vec(gc), .grad_rejected_logps = mat(gr, j)};
      if (mixture == preference_mixture::likelihood) out.posterior = mat(posterior, k);
      conditional_preference(be_, batch(), mat(q_, k), {mat(offsets, k), mat(pair_offsets, k)}, out, {.mixture = mixture});
      collect("conditional_preference", {mean, gc, gr, posterior});
    }
    auto accuracy = fresh(k + 1), size = fresh(k + 1);
    preference_metrics(be_, preference_scores<T, S>{vec(rewards), mat(pair_rewards, j), vec(margins), vec(counts), vec(wins), {}},
                       mat(q_, k), {.accuracy = vec(accuracy), .effective_sample_size = vec(size)});
    collect("preference_metrics", {accuracy, size});
    auto previous = std::vector<T>{0.4, 0.6};
    for (any_estimator const& e :
         {any_estimator(estimator::mean{}), any_estimator(estimator::stratified{}), any_estimator(estimator::ipw{}),
          any_estimator(estimator::group_dro{}), any_estimator(estimator::soft_worst{}), any_estimator(estimator::worst{})}) {
      adjusted_loss(be_, vec(loss), mat(q_, k), {.value = vec(mean), .grad_losses = vec(gc)}, {.estimator = e},
                    {.prev_env_weights = vec(previous)});
      collect("adjusted_loss", {mean, gc});
    }
    auto gx = fresh(b * d), terms = fresh(2), features = fresh(b * d), q = fresh(b * k), centers = random_.normals<T>(k * d),
         prefer = fresh(9 * (k + 1));
    objective_batch<T, S> in{.preference = batch(),
                             .offsets = {mat(offsets, k), mat(pair_offsets, k)},
                             .features = mat(x_, d),
                             .centers = mat(centers, d),
                             .outputs = mat(x_, d)};
    objective_options options = presets::paper();
    options.vrex = weighted_penalty<vrex_options>{};
    options.conditional = environment_conditional{};
    options.environment_gradient = true;
    objective_results<T, S> out{.value = vec(mean),
                                .penalty_terms = vec(terms),
                                .q = mat(q, k),
                                .grad_chosen_logps = vec(gc),
                                .grad_rejected_logps = mat(gr, j),
                                .grad_outputs = mat(gx, d),
                                .grad_features = mat(features, d)};
    causal_dpo_objective(be_, in, out, options);
    collect("causal_dpo_objective", {mean, terms, q, gc, gr, gx, features});
  }
  void penalties() {
    auto value = fresh(1), gx = fresh(b * d), gq = fresh(b * k), gl = fresh(b);
    for (bool unbiased : {false, true}) {
      mmd_penalty(be_, mat(x_, d), mat(q_, k), {.value = vec(value), .grad_outputs = mat(gx, d), .grad_q = mat(gq, k)},
                  {.unbiased = unbiased});
      collect("mmd_penalty", {value, gx, gq});
    }
    vrex_penalty(be_, vec(chosen_), mat(q_, k), {.value = vec(value), .grad_losses = vec(gl), .grad_q = mat(gq, k)});
    collect("vrex_penalty", {value, gl, gq});
  }
  void head() {
    auto logps = fresh(b), lse = fresh(b), gh = fresh(b * d), gw = fresh(v * d), gb = fresh(v), entropy = fresh(b),
         squares = fresh(b);
    fused_linear_logps(be_, mat(x_, d), mat(catalogue_, d), idx(targets_),
                       {vec(logps), vec(lse), mat(gh, d), mat(gw, d), vec(gb), vec(entropy), vec(squares)},
                       {.row_tile = 8, .vocabulary_tile = 16}, vec(item_bias_), vec(weights_));
    collect("fused_linear_logps", {logps, lse, gh, gw, gb, entropy, squares});
    auto c = fresh(3 * 2);
    batched_gemm(be_, 3, transpose::no, transpose::yes, 1, view<T const, 2, S>(x_.data(), 1, d), d,
                 view<T const, 2, S>(catalogue_.data(), 2, d), d, 0, view<T, 2, S>(c.data(), 1, 2), 2);
    collect("batched_gemm", {c});
  }
  void ranking() {
    auto scores = random_.normals<T>(b * v), p = random_.memberships<T>(b, v), hits = fresh(2), ndcg = fresh(2), mrr = fresh(2),
         coverage = fresh(2), worst = fresh(2);
    std::vector<index_t> ranks(static_cast<std::size_t>(b));
    std::vector<std::int32_t> envs;
    for (index_t i = 0; i < b; ++i) envs.push_back(static_cast<std::int32_t>(i % 3));
    ranking_metrics(be_, mat(scores, v), idx(targets_),
                    {.ranks = vec(ranks),
                     .hit_rate = vec(hits),
                     .ndcg = vec(ndcg),
                     .mrr = vec(mrr),
                     .coverage = vec(coverage),
                     .worst_env_ndcg = vec(worst)},
                    {.ks = {3, 10}, .n_envs = 3}, {}, idx(envs));
    collect("ranking_metrics", {hits, ndcg, mrr, coverage, worst, std::vector<T>(ranks.begin(), ranks.end())});
    expected_ranking_metrics(be_, mat(scores, v), mat(p, v), {vec(hits), vec(ndcg), vec(mrr)}, {.ks = {3, 10}});
    collect("expected_ranking_metrics", {hits, ndcg, mrr});
  }
  void sampling() {
    std::vector<index_t> envs(static_cast<std::size_t>(b)), items(static_cast<std::size_t>(b * j)), users(2), chosen(2),
        rejected(2 * j);
    std::vector<std::uint8_t> mask(items.size());
    sample_environments(be_, mat(q_, k), {vec(envs)}, {.seed = 3});
    sample_negatives(be_, {.chosen = idx(targets_)}, {mat(items, j), mat(mask, j)}, {.item_count = v, .seed = 7});
    std::vector<std::int64_t> offsets{0, 3, 5}, history{4, 9, 2, 9, 1}, positions{2, 4};
    build_preference_pairs(be_, {.histories = {idx(offsets), idx(history)}, .positions = idx(positions)},
                           {.users = vec(users), .chosen = vec(chosen), .rejected = mat(rejected, j)},
                           {.negatives = {.item_count = v, .seed = 1}});
    collect("sampling", {envs, items, users, chosen, rejected});
  }

  B be_;
  random_source random_{11};
  std::vector<T> x_ = random_.normals<T>(b * d), q_ = random_.memberships<T>(b, k), catalogue_ = random_.normals<T>(v * d),
                 item_bias_ = random_.normals<T>(v), chosen_ = random_.normals<T>(b, 1, -3),
                 rejected_ = random_.normals<T>(b * j, 1, -3), ref_chosen_ = random_.normals<T>(b, 1, -3),
                 ref_rejected_ = random_.normals<T>(b * j, 1, -3), weights_ = random_.memberships<T>(1, b);
  std::vector<std::uint8_t> mask_ = [this] {
    std::vector<std::uint8_t> m;
    for (index_t i = 0; i < b * j; ++i) m.push_back(random_.below(4) == 0 ? 0 : 1);
    return m;
  }();
  std::vector<std::int64_t> targets_ = [this] {
    std::vector<std::int64_t> t;
    for (index_t i = 0; i < b; ++i) t.push_back(random_.below(v));
    return t;
  }();
  std::vector<std::pair<char const*, std::vector<double>>> collected_;
};

}  // namespace

TEST_CASE("concepts: every operation runs on what the concept lists, as on the reference backend") {
  auto const expected = every_operation<reference_backend>().run(), actual = every_operation<archetype_backend>().run();
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(actual[i].first);
    CHECK(relative_error(actual[i].second, expected[i].second) < 1e-12);
  }
}

}  // namespace causaldpo::test
