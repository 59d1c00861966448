// SPDX-License-Identifier: Apache-2.0
// The engine on one backend. A translation unit that the build makes for each backend instantiates it (engine_entry.cpp.in),
// once.
#pragma once

#include <utility>

#include "app/engine.hpp"
#include "causaldpo/evaluation/expected_ranking_metrics.hpp"
#include "causaldpo/evaluation/ranking_metrics.hpp"
#include "training/alignment_stage.hpp"
#include "training/scoring.hpp"

namespace recommender {

/// Whether a backend can be told how many threads to use.
template <class B>
inline constexpr bool has_threads = requires {
  B({.threads = 1});
};

template <causaldpo::backend B>
class scorer_on final : public catalogue_scorer {
 public:
  scorer_on(B& be, trained_model<float> const& model) : be_(be), scorer_(be, model) {}
  void score(std::span<std::span<std::int32_t const> const> histories, causaldpo::view<float, 2> scores) override {
    scorer_.score(be_, histories, scores);
  }

 private:
  B& be_;
  scorer<B, float> scorer_;
};

template <causaldpo::backend B>
class engine_on final : public engine {
  using S = typename B::space;

 public:
  engine_on(std::string name, int threads) : name_(std::move(name)), be_(backend_with(threads)) {}

  std::string const& backend() const override { return name_; }
  trained_model<float> train_supervised(training_log const& log, train_options const& options,
                                        progress_callback const& report) override {
    return recommender::train_supervised<B, float>(be_, log, options, report);
  }
  trained_model<float> align(training_log const& log, trained_model<float> const& start, train_options const& options,
                             exposure_table const& exposure, progress_callback const& report) override {
    return recommender::align<B, float>(be_, log, start, options, exposure, report);
  }
  std::unique_ptr<catalogue_scorer> scorer(trained_model<float> const& model) override {
    return std::make_unique<scorer_on<B>>(be_, model);
  }
  void rank(causaldpo::view<float const, 2> scores, std::span<std::int32_t const> targets,
            std::span<std::int64_t> ranks) override {
    mirror<B, float const> const placed(be_, flat(scores));
    mirror<B, std::int32_t const> const wanted(be_, targets);
    mirror<B, std::int64_t> found(be_, static_cast<index_t>(ranks.size()));
    found.lend(ranks);
    causaldpo::ranking_metrics(be_, like(scores, placed), wanted.view(), {.ranks = found.view()});
    found.fetch(be_, ranks);
  }
  expected_metrics expect(causaldpo::view<float const, 2> scores, causaldpo::view<float const, 2> probabilities) override {
    expected_metrics m;
    mirror<B, float const> const placed(be_, flat(scores)), p(be_, flat(probabilities));
    mirror<B, float> hit_rate(be_, 2), ndcg(be_, 2), mrr(be_, 2);
    hit_rate.lend(m.hit_rate);
    ndcg.lend(m.ndcg);
    mrr.lend(m.mrr);
    causaldpo::expected_ranking_metrics(be_, like(scores, placed), like(probabilities, p),
                                        {.hit_rate = hit_rate.view(), .ndcg = ndcg.view(), .mrr = mrr.view()}, {.ks = {10, 20}});
    hit_rate.fetch(be_, m.hit_rate);
    ndcg.fetch(be_, m.ndcg);
    mrr.fetch(be_, m.mrr);
    return m;
  }

 private:
  using matrix = causaldpo::view<float const, 2>;
  static B backend_with([[maybe_unused]] int threads) {
    if constexpr (has_threads<B>)
      return B({.threads = threads});
    else
      return B();
  }
  /// Scores and probabilities are dense: all rows as one vector.
  static causaldpo::view<float const, 1> flat(matrix m) { return {m.data(), m.rows() * m.cols()}; }
  static causaldpo::view<float const, 2, S> like(matrix m, mirror<B, float const> const& placed) {
    return {placed.view().data(), m.rows(), m.cols()};
  }

  std::string name_;
  B be_;
};

/// Adds the backend B under a name.
template <causaldpo::backend B>
struct registered_engine {
  explicit registered_engine(std::string const& name) {
    add_engine({name, has_threads<B>, [name](int threads) { return std::make_unique<engine_on<B>>(name, threads); }});
  }
};

}  // namespace recommender
