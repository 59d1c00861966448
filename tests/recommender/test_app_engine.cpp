// SPDX-License-Identifier: Apache-2.0
// The engines: which there are, what is refused, and that a backend with memory and a pace of its own does what the reference
// does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "app/engine_on.hpp"
#include "support/compare.hpp"
#include "support/queued_backend.hpp"
#include "support/random.hpp"

namespace recommender {
namespace {

using causaldpo::test::queued_backend;
using causaldpo::test::random_source;
using causaldpo::test::relative_error;

training_log random_log() {
  random_source random(3);
  training_log log{17, true, {}};
  for (index_t u = 0; u < 40; ++u) {
    log.sequences.emplace_back();
    for (index_t k = 0; k < 9; ++k) log.sequences.back().push_back(static_cast<std::int32_t>(random.below(17)));
  }
  return log;
}

/// Two environments with offsets at random.
exposure_table random_exposure(training_log const& log) {
  random_source random(4);
  exposure_table e{2, {}, {}};
  for (index_t p = 0; p < log.begins().back(); ++p) {
    float const q = static_cast<float>(random.below(5)) / 4;
    e.weights.push_back(q);
    e.weights.push_back(1 - q);
  }
  for (index_t y = 0; y < 2 * log.items; ++y) e.table.push_back(static_cast<float>(random.normal()));
  return e;
}

train_options small_options() {
  train_options o;
  o.dim = 8;
  o.heads = 2;
  o.feed_forward = 12;
  o.max_length = 7;
  o.batch_sequences = 4;
  o.start_scale = 0.3;
  o.optimizer.max_gradient_norm = 1;
  o.optimizer.epsilon = 1e-3;  // or rounding is taken for a gradient where there is none (the bias of the keys)
  o.supervised = {2, 1e-2, 2};
  o.alignment.epochs = 2;
  o.alignment.rejected = 2;
  return o;
}

void check_reports(std::vector<training_progress> const& actual, std::vector<training_progress> const& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CHECK(actual[i].step == static_cast<index_t>(i) + 1);
    CHECK(actual[i].epoch == expected[i].epoch);
    CHECK(actual[i].loss == doctest::Approx(expected[i].loss).epsilon(1e-4));
    CHECK(actual[i].margin == doctest::Approx(expected[i].margin).epsilon(1e-3).scale(1e-3));
    CHECK(actual[i].accuracy == doctest::Approx(expected[i].accuracy).epsilon(1e-6));
    CHECK(actual[i].saturation == doctest::Approx(expected[i].saturation).epsilon(1e-6));
  }
}

TEST_CASE("engines: the reference is always there, and what is not there is refused with the list") {
  auto const names = engine_names();
  CHECK(std::count(names.begin(), names.end(), "reference") == 1);
  CHECK(std::count(names.begin(), names.end(), default_engine()) == 1);
  CHECK(make_engine()->backend() == default_engine());
  for (std::string const& name : names) {
    if (name == "cuda") continue;  // is in the table also where there is no device
    CHECK(make_engine({name, 1})->backend() == name);
  }
  std::string const message = "--backend is abacus and must be one of those in this build: " + engine_list();
  CHECK_THROWS_WITH_AS(make_engine({"abacus", 0}), message.c_str(), std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_engine({"reference", 2}), doctest::Contains("must be 0 or 1 with the reference backend"),
                       std::invalid_argument);
}

TEST_CASE("engines: another memory and another pace, the same training, step by step") {
  auto const log = random_log();
  auto const exposure = random_exposure(log);
  auto o = small_options();
  auto const plain = make_engine({"reference", 0});
  std::vector<training_progress> expected_reports, reports;
  auto const expect_report = [&](training_progress const& p) { expected_reports.push_back(p); };
  auto const expected = plain->train_supervised(log, o, expect_report);

  queued_backend be;
  std::vector<std::size_t> waits, allocations;
  auto const report = [&](training_progress const& p) {
    reports.push_back(p);
    waits.push_back(be.waits());
    allocations.push_back(be.allocations());
  };
  auto const trained = train_supervised<queued_backend, float>(be, log, o, report);
  CHECK(relative_error(trained.weights, expected.weights) < 1e-4);
  check_reports(reports, expected_reports);
  REQUIRE(reports.size() == 40);
  CHECK(waits.back() == 3);  // 16, 16 and 8 steps
  CHECK(allocations.front() == allocations.back());

  for (auto method : {alignment_method::causaldpo, alignment_method::sdpo}) {
    o.alignment.method = method;
    expected_reports.clear();
    reports.clear();
    waits.clear();
    allocations.clear();
    auto const before = be.waits();
    auto const aligned = plain->align(log, expected, o, exposure, expect_report);
    CHECK(relative_error(align<queued_backend, float>(be, log, expected, o, exposure, report).weights, aligned.weights) < 1e-4);
    CHECK(relative_error(aligned.weights, expected.weights) > 1e-2);
    check_reports(reports, expected_reports);
    CHECK(waits.back() - before == 3);
    CHECK(allocations.front() == allocations.back());
  }
}

TEST_CASE("engines: nobody waits in a training of which nothing is told") {
  auto const log = random_log();
  auto const exposure = random_exposure(log);
  auto const o = small_options();
  auto const plain = make_engine({"reference", 0});
  queued_backend be;
  auto const start = train_supervised<queued_backend, float>(be, log, o);
  CHECK(be.waits() == 1);
  auto const aligned = align<queued_backend, float>(be, log, start, o, exposure);
  CHECK(be.waits() == 2);
  CHECK(relative_error(aligned.weights, plain->align(log, start, o, exposure, {}).weights) < 1e-4);
}

TEST_CASE("engines: scores, ranks and expected metrics from another memory") {
  auto const log = random_log();
  auto const plain = make_engine({"reference", 0});
  engine_on<queued_backend> other("queued", 0);
  auto const model = plain->train_supervised(log, small_options(), {});
  random_source random(9);
  index_t const users = 300, items = log.items;  // more than one block
  std::vector<std::vector<std::int32_t>> histories(static_cast<std::size_t>(users));
  std::vector<std::int32_t> targets;
  for (auto& h : histories) {
    for (index_t k = 0, n = random.below(12); k < n; ++k) h.push_back(static_cast<std::int32_t>(random.below(items)));
    targets.push_back(static_cast<std::int32_t>(random.below(items)));
  }
  std::vector<std::span<std::int32_t const>> const spans(histories.begin(), histories.end());
  auto const size = static_cast<std::size_t>(users * items);
  std::vector<float> expected(size), scores(size), probabilities(size);
  plain->scorer(model)->score(spans, causaldpo::matrix(expected.data(), users, items));
  other.scorer(model)->score(spans, causaldpo::matrix(scores.data(), users, items));
  CHECK(relative_error(scores, expected) < 1e-5);

  for (float& p : probabilities) p = static_cast<float>(random.below(100)) / 100;
  auto const view = causaldpo::matrix(expected.data(), users, items), p = causaldpo::matrix(probabilities.data(), users, items);
  std::vector<std::int64_t> expected_ranks(histories.size()), ranks(histories.size());
  plain->rank(view, targets, expected_ranks);
  other.rank(view, targets, ranks);
  CHECK(ranks == expected_ranks);
  expected_metrics const a = plain->expect(view, p), b = other.expect(view, p);
  for (std::size_t k : {0U, 1U}) {
    CHECK(a.ndcg[k] > 0);
    CHECK(b.hit_rate[k] == doctest::Approx(a.hit_rate[k]).epsilon(1e-5));
    CHECK(b.ndcg[k] == doctest::Approx(a.ndcg[k]).epsilon(1e-5));
    CHECK(b.mrr[k] == doctest::Approx(a.mrr[k]).epsilon(1e-5));
  }
}

TEST_CASE("mirror: a vector that travels by the outbox may change at once, and only a full outbox waits") {
  queued_backend be;
  index_t const n = 200000;  // 1.6 MB: two fit
  mirror<queued_backend, double> first(be, n), second(be, n), third(be, n);
  outbox out;
  std::vector<double> x(static_cast<std::size_t>(n), 1), back(x);
  first.place(be, x, out);
  std::fill(x.begin(), x.end(), 2);
  second.place(be, x, out);
  CHECK(be.waits() == 0);
  std::fill(x.begin(), x.end(), 3);
  third.place(be, x, out);
  CHECK(be.waits() == 1);
  std::fill(x.begin(), x.end(), 4);
  double expected = 1;
  for (auto* m : {&first, &second, &third}) {
    m->fetch(be, back);
    CHECK(std::count(back.begin(), back.end(), expected++) == n);
  }
  CHECK_THROWS_WITH_AS(first.place(be, std::vector<double>(static_cast<std::size_t>(n) + 1)),
                       doctest::Contains("at most [200000]"), causaldpo::shape_error);

  causaldpo::reference_backend plain;
  mirror<causaldpo::reference_backend, double> const same(plain, x);
  CHECK(same.view().data() == x.data());
}

}  // namespace
}  // namespace recommender
