// SPDX-License-Identifier: Apache-2.0
// adjusted_loss: cases worked by hand, finite differences, the identities of the estimators, edges and errors.
#pragma once

#include <type_traits>

#include "causaldpo/adjustment/adjusted_loss.hpp"
#include "causaldpo/backends/reference.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// An estimator as a user would write it: the mean of the squared risks.
struct mean_square_risk {
  double scale = 1;
  template <class T, class S>
  CAUSALDPO_HD accumulator operator()(environment_risks<T, S> const& e, view<accumulator, 1, S> weights) const {
    accumulator value = 0;
    for (index_t k = 0; k < e.size(); ++k) {
      weights.at(k) = 2 * scale * e.prior.at(k) * e.risks.at(k);
      value += scale * e.prior.at(k) * e.risks.at(k) * e.risks.at(k);
    }
    return value;
  }
};
static_assert(risk_estimator<mean_square_risk>);

/// A problem of b examples and k environments, and everything that adjusted_loss can be asked for.
template <class T>
struct adjustment_problem {
  index_t b, k;
  std::vector<T> losses, q, prior, previous, assignment;
  std::vector<T> value, grad, grad_q, env_losses, env_mass, env_weights, weights, ess;

  adjustment_problem(index_t rows, index_t environments, std::uint64_t seed = 5) : b(rows), k(environments) {
    random_source random(seed);
    auto const n = static_cast<std::size_t>(b), m = static_cast<std::size_t>(k);
    losses = random.normals<T>(b, 0.5, 1);
    q = random.memberships<T>(b, k);
    assignment = random.memberships<T>(b, k);
    for (index_t i = 0; i < k; ++i) prior.push_back(static_cast<T>(random.uniform(0.2, 1)));
    for (index_t i = 0; i < k; ++i) previous.push_back(static_cast<T>(random.uniform(0.2, 1)));
    for (auto* v : {&value, &ess}) v->assign(1, T(-9));
    for (auto* v : {&grad, &weights}) v->assign(n, T(-9));
    for (auto* v : {&env_losses, &env_mass, &env_weights}) v->assign(m, T(-9));
    grad_q.assign(n * m, T(-9));
  }
  auto memberships() { return matrix(q.data(), b, k); }
  adjusted_loss_inputs<T> inputs() { return {prior, previous, matrix(assignment.data(), b, k)}; }
  /// Results that every estimator offers.
  adjusted_loss_results<T> results() {
    return {.value = value,
            .grad_losses = grad,
            .grad_q = matrix(grad_q.data(), b, k),
            .env_losses = env_losses,
            .env_mass = env_mass};
  }
  template <class B, class O>
  void run(B& be, O const& options) {
    adjusted_loss(be, losses, memberships(), results(), options, inputs());
  }
};

TEST_CASE_TEMPLATE("adjusted_loss: two hard environments by hand", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> losses{1, 3, 5, 8, 8}, q{1, 0, 1, 0, 0, 1, 0, 1, 0, 1}, grad(5), risks(2), mass(2), weights(2),
      prior{T(0.25), T(0.75)};
  T value = -1;
  auto const memberships = matrix(q.data(), 5, 2);
  adjusted_loss_results<T> const results{.value = scalar(&value), .grad_losses = grad, .env_losses = risks, .env_mass = mass};

  adjusted_loss(be, losses, memberships, results);
  CHECK(value == T(4.5));  // risks 2 and 7
  CHECK(risks == std::vector<T>{2, 7});
  CHECK(mass == std::vector<T>{2, 3});
  CHECK(relative_error(grad, std::vector<double>{0.25, 0.25, 1 / 6., 1 / 6., 1 / 6.}) < tolerance<T>());

  adjusted_loss(be, losses, memberships, results, {.estimator = estimator::stratified{.prior = prior_kind::given}},
                {.prior = prior});
  CHECK(value == T(5.75));
  adjusted_loss(be, losses, memberships, results, {.estimator = estimator::mean{}});
  CHECK(value == T(5));
  adjusted_loss(be, losses, memberships, results, {.estimator = estimator::worst{}});
  CHECK(value == T(7));
  CHECK(relative_error(grad, std::vector<double>{0, 0, 1 / 3., 1 / 3., 1 / 3.}) < tolerance<T>());
  adjusted_loss(be, losses, memberships, results, {.estimator = estimator::soft_worst{.temperature = 2}});
  CHECK(static_cast<double>(value) == doctest::Approx(2 * std::log((std::exp(1.0) + std::exp(3.5)) / 2)));

  // lam ~ (1/4) e^(2 ln 2 / 2), (3/4) e^(7 ln 2 / 2) = 2 : 6 * 2^2.5
  double const eta = std::log(2.0) / 2, second = 6 * std::pow(2.0, 2.5) / (2 + 6 * std::pow(2.0, 2.5));
  adjusted_loss(be, losses, memberships, {.value = scalar(&value), .env_weights = weights},
                {.estimator = estimator::group_dro{.eta = eta}}, {.prev_env_weights = prior});
  CHECK(static_cast<double>(weights[1]) == doctest::Approx(second));
  CHECK(static_cast<double>(value) == doctest::Approx(2 + 5 * second));

  // The propensities are 1, so w_i = p_k = 1/2 whatever the row; a clip from below raises them to 1.
  T ess = 0;
  std::vector<T> w(5);
  adjusted_loss(be, losses, memberships, {.value = scalar(&value), .weights = w, .effective_sample_size = scalar(&ess)},
                {.estimator = estimator::ipw{}});
  CHECK(value == T(2.5));
  CHECK(w == std::vector<T>(5, T(0.5)));
  CHECK(ess == T(5));
  adjusted_loss(be, losses, memberships, {.value = scalar(&value)}, {.estimator = estimator::ipw{.weight_clip_min = 1}});
  CHECK(value == T(5));
  if constexpr (compiles_own_functors<typename Cell::backend>) {
    adjusted_loss(be, losses, memberships, {.value = scalar(&value)}, adjustment_options_for<mean_square_risk>{.estimator = {2}});
    CHECK(value == T(53));  // 2 (4 + 49) / 2
  }
}

