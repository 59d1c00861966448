// SPDX-License-Identifier: Apache-2.0
// The stages on tiny logs: their gradients against finite differences, what they learn, that they repeat their bits, and the
// identities of the method.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "causaldpo/backends/reference.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"
#include "training/alignment_stage.hpp"
#include "training/scoring.hpp"
#if defined(CAUSALDPO_DEFAULT_BACKEND_EIGEN)
#include "causaldpo/backends/eigen.hpp"
#endif

namespace recommender {
namespace {

using causaldpo::reference_backend;
using causaldpo::test::finite_difference_error;
using causaldpo::test::random_source;
using causaldpo::test::relative_error;

training_log random_log(index_t users, index_t items, index_t most, std::uint64_t seed, index_t least = 1) {
  random_source random(seed);
  training_log log{items, true, {}};
  for (index_t u = 0; u < users; ++u) {
    log.sequences.emplace_back();
    for (index_t k = 0, n = least + random.below(most - least + 1); k < n; ++k)
      log.sequences.back().push_back(static_cast<std::int32_t>(random.below(items) * random.below(items) / items));  // skewed
  }
  return log;
}

/// One environment: the offsets are the log popularity.
exposure_table marginal(training_log const& log, index_t copies = 1) {
  auto const positions = static_cast<std::size_t>(log.begins().back()), k = static_cast<std::size_t>(copies);
  exposure_table e{copies, std::vector<float>(positions * k, 1.0F / static_cast<float>(copies)), {}};
  auto const counts = log.counts();
  for (std::size_t c = 0; c < k; ++c)
    for (double n : counts)
      e.table.push_back(
          static_cast<float>(std::log((n + 0.5) / (static_cast<double>(positions) + 0.5 * static_cast<double>(log.items)))));
  return e;
}

train_options tiny() {
  train_options o;
  o.dim = 8;
  o.feed_forward = 12;
  o.max_length = 6;
  o.batch_sequences = 4;
  o.start_scale = 0.3;
  o.supervised = {3, 1e-2, 2};
  o.alignment.epochs = 2;
  o.alignment.learning_rate = 5e-3;
  return o;
}

TEST_CASE("supervised stage: the gradient of the loss agrees with finite differences") {
  auto const log = random_log(4, 7, 6, 3);
  reference_backend be;
  batch_maker batches(log, {.max_length = 5, .batch_sequences = 4});
  model_options const options{.items = 7, .dim = 4, .heads = 2, .feed_forward = 5, .max_length = batches.context()};
  auto weights = initial_parameters<double>(options, 2, 0.4);
  learner<reference_backend, double> learn(be, options, {}, weights, batches.max_rows());
  training_batch batch;
  batches.make(0, batch);
  dropout_draw const drop{0.2, {3, 2}, 1};
  std::vector<double> logps(batch.targets.size()), upstream(logps.size());
  learn.place(batch);
  auto value = [&] {
    supervised_gradient<reference_backend, double>(learn, learn.forward(learn.w, drop), logps, upstream);
    double sum = 0;
    for (double l : logps) sum -= l / static_cast<double>(logps.size());
    return sum;
  };
  value();
  learn.backward(drop);
  std::vector<double> const gradient(learn.grad.flat.data(), learn.grad.flat.data() + learn.grad.flat.size());
  CHECK(finite_difference_error(weights, gradient, value) < 1e-7);
}

TEST_CASE("alignment stage: the gradient of the loss agrees with finite differences") {
  auto const log = random_log(4, 7, 6, 3);
  auto const exposure = marginal(log);
  reference_backend be;
  batch_maker batches(log, {.max_length = 5, .batch_sequences = 4});
  model_options const options{.items = 7, .dim = 4, .feed_forward = 5, .max_length = batches.context()};
  for (auto method : {alignment_method::dpo, alignment_method::sdpo, alignment_method::causaldpo}) {
    auto weights = initial_parameters<double>(options, 2, 0.4);
    auto const start = initial_parameters<double>(options, 4, 0.4);
    model_parameters<double const, causaldpo::host_space> const reference(options, start);
    learner<reference_backend, double> learn(be, options, {}, weights, batches.max_rows());
    rejected_sampler sampler(log, 3, 0, 9);
    pair_batch<reference_backend, double> pairs(be, batches.max_rows(), 3);
    training_batch batch;
    batches.make(0, batch);
    pairs.draw(be, sampler, 0, batch);
    learn.place(batch);
    pairs.score_reference(be, learn.forward(reference, {}), reference);
    pairs.find_offsets(be, learn.batch, placed_exposure<reference_backend>(be, exposure));
    dropout_draw const drop{0.2, {3, 2}, 1};
    alignment_options const o{.method = method, .beta = 0.7};
    std::vector<double> numbers(step_report<reference_backend, double>::width);
    auto value = [&] {
      pairs.score_policy(be, learn.forward(learn.w, drop), learn.w);
      pairs.differentiate(be, o, numbers);
      return numbers[step_report<reference_backend, double>::loss];
    };
    value();
    pairs.carry_back(be, learn.hidden.matrix(batch.examples(), 4), learn.w, learn.grad_hidden.matrix(batch.examples(), 4),
                     learn.grad);
    learn.backward(drop);
    std::vector<double> const gradient(learn.grad.flat.data(), learn.grad.flat.data() + learn.grad.flat.size());
    CHECK(finite_difference_error(weights, gradient, value) < 1e-7);
  }
}

TEST_CASE("supervised stage: learns what comes next, whether or not the log has order") {
  reference_backend be;
  training_log cycle{6, true, {}};  // y is followed by y + 1
  for (std::int32_t u = 0; u < 12; ++u) {
    cycle.sequences.emplace_back();
    for (std::int32_t k = 0; k < 5; ++k) cycle.sequences.back().push_back((u + k) % 6);
  }
  auto o = tiny();
  o.supervised = {60, 2e-2, 5};
  o.dropout = 0;
  double last = 99;
  auto const trained =
      train_supervised<reference_backend, float>(be, cycle, o, [&](training_progress const& p) { last = p.loss; });
  CHECK(last < 0.05);           // log 6 = 1.79 at the start
  CHECK(trained.context == 6);  // four inputs in training, and room for the two items that are held out
  std::vector<std::vector<std::int32_t>> const histories{{3, 4}, {0}, {4, 5, 0, 1}};
  std::vector<std::span<std::int32_t const>> spans(histories.begin(), histories.end());
  std::vector<float> scores(18);
  scorer<reference_backend, float> score(be, trained);
  score.score(be, spans, causaldpo::matrix(scores.data(), 3, 6));
  auto best = [&](std::ptrdiff_t u) {
    return std::max_element(scores.begin() + 6 * u, scores.begin() + 6 * u + 6) - (scores.begin() + 6 * u);
  };
  CHECK(best(0) == 5);
  CHECK(best(1) == 1);
  CHECK(best(2) == 2);

  cycle.ordered = false;
  auto const unordered = train_supervised<reference_backend, float>(be, cycle, o);
  CHECK_FALSE(unordered.options.positions);
}

TEST_CASE("scorer: blocks, padding and long histories change nothing; an empty history scores by the bias") {
  reference_backend be;
  auto const log = random_log(20, 11, 6, 3, 6);
  auto const trained = train_supervised<reference_backend, double>(be, log, tiny());
  random_source random(4);
  std::vector<std::vector<std::int32_t>> histories(300);
  for (auto& h : histories)
    for (index_t k = 0, n = random.below(12); k < n; ++k) h.push_back(static_cast<std::int32_t>(random.below(11)));
  histories[7].clear();
  std::vector<std::span<std::int32_t const>> spans(histories.begin(), histories.end());
  scorer<reference_backend, double> score(be, trained);
  std::vector<double> all(300 * 11), one(11);
  score.score(be, spans, causaldpo::matrix(all.data(), 300, 11));
  for (std::size_t u : {0U, 7U, 255U, 256U, 299U}) {
    score.score(be, std::span(spans).subspan(u, 1), causaldpo::matrix(one.data(), 1, 11));
    CHECK(std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(11 * u),
                              all.begin() + static_cast<std::ptrdiff_t>(11 * u + 11)) == one);
    auto recent = spans[u].last(std::min(spans[u].size(), static_cast<std::size_t>(trained.context)));
    std::vector<double> shortened(11);
    score.score(be, {&recent, 1}, causaldpo::matrix(shortened.data(), 1, 11));
    CHECK(shortened == one);
  }
  model_parameters<double const, causaldpo::host_space> const w(trained.options, trained.weights);
  for (index_t y = 0; y < 11; ++y) CHECK(all[static_cast<std::size_t>(77 + y)] == w.item_bias(y));
}

TEST_CASE("stages: the same seed gives the same bits, another seed others, and later steps allocate nothing") {
  reference_backend be;
  auto const log = random_log(16, 9, 5, 3, 5);  // sequences of one length: every batch has the same shape
  auto o = tiny();
  std::vector<std::size_t> allocations;
  auto watch = [&](training_progress const&) { allocations.push_back(be.allocations()); };
  auto const first = train_supervised<reference_backend, float>(be, log, o, watch);
  CHECK(allocations.size() == 12);
  CHECK(allocations.front() == allocations.back());
  CHECK(train_supervised<reference_backend, float>(be, log, o).weights == first.weights);
  allocations.clear();
  auto const aligned = align<reference_backend, float>(be, log, first, o, marginal(log), watch);
  CHECK(allocations.size() == 8);
  CHECK(allocations.front() == allocations.back());
  CHECK(align<reference_backend, float>(be, log, first, o, marginal(log)).weights == aligned.weights);
  o.seed = 2;
  CHECK(train_supervised<reference_backend, float>(be, log, o).weights != first.weights);
  CHECK(align<reference_backend, float>(be, log, first, o, marginal(log)).weights != aligned.weights);
}

TEST_CASE("alignment stage: strength 0 is dpo bit for bit, and equal environments are one") {
  reference_backend be;
  auto const log = random_log(14, 9, 6, 3);
  auto o = tiny();
  auto const start = train_supervised<reference_backend, double>(be, log, o);
  auto const conditional = align<reference_backend, double>(be, log, start, o, marginal(log));
  auto const four = align<reference_backend, double>(be, log, start, o, marginal(log, 4));
  CHECK(relative_error(four.weights, conditional.weights) < 1e-12);
  o.alignment.strength = 0;
  auto const none = align<reference_backend, double>(be, log, start, o);
  o.alignment.method = alignment_method::dpo;
  auto const dpo = align<reference_backend, double>(be, log, start, o);
  CHECK(none.weights == dpo.weights);
  CHECK(conditional.weights != dpo.weights);
}

TEST_CASE("alignment stage: one environment is dpo from another start") {
  // With s' = s + (1 + 1/beta) log p the conditional loss in s is the plain one in s', so that training from the bias b - (1 +
  // 1/beta) log p must end where dpo ends from b, after taking the same amount off its bias.
  reference_backend be;
  auto const log = random_log(14, 9, 6, 3);
  auto const exposure = marginal(log);
  auto o = tiny();
  o.alignment.beta = 0.5;
  auto const start = train_supervised<reference_backend, double>(be, log, o);
  auto const without = [&](trained_model<double> m) {
    model_parameters<double, causaldpo::host_space> const w(m.options, m.weights);
    for (index_t y = 0; y < 9; ++y) w.item_bias(y) -= 3 * static_cast<double>(exposure.table[static_cast<std::size_t>(y)]);
    return m;
  };
  auto const conditional = align<reference_backend, double>(be, log, without(start), o, exposure, {}, &start);
  o.alignment.method = alignment_method::dpo;
  auto const after = without(align<reference_backend, double>(be, log, start, o));
  CHECK(relative_error(conditional.weights, after.weights) < 1e-6);
}

TEST_CASE("stages: logs and tables that do not fit are refused") {
  reference_backend be;
  training_log alone{3, true, {{1}, {}, {2}}};
  CHECK_THROWS_WITH_AS((train_supervised<reference_backend, float>(be, alone, tiny())),
                       "train: no user has two training interactions, and a next item needs one before it",
                       causaldpo::option_error);
  alone.sequences[0] = {1, 3};
  CHECK_THROWS_AS((train_supervised<reference_backend, float>(be, alone, tiny())), causaldpo::value_error);
  auto const log = random_log(4, 5, 4, 3, 2);
  auto const start = train_supervised<reference_backend, float>(be, log, tiny());
  CHECK_THROWS_AS((align<reference_backend, float>(be, log, start, tiny())), causaldpo::shape_error);
}

#if defined(CAUSALDPO_DEFAULT_BACKEND_EIGEN)
TEST_CASE("stages: Eigen learns what the reference learns") {
  auto const log = random_log(50, 101, 20, 3);
  auto o = tiny();
  o.dim = 12;
  o.max_length = 15;
  o.batch_sequences = 16;
  reference_backend plain;
  causaldpo::eigen_backend fast;
  auto const expected = train_supervised<reference_backend, double>(plain, log, o),
             actual = train_supervised<causaldpo::eigen_backend, double>(fast, log, o);
  CHECK(relative_error(actual.weights, expected.weights) < 1e-6);
  CHECK(relative_error(align<causaldpo::eigen_backend, double>(fast, log, expected, o, marginal(log)).weights,
                       align<reference_backend, double>(plain, log, expected, o, marginal(log)).weights) < 1e-6);
  CHECK(align<causaldpo::eigen_backend, float>(fast, log, train_supervised<causaldpo::eigen_backend, float>(fast, log, o), o,
                                               marginal(log))
            .weights == align<causaldpo::eigen_backend, float>(
                            fast, log, train_supervised<causaldpo::eigen_backend, float>(fast, log, o), o, marginal(log))
                            .weights);
}
#endif

}  // namespace
}  // namespace recommender
