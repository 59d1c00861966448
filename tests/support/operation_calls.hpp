// SPDX-License-Identifier: Apache-2.0
// One call of every operation, with every output asked for: the table behind the tests that hold for all of them.
#pragma once

#include "causaldpo/causaldpo.hpp"
#include "support/call_memory.hpp"

namespace causaldpo::test {

/// Extents of a call: examples, rejected items, environments, features, items.
struct call_sizes {
  index_t b = 23, j = 3, k = 2, d = 4, v = 29;
};

/// One row of the table. `prepare` lays out inputs and outputs and returns the call, which may be made again and again.
template <backend B, real_scalar T>
struct operation_call {
  std::string name;
  std::function<std::function<void(B&)>(call_memory<T, typename B::space>&, call_sizes)> prepare;
  /// The bytes of scratch that the operation's page documents for these sizes; left out where another test holds them.
  std::function<double(call_sizes)> scratch_bound = nullptr;
  bool needs_examples = false;  ///< refuses a call without examples, as its page says
  bool in_float = false;        ///< answers in float whatever T is
};

/// Builds the table; each member adds the calls of one family.
template <backend B, real_scalar T>
class operation_calls {
  using S = typename B::space;
  using memory = call_memory<T, S>;
  using call = std::function<void(B&)>;
  static constexpr double scalar_bytes = sizeof(T);

 public:
  std::vector<operation_call<B, T>> table;

  operation_calls() {
    environments();
    mixtures();
    preferences();
    adjustments();
    objective();
    penalties();
    heads();
    rankings();
    batches();
  }

 private:
  template <class F>
  void add(std::string name, F prepare, std::function<double(call_sizes)> bound = nullptr) {
    bool const starts = name == "gmm_initialize" || name == "gmm_select";  // centres are drawn from the examples
    table.push_back(
        {std::move(name), [prepare](memory& m, call_sizes s) -> call { return prepare(m, s); }, std::move(bound), starts});
  }

  void environments() {
    add("exposure_model", [](memory& m, call_sizes s) {
      return [items = m.indices(s.b, s.v), q = m.memberships(s.b, s.k), weights = m.positive(s.b), log_p = m.out(s.v),
              log_pe = m.out(s.k, s.v), prior = m.out(s.k), v = s.v](B& be) {
        exposure_model(be, items, q, {.log_marginal = log_p, .log_conditional = log_pe, .prior = prior}, {.item_count = v},
                       weights);
      };
    });
    for (distance_metric metric : {distance_metric::euclidean, distance_metric::sqeuclidean})
      add(
          "soft_assignment",
          [metric](memory& m, call_sizes s) {
            return [=, x = m.matrix(s.b, s.d), centers = m.matrix(s.k, s.d), upstream = m.matrix(s.b, s.k), q = m.out(s.b, s.k),
                    gx = m.out(s.b, s.d), gc = m.out(s.k, s.d)](B& be) {
              soft_assignment(be, x, centers, {.q = q, .grad_x = gx, .grad_centers = gc}, {.metric = metric}, upstream);
            };
          },
          [](call_sizes s) { return 16.0 * static_cast<double>(s.b * s.k); });
  }