TEST_CASE_TEMPLATE("adjusted_loss: gradients agree with finite differences", Cell, CAUSALDPO_TEST_CELLS) {
  if constexpr (std::is_same_v<typename Cell::scalar, double>) {
    typename Cell::backend be;
    auto check = [&](auto const& options, bool by_q) {
      for (index_t b : {1, 7, 31, 33, 67})
        for (index_t k : {1, 3}) {
          adjustment_problem<double> p(b, k, static_cast<std::uint64_t>(b * 10 + k));
          p.run(be, options);
          auto value = [&] {
            double v = 0;
            adjusted_loss(be, p.losses, p.memberships(), {.value = scalar(&v)}, options, p.inputs());
            return v;
          };
          CHECK(finite_difference_error(p.losses, p.grad, value) < 1e-7);
          if (by_q) CHECK(finite_difference_error(p.q, p.grad_q, value, 1e-4) < 1e-7);
        }
    };
    for (prior_kind prior : {prior_kind::uniform, prior_kind::given, prior_kind::batch, prior_kind::ema}) {
      bool const constant = prior == prior_kind::uniform || prior == prior_kind::given;
      check(adjustment_options{.estimator = estimator::stratified{.prior = prior}}, constant);
      check(adjustment_options{.estimator = estimator::soft_worst{.temperature = 0.3, .prior = prior}}, constant);
      check(adjustment_options{.estimator = estimator::ipw{.prior = prior, .self_normalize = constant}}, false);
    }
    check(adjustment_options{.estimator = estimator::ipw{.weight_clip_max = 1.5, .assignment = assignment_kind::given}}, false);
    check(adjustment_options{.estimator = estimator::mean{}}, true);
    check(adjustment_options{.estimator = estimator::worst{}}, true);
    if constexpr (compiles_own_functors<typename Cell::backend>) check(adjustment_options_for<mean_square_risk>{}, true);
    // group weights are constants: with eta 0 they do not move, so finite differences see the same function
    check(adjustment_options{.estimator = estimator::group_dro{.eta = 0}}, true);
  }
}

TEST_CASE_TEMPLATE("adjusted_loss: estimators that equal one another", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  adjustment_problem<T> a(67, 4), b(67, 4);
  double const tol = tolerance<T>(67);
  auto same = [&] {
    CHECK(relative_error(a.value, b.value) < tol);
    CHECK(relative_error(a.grad, b.grad) < tol);
  };

  a.run(be, adjustment_options{.estimator = estimator::mean{}});
  b.run(be, adjustment_options{.estimator = estimator::stratified{.prior = prior_kind::batch}});
  same();  // the degenerate prior
  b.assignment = b.q;
  b.run(be, adjustment_options{.estimator = estimator::ipw{.assignment = assignment_kind::given}});
  same();  // the degenerate assignment
  b.run(be, adjustment_options{.estimator = estimator::ipw{.self_normalize = true, .weight_clip_min = 1, .weight_clip_max = 1}});
  same();

  a.run(be, adjustment_options{.estimator = estimator::worst{}});
  b.run(be, adjustment_options{.estimator = estimator::soft_worst{.temperature = 1e-5}});
  CHECK(relative_error(a.value, b.value) < 1e-3);
  a.run(be, adjustment_options{});
  b.run(be, adjustment_options{.estimator = estimator::soft_worst{.temperature = 1e6}});
  CHECK(relative_error(a.value, b.value) < 1e-4);
  b.previous.assign(4, T(1));
  b.run(be, adjustment_options{.estimator = estimator::group_dro{.eta = 0}});
  CHECK(relative_error(a.value, b.value) < tol);
  CHECK(relative_error(a.grad_q, b.grad_q) < tol);
}

TEST_CASE_TEMPLATE("adjusted_loss: agrees with the reference backend, leaves inputs alone, allocates once", Cell,
                   CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  reference_backend reference;
  any_estimator const all[] = {
      estimator::stratified{},        estimator::mean{},       estimator::ipw{.assignment = assignment_kind::given},
      estimator::group_dro{.eta = 1}, estimator::soft_worst{}, estimator::worst{}};
  for (any_estimator const& e : all) {
    adjustment_problem<T> a(3001, 5), b(3001, 5), before(3001, 5);
    a.run(be, adjustment_options{.estimator = e});
    auto const allocations = be.allocations();
    auto const first = a.grad;
    a.run(be, adjustment_options{.estimator = e});
    b.run(reference, adjustment_options{.estimator = e});
    CHECK(be.allocations() == allocations);
    CHECK(a.grad == first);
    CHECK(relative_error(a.value, b.value) < tolerance<T>(3001));
    CHECK(relative_error(a.grad, b.grad) < tolerance<T>(3001));
    CHECK(relative_error(a.grad_q, b.grad_q) < tolerance<T>(3001));
    CHECK(relative_error(a.env_losses, b.env_losses) < tolerance<T>(3001));
    CHECK(a.losses == before.losses);
    CHECK(a.q == before.q);
  }
}

TEST_CASE_TEMPLATE("adjusted_loss: padded rows give the same", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  adjustment_problem<T> a(13, 3);
  std::vector<T> q(13 * 5, T(7)), grad_q(13 * 6, T(7)), value(1);
  for (std::size_t i = 0; i < 13; ++i)
    for (std::size_t k = 0; k < 3; ++k) q[i * 5 + k] = a.q[i * 3 + k];

  a.run(be, adjustment_options{});
  adjusted_loss(be, a.losses, matrix(q.data(), 13, 3, 5), {.value = value, .grad_q = matrix(grad_q.data(), 13, 3, 6)});

  CHECK(value == a.value);
  for (std::size_t i = 0; i < 13; ++i) {
    for (std::size_t k = 0; k < 3; ++k) CHECK(grad_q[i * 6 + k] == a.grad_q[i * 3 + k]);
    for (std::size_t k = 3; k < 6; ++k) CHECK(grad_q[i * 6 + k] == T(7));
  }
}

TEST_CASE_TEMPLATE("adjusted_loss: infinite losses, empty environments, no rows", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  T const inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  any_estimator const all[] = {estimator::stratified{},        estimator::mean{},       estimator::ipw{},
                               estimator::group_dro{.eta = 1}, estimator::soft_worst{}, estimator::worst{}};
  for (any_estimator const& e : all) {
    adjustment_problem<T> p(4, 3);
    p.q = {1, 0, 0, T(0.5), T(0.5), 0, 0, 1, 0, 0, 0, 0};  // environment 2 is empty, row 3 belongs to none
    p.losses = {1, 2, 3, nan};                             // and is not read
    p.run(be, adjustment_options{.estimator = e});
    CHECK(std::isfinite(p.value[0]));
    CHECK(p.grad[3] == T(0));
    CHECK(p.env_losses[2] == T(0));
    for (T g : p.grad_q) CHECK(std::isfinite(g));

    p.losses[2] = inf;
    p.run(be, adjustment_options{.estimator = e});
    CHECK(p.value[0] == inf);
    CHECK(p.grad[2] > T(0));
    for (T g : p.grad) CHECK(std::isfinite(g));
    for (T g : p.grad_q) CHECK(std::isfinite(g));

    p.losses = {inf, inf, inf, nan};  // both risks infinite
    p.run(be, adjustment_options{.estimator = e});
    CHECK(p.value[0] == inf);
    for (T g : p.grad) CHECK(std::isfinite(g));

    p.q.assign(12, T(0));  // no environment at all
    p.run(be, adjustment_options{.estimator = e});
    CHECK(p.value[0] == T(0));
    CHECK(p.grad == std::vector<T>(4, T(0)));
    CHECK(p.grad_q == std::vector<T>(12, T(0)));

    adjustment_problem<T> none(0, 3), no_environment(3, 0);
    none.run(be, adjustment_options{.estimator = e});
    CHECK(none.value[0] == T(0));
    no_environment.run(be, adjustment_options{.estimator = e});
    CHECK(no_environment.value[0] == T(0));
    CHECK(no_environment.grad == std::vector<T>(3, T(0)));
  }
  // a loss outside the worst environment does not touch it, however large
  adjustment_problem<T> p(2, 2);
  p.q = {1, 0, 0, 1};
  p.losses = {inf, 3};
  p.prior = {0, 1};
  adjusted_loss(be, p.losses, p.memberships(), p.results(), {.estimator = estimator::stratified{.prior = prior_kind::given}},
                p.inputs());
  CHECK(p.value[0] == T(3));
}