  /// A mixture to start from: equal weights, random means, covariances 2 I.
  static gmm_parameters<T const, S> mixture(memory& m, covariance_kind kind, call_sizes s) {
    bool const diagonal = kind == covariance_kind::spherical || kind == covariance_kind::diag;
    auto const weights = m.template filled<T>(1, s.k, [s](index_t, index_t) { return T(1) / static_cast<T>(s.k); }).row(0);
    auto const means = m.matrix(s.k, s.d, 2);
    return {weights, means,
            m.template filled<T>(covariance_rows(kind, s.k, s.d), covariance_cols(kind, s.d),
                                 [=](index_t i, index_t j) { return T(diagonal || i % s.d == j ? 2 : 0); })};
  }
  void mixtures() {
    for (auto kind : {covariance_kind::spherical, covariance_kind::diag, covariance_kind::tied, covariance_kind::full}) {
      add("gmm_initialize", [kind](memory& m, call_sizes s) {
        return [=, x = m.matrix(s.b, s.d), w = m.out(s.k), mu = m.out(s.k, s.d),
                c = m.out(covariance_rows(kind, s.k, s.d), covariance_cols(kind, s.d)), ll = m.out(1)](B& be) {
          gmm_initialize(be, x, {.weights = w, .means = mu, .covariances = c, .log_likelihood = ll},
                         {.covariance_type = kind, .seed = 4});
        };
      });
      add("gmm_em", [kind](memory& m, call_sizes s) {
        return [=, x = m.matrix(s.b, s.d), start = mixture(m, kind, s), w = m.out(s.k), mu = m.out(s.k, s.d),
                c = m.out(covariance_rows(kind, s.k, s.d), covariance_cols(kind, s.d)), r = m.out(s.b, s.k), trace = m.out(3),
                ll = m.out(1), bic = m.out(1), aic = m.out(1), p = m.template out<std::int64_t>(1),
                n = m.template out<std::int64_t>(1)](B& be) {
          gmm_em(be, x, start, {w, mu, c, r, trace, ll, bic, aic, p, n}, {.covariance_type = kind, .n_iter = 3});
        };
      });
      add(
          "gmm_posterior",
          [kind](memory& m, call_sizes s) {
            return [=, x = m.matrix(s.b, s.d), given = mixture(m, kind, s), r = m.out(s.b, s.k), density = m.out(s.b),
                    ll = m.out(1)](B& be) {
              gmm_posterior(be, x, given, {r, density, ll}, {.covariance_type = kind});
            };
          },
          [](call_sizes s) {  // the parameters in double, their factors and sums
            double const own = static_cast<double>(3 * s.k * (s.d * s.d + s.d + 4));
            return 8.0 * (static_cast<double>((s.k + 2 * s.d) * s.b + s.b) + own);
          });
    }
    for (gmm_criterion criterion : {gmm_criterion::bic, gmm_criterion::held_out})
      add("gmm_select", [criterion](memory& m, call_sizes s) {
        return [&m, criterion, x = m.matrix(s.b, s.d)](B& be) {
          auto const chosen =
              gmm_select(be, x, {{1, covariance_kind::diag}, {2, covariance_kind::full}}, {.criterion = criterion, .n_iter = 5});
          std::vector<double> values(chosen.mixture.means.begin(), chosen.mixture.means.end());
          for (gmm_score const& score : chosen.table) values.push_back(score.criterion);
          m.returned(values);
        };
      });
    add("gmm_em, tol", [](memory& m, call_sizes s) {
      return [=, x = m.matrix(s.b, s.d), start = mixture(m, covariance_kind::diag, s), mu = m.out(s.k, s.d),
              n = m.template out<std::int64_t>(1)](B& be) {
        gmm_em(be, x, start, {.means = mu, .iterations = n},
               {.covariance_type = covariance_kind::diag, .n_iter = 9, .tol = 1e-2});
      };
    });
  }