TEST_CASE_TEMPLATE("adjusted_loss: the running prior", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  std::vector<T> losses{1, 3, 5, 7}, q{1, 0, 1, 0, 1, 0, 0, 1}, prior{T(0.5), T(0.5)}, updated(2);
  T value = 0;
  adjusted_loss(be, losses, matrix(q.data(), 4, 2), {.value = scalar(&value), .updated_prior = updated},
                {.estimator = estimator::stratified{.prior = prior_kind::ema, .ema_rate = 0.5}}, {.prior = prior});
  CHECK(updated == std::vector<T>{T(0.625), T(0.375)});  // halfway to the masses 3/4 and 1/4
  CHECK(value == T(4.5));                                // 0.625 * 3 + 0.375 * 7
}

TEST_CASE_TEMPLATE("adjusted_loss: what is refused", Cell, CAUSALDPO_TEST_CELLS) {
  using T = typename Cell::scalar;
  typename Cell::backend be;
  adjustment_problem<T> p(3, 2);
  auto with = [&](any_estimator const& e, adjusted_loss_results<T> const& results, adjusted_loss_inputs<T> const& inputs) {
    adjusted_loss(be, p.losses, p.memberships(), results, {.estimator = e}, inputs);
  };
  CHECK_THROWS_WITH_AS(adjusted_loss(be, p.losses, matrix(p.q.data(), 2, 2), p.results()),
                       "adjusted_loss: q is [2, 2] and must be [3, 2] (one row for each loss)", shape_error);
  CHECK_THROWS_WITH_AS(with(estimator::stratified{.prior = prior_kind::given}, p.results(), {}),
                       "adjusted_loss: prior is left out and must be [2] (one weight for each column of q)", shape_error);
  CHECK_THROWS_WITH_AS(with(estimator::group_dro{}, p.results(), {}), doctest::Contains("prev_env_weights is left out"),
                       shape_error);
  CHECK_THROWS_AS(with(estimator::ipw{.assignment = assignment_kind::given}, p.results(), {}), shape_error);
  CHECK_THROWS_WITH_AS(with(estimator::soft_worst{.temperature = 0}, p.results(), {}),
                       "adjusted_loss: temperature is 0 and must be finite and > 0", option_error);
  CHECK_THROWS_AS(with(estimator::ipw{.propensity_floor = 0}, p.results(), {}), option_error);
  CHECK_THROWS_AS(with(estimator::ipw{.weight_clip_min = 2, .weight_clip_max = 1}, p.results(), {}), option_error);
  CHECK_THROWS_AS(with(estimator::worst{}, {.weights = p.weights}, {}), option_error);
  CHECK_THROWS_AS(with(estimator::stratified{}, {.updated_prior = p.env_mass}, {}), option_error);
  CHECK(p.value[0] == T(-9));  // nothing was written

  p.prior[1] = T(-1);
  CHECK_THROWS_WITH_AS(with(estimator::stratified{.prior = prior_kind::given}, p.results(), p.inputs()),
                       doctest::Contains("prior at flat position 1 (row-major) is negative or NaN"), value_error);
  for (any_estimator const& e :
       {any_estimator{estimator::stratified{}}, any_estimator{estimator::mean{}}, any_estimator{estimator::ipw{}}}) {
    p.losses[2] = std::numeric_limits<T>::quiet_NaN();
    CHECK_THROWS_WITH_AS(with(e, p.results(), {}), doctest::Contains("per_example_losses holds a NaN at flat position 2"),
                         value_error);
    p.losses[2] = T(1);
    std::swap(p.q[3], p.losses[0]);
    p.q[3] = std::numeric_limits<T>::quiet_NaN();
    CHECK_THROWS_WITH_AS(with(e, p.results(), {}), doctest::Contains("q holds a NaN at flat position 3"), value_error);
    p.q[3] = T(0.5);
  }
}

}  // namespace causaldpo::test