  /// Log-probabilities and a mask; one in four pairs is masked.
  static preference_batch<T, S> batch(memory& m, call_sizes s) {
    preference_batch<T, S> in;
    in.policy_chosen_logps = m.vector(s.b, 1, -3);
    in.policy_rejected_logps = m.matrix(s.b, s.j, 1, -3);
    in.reference_chosen_logps = m.vector(s.b, 1, -3);
    in.reference_rejected_logps = m.matrix(s.b, s.j, 1, -3);
    in.rejected_mask = m.mask(s.b, s.j);
    in.pair_weights = m.positive(s.b, s.j);
    return in;
  }
  void preferences() {
    std::pair<char const*, loss::any> const losses[] = {
        {"sigmoid", loss::sigmoid{}}, {"ipo", loss::ipo{}}, {"sdpo", loss::sdpo{}}, {"dmpo", loss::dmpo{}}};
    for (auto const& [name, kind] : losses) {
      bool const listwise = std::string(name) == "sdpo" || std::string(name) == "dmpo";
      add(
          std::string("preference_loss, ") + name,
          [kind = kind](memory& m, call_sizes s) {
            preference_batch<T, S> in = batch(m, s);
            in.sample_weights = m.positive(s.b);
            return [=, out = preference_results<T, S>{m.out(s.b), m.out(1), m.out(s.b), m.out(s.b, s.j), m.out(s.b),
                                                      m.out(s.b, s.j), m.out(s.b), m.out(1), m.out(1), m.out(s.b),
                                                      m.out(s.b)}](B& be) { preference_loss(be, in, out, {.loss = kind}); };
          },
          [listwise](call_sizes s) { return scalar_bytes * static_cast<double>((3 * s.j + 4 + (listwise ? s.j : 0)) * s.b); });
    }
    for (auto mixture : {preference_mixture::expected, preference_mixture::likelihood, preference_mixture::risk}) {
      bool const likely = mixture == preference_mixture::likelihood;
      add(
          "conditional_preference",
          [mixture, likely](memory& m, call_sizes s) {
            conditional_results<T, S> out{
                m.out(s.b), m.out(1),   m.out(s.b),      m.out(s.b, s.j), m.out(s.b, s.k), m.out(s.b * s.j, s.k),
                {},         m.out(s.b), m.out(s.b, s.j), m.out(s.b),      m.out(s.b),      m.out(1),
                m.out(1),   m.out(s.b), m.out(s.b)};
            if (likely) out.posterior = m.out(s.b, s.k);
            return [=, in = batch(m, s), q = m.memberships(s.b, s.k),
                    offsets = exposure_offsets<T, S>{m.matrix(s.b, s.k), m.matrix(s.b * s.j, s.k)}](B& be) {
              conditional_preference(be, in, q, offsets, out, {.mixture = mixture});
            };
          },
          [likely](call_sizes s) { return scalar_bytes * static_cast<double>((3 * s.j + 4 + (likely ? s.k : 0)) * s.b); });
    }
    add(
        "preference_metrics",
        [](memory& m, call_sizes s) {
          preference_scores<T, S> in{m.vector(s.b), m.matrix(s.b, s.j), m.vector(s.b), {}, {}, m.vector(s.b)};
          in.pair_counts = m.template filled<T>(1, s.b, [s](index_t, index_t i) { return T(i % 5 == 0 ? 0 : s.j); }).row(0);
          in.pair_wins =
              m.template filled<T>(1, s.b, [s](index_t, index_t i) { return T(i % 5 == 0 ? 0 : i % (s.j + 1)); }).row(0);
          return [=, q = m.memberships(s.b, s.k), weights = m.positive(s.b), out = metrics(m, s)](B& be) {
            preference_metrics(be, in, q, out, weights);
          };
        },
        [](call_sizes s) { return 120.0 * static_cast<double>(s.k + 1); });
  }
  static preference_metric_results<T, S> metrics(memory& m, call_sizes s) {
    index_t const n = s.k + 1;
    return {m.out(n), m.out(n), m.out(n), m.out(n), m.out(n), m.out(n), m.out(n), m.out(n)};
  }

  void adjustments() {
    std::pair<char const*, any_estimator> const estimators[] = {{"mean", estimator::mean{}},
                                                                {"ipw", estimator::ipw{}},
                                                                {"stratified", estimator::stratified{}},
                                                                {"group_dro", estimator::group_dro{}},
                                                                {"soft_worst", estimator::soft_worst{}},
                                                                {"worst", estimator::worst{}}};
    for (auto const& [name, kind] : estimators) {
      std::string const which = name;
      add(
          "adjusted_loss, " + which,
          [kind = kind, which](memory& m, call_sizes s) {
            adjusted_loss_results<T, S> out{.value = m.out(1),
                                            .grad_losses = m.out(s.b),
                                            .grad_q = m.out(s.b, s.k),
                                            .env_losses = m.out(s.k),
                                            .env_mass = m.out(s.k)};
            if (which != "mean") out.env_weights = m.out(s.k);
            if (which == "ipw") out.weights = m.out(s.b), out.effective_sample_size = m.out(1);
            return [=, losses = m.positive(s.b), q = m.memberships(s.b, s.k), previous = m.positive(s.k)](B& be) {
              adjusted_loss(be, losses, q, out, {.estimator = kind}, {.prev_env_weights = previous});
            };
          },
          [which](call_sizes s) {
            bool const rows = which == "mean" || which == "ipw";
            return rows ? 8.0 * static_cast<double>(s.b) + 24.0 * static_cast<double>(s.k) + 32 : 32.0 * static_cast<double>(s.k);
          });
    }
  }

  void objective() {
    for (bool likelihood : {false, true})
      add("causal_dpo_objective", [likelihood](memory& m, call_sizes s) {
        objective_batch<T, S> in{.preference = batch(m, s),
                                 .offsets = {m.matrix(s.b, s.k), m.matrix(s.b * s.j, s.k)},
                                 .features = m.matrix(s.b, s.d),
                                 .centers = m.matrix(s.k, s.d),
                                 .outputs = m.matrix(s.b, s.d)};
        objective_options options = presets::paper();
        options.mmd = weighted_penalty<mmd_options>{};
        options.vrex = weighted_penalty<vrex_options>{};
        options.conditional = environment_conditional{};
        options.environment.kind = environment_kind::soft_assignment;
        options.environment_gradient = !likelihood;
        if (likelihood) options.conditional->mixture = preference_mixture::likelihood;
        objective_results<T, S> out{.value = m.out(1),
                                    .preference_term = m.out(1),
                                    .penalty_terms = m.out(2),
                                    .q = m.out(s.b, s.k),
                                    .loss = m.out(s.b),
                                    .grad_chosen_logps = m.out(s.b),
                                    .grad_rejected_logps = m.out(s.b, s.j),
                                    .grad_outputs = m.out(s.b, s.d),
                                    .grad_features = m.out(s.b, s.d),
                                    .env_losses = m.out(s.k),
                                    .env_mass = m.out(s.k),
                                    .env_weights = m.out(s.k),
                                    .metrics = metrics(m, s)};
        if (likelihood) out.posterior = m.out(s.b, s.k);
        return [=](B& be) { causal_dpo_objective(be, in, out, options); };
      });
  }

  void penalties() {
    for (bool unbiased : {false, true})
      add("mmd_penalty", [unbiased](memory& m, call_sizes s) {
        return [=, x = m.matrix(s.b, s.d), q = m.memberships(s.b, s.k), value = m.out(1), gx = m.out(s.b, s.d),
                gq = m.out(s.b, s.k), widths = m.out(2), pairs = m.template out<std::int64_t>(1)](B& be) {
          mmd_penalty(be, x, q, {value, gx, gq, widths, pairs}, {.median_multipliers = {0.5, 1}, .unbiased = unbiased});
        };
      });
    add(
        "vrex_penalty",
        [](memory& m, call_sizes s) {
          return [losses = m.vector(s.b), q = m.memberships(s.b, s.k), value = m.out(1), gl = m.out(s.b), gq = m.out(s.b, s.k),
                  risks = m.out(s.k), weights = m.out(s.k)](B& be) {
            vrex_penalty(be, losses, q, {value, gl, gq, risks, weights});
          };
        },
        [](call_sizes s) { return 32.0 * static_cast<double>(s.k); });
  }

  template <half_scalar X>
  void half_head(char const* name) {
    add(name, [](memory& m, call_sizes s) {
      return
          [h = m.template half_matrix<X>(s.b, s.d), w = m.template half_matrix<X>(s.v, s.d), targets = m.indices(s.b, s.v, -100),
           logps = m.template out<float>(s.b), lse = m.template out<float>(s.b), gh = m.template out<float>(s.b, s.d),
           gw = m.template out<float>(s.v, s.d), gb = m.template out<float>(s.v)](B& be) {
            fused_linear_logps(be, h, w, targets, {logps, lse, gh, gw, gb}, {.row_tile = 8, .vocabulary_tile = 16});
          };
    });
    table.back().in_float = true;
  }
  void heads() {
    half_head<bfloat16>("fused_linear_logps, bfloat16");
    half_head<float16>("fused_linear_logps, float16");
    add("fused_linear_logps", [](memory& m, call_sizes s) {
      return [h = m.matrix(s.b, s.d), w = m.matrix(s.v, s.d), targets = m.indices(s.b, s.v, -100), bias = m.vector(s.v),
              upstream = m.vector(s.b), logps = m.out(s.b), lse = m.out(s.b), gh = m.out(s.b, s.d), gw = m.out(s.v, s.d),
              gb = m.out(s.v), entropy = m.out(s.b), squares = m.out(s.b)](B& be) {
        fused_linear_logps(be, h, w, targets, {logps, lse, gh, gw, gb, entropy, squares}, {.row_tile = 8, .vocabulary_tile = 16},
                           bias, upstream);
      };
    });
    add(
        "batched_gemm",
        [](memory& m, call_sizes s) {
          return [=, a = m.matrix(3 * s.b, s.d), x = m.matrix(3 * s.k, s.d), c = m.out(3 * s.b, s.k)](B& be) {
            batched_gemm<B, T>(be, 3, transpose::no, transpose::yes, 1, a.row_block(0, s.b), s.b * a.ld(), x.row_block(0, s.k),
                               s.k * x.ld(), 0, c.row_block(0, s.b), s.b * c.ld());
          };
        },
        [](call_sizes) { return 0.0; });
    add(
        "softmax_rows",
        [](memory& m, call_sizes s) {
          return [=, scores = m.matrix(s.b, s.v, 2), upstream = m.matrix(s.b, s.v), lengths = m.indices(s.b, s.v),
                  p = m.out(s.b, s.v), grad = m.out(s.b, s.v)](B& be) {
            softmax_rows(be, scores, {.p = p, .grad_scores = grad}, {.causal_period = 40}, upstream, lengths);
          };
        },
        [](call_sizes) { return 0.0; });
  }

  void rankings() {
    add("ranking_metrics", [](memory& m, call_sizes s) {
      using counts = std::int64_t;
      ranking_results<T, S> out{.ranks = m.template out<counts>(s.b),
                                .hit_rate = m.out(2),
                                .ndcg = m.out(2),
                                .mrr = m.out(2),
                                .or_ratio = m.out(2),
                                .coverage = m.out(2),
                                .item_group_hit_rate = m.out(3, 2),
                                .item_group_ndcg = m.out(3, 2),
                                .item_group_count = m.template out<counts>(3),
                                .env_hit_rate = m.out(3, 2),
                                .env_ndcg = m.out(3, 2),
                                .env_count = m.template out<counts>(3),
                                .worst_env_hit_rate = m.out(2),
                                .worst_env_ndcg = m.out(2)};
      return [=, scores = m.matrix(s.b, s.v), targets = m.indices(s.b, s.v, -1), groups = m.indices(s.v, 3),
              envs = m.indices(s.b, 3)](B& be) {
        ranking_metrics(be, scores, targets, out, {.ks = {3, 10}, .n_item_groups = 3, .n_envs = 3}, groups, envs);
      };
    });
    add(
        "expected_ranking_metrics",
        [](memory& m, call_sizes s) {
          return [scores = m.matrix(s.b, s.v), p = m.memberships(s.b, s.v), hits = m.out(2), ndcg = m.out(2),
                  mrr = m.out(2)](B& be) {
            expected_ranking_metrics(be, scores, p, {hits, ndcg, mrr}, {.ks = {3, 10}});
          };
        },
        [](call_sizes s) { return 8.0 * 10 * static_cast<double>(s.b) + 16; });  // the lists, and a sum for each k
  }

  void batches() {
    using positions = std::int64_t;
    add(
        "sample_environments",
        [](memory& m, call_sizes s) {
          return [q = m.memberships(s.b, s.k), drawn = m.template out<positions>(s.b)](B& be) {
            sample_environments(be, q, {drawn}, {.seed = 3});
          };
        },
        [](call_sizes) { return 0.0; });
    add(
        "sample_negatives",
        [](memory& m, call_sizes s) {
          return [=, chosen = m.indices(s.b, s.v), items = m.template out<positions>(s.b, s.j),
                  mask = m.template out<std::uint8_t>(s.b, s.j)](B& be) {
            sample_negatives(be, {.chosen = chosen}, {items, mask}, {.item_count = s.v, .seed = 7});
          };
        },
        [](call_sizes) { return 0.0; });
    add(
        "build_preference_pairs",
        [](memory& m, call_sizes s) {
          pair_inputs<S> const in{.histories = {m.indices({0, 3, 5}), m.indices({4, 9, 2, 9, 1})},
                                  .positions = m.indices(s.b, 5)};
          return [=, out = pair_results<S>{m.template out<positions>(s.b), m.template out<positions>(s.b),
                                           m.template out<positions>(s.b), m.template out<positions>(s.b),
                                           m.template out<positions>(s.b, s.j), m.template out<std::uint8_t>(s.b, s.j)}](B& be) {
            build_preference_pairs(be, in, out, {.max_history = 2, .negatives = {.item_count = s.v, .seed = 1}});
          };
        },
        [](call_sizes s) { return 16.0 * static_cast<double>(s.b); });
  }
};

}  // namespace causaldpo::test
