// SPDX-License-Identifier: Apache-2.0
// The model: its gradient against finite differences, that padding has no influence, that nothing is allocated after the first
// step, and that the backends agree.
#include <doctest/doctest.h>

#include <vector>

#include "causaldpo/backends/reference.hpp"
#include "nn/model.hpp"
#include "nn/scatter.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"
#if defined(CAUSALDPO_DEFAULT_BACKEND_EIGEN)
#include "causaldpo/backends/eigen.hpp"
#endif

namespace recommender {
namespace {

using causaldpo::host_space;
using causaldpo::reference_backend;
using causaldpo::test::finite_difference_error;
using causaldpo::test::random_source;
using causaldpo::test::relative_error;

/// A batch of sequences of the given lengths, padded to `length`, and an item asked of each real position.
struct example {
  index_t sequences, length;
  std::vector<std::int32_t> tokens, asked;
  example(random_source& random, std::vector<index_t> const& lengths, index_t padded, index_t items)
      : sequences(static_cast<index_t>(lengths.size())),
        length(padded),
        tokens(static_cast<std::size_t>(sequences * length), -1),
        asked(tokens) {
    for (index_t s = 0; s < sequences; ++s)
      for (index_t t = 0; t < lengths[static_cast<std::size_t>(s)]; ++t) {
        tokens[static_cast<std::size_t>(s * length + t)] = static_cast<std::int32_t>(random.below(items));
        asked[static_cast<std::size_t>(s * length + t)] = static_cast<std::int32_t>(random.below(items));
      }
  }
  sequence_batch<host_space> batch() const { return {sequences, length, tokens}; }
};

/// value = sum over real positions of (h . items_asked + bias_asked)^2 / 2, and its gradient by all parameters.
template <class B, class T>
double quadratic(B& be, model<B, T>& net, model_options const& o, std::vector<T> const& flat, example const& x,
                 dropout_draw const& drop, std::vector<T>* gradient) {
  model_parameters<T const, host_space> const w(o, flat);
  auto const h = net.forward(be, w, x.batch(), drop);
  std::vector<T> slopes(x.asked.size(), T(0)), grad_h(x.asked.size() * static_cast<std::size_t>(o.dim), T(0));
  double value = 0;
  for (std::size_t r = 0; r < x.asked.size(); ++r) {
    if (x.asked[r] < 0) continue;
    double score = static_cast<double>(w.item_bias(x.asked[r]));
    for (index_t j = 0; j < o.dim; ++j)
      score += static_cast<double>(h(static_cast<index_t>(r), j)) * static_cast<double>(w.items(x.asked[r], j));
    value += score * score / 2;
    slopes[r] = static_cast<T>(score);
    for (index_t j = 0; j < o.dim; ++j)
      grad_h[r * static_cast<std::size_t>(o.dim) + static_cast<std::size_t>(j)] = slopes[r] * w.items(x.asked[r], j);
  }
  if (gradient == nullptr) return value;
  gradient->assign(flat.size(), T(0));
  model_parameters<T, host_space> const g(o, *gradient);
  auto const grad_x = net.backward(be, w, x.batch(), drop, causaldpo::matrix(grad_h.data(), x.sequences * x.length, o.dim), g);
  scatter_plan plan;
  plan.build(x.tokens);
  scatter_rows<T>(be, plan, grad_x, {}, {}, g.items);
  plan.build(x.asked);
  scatter_rows<T>(be, plan, h, {}, slopes, g.items);
  scatter_scalars<T>(be, plan, slopes, g.item_bias);
  return value;
}

std::vector<double> random_parameters(model_options const& o) {
  auto flat = initial_parameters<double>(o, 3, 0.5);
  random_source random(5);
  for (auto const& p :
       parameter_table(o))  // biases and gains away from 0 and 1, so that their gradients are tested in general position
    if (p.kind == parameter_kind::bias || p.kind == parameter_kind::gain)
      for (index_t i = 0; i < p.rows * p.cols; ++i) flat[static_cast<std::size_t>(p.offset + i)] += 0.3 * random.normal();
  return flat;
}

TEST_CASE("model: the gradient of every parameter agrees with finite differences") {
  struct sizes {
    model_options options;
    std::vector<index_t> lengths;
    index_t padded;
    double dropout;
  };
  for (auto const& c :
       {sizes{{.items = 5, .dim = 4, .feed_forward = 6, .max_length = 3}, {1}, 1, 0},
        sizes{{.items = 7, .dim = 6, .blocks = 2, .heads = 3, .feed_forward = 5, .max_length = 5}, {5, 1, 3}, 5, 0.2},
        sizes{{.items = 6, .dim = 4, .heads = 2, .feed_forward = 7, .max_length = 7, .positions = false}, {2, 3}, 4, 0.3},
        sizes{{.items = 4, .dim = 3, .blocks = 0, .max_length = 2}, {2, 2}, 2, 0}}) {
    random_source random(11);
    example const x(random, c.lengths, c.padded, c.options.items);
    auto flat = random_parameters(c.options);
    reference_backend be;
    model<reference_backend, double> net(be, c.options, x.sequences * c.options.max_length);
    dropout_draw const drop{c.dropout, {17, 4}, 9};
    std::vector<double> gradient;
    quadratic(be, net, c.options, flat, x, drop, &gradient);
    CHECK(finite_difference_error(flat, gradient, [&] {
            return quadratic<reference_backend, double>(be, net, c.options, flat, x, drop, nullptr);
          }) < 1e-7);
  }
}

TEST_CASE("model: padding has no influence, and the second step allocates nothing") {
  model_options const o{.items = 9, .dim = 8, .blocks = 2, .heads = 2, .feed_forward = 10, .max_length = 11};
  auto const flat = random_parameters(o);
  reference_backend be;
  model<reference_backend, double> net(be, o, 44);
  random_source random(2);
  std::vector<index_t> const lengths{3, 1, 5, 2};
  example const tight(random, lengths, 5, o.items);
  example wide = tight;
  wide.length = 11;
  wide.tokens.assign(44, -1);
  wide.asked = wide.tokens;
  for (std::size_t s = 0; s < 4; ++s)
    for (std::size_t t = 0; t < 5; ++t) {
      wide.tokens[s * 11 + t] = tight.tokens[s * 5 + t];
      wide.asked[s * 11 + t] = tight.asked[s * 5 + t];
    }
  std::vector<double> near, far;
  double const a = quadratic(be, net, o, flat, tight, {}, &near);
  auto const allocations = be.allocations();
  double const b = quadratic(be, net, o, flat, wide, {}, &far);
  CHECK(be.allocations() == allocations);
  CHECK(a == b);
  CHECK(relative_error(near, far) < 1e-14);
}

TEST_CASE("model: a position is not told what comes after it") {
  model_options const o{.items = 9, .dim = 8, .max_length = 6};
  auto const flat = random_parameters(o);
  reference_backend be;
  model<reference_backend, double> net(be, o, 6);
  random_source random(2);
  example x(random, {6}, 6, o.items);
  model_parameters<double const, host_space> const w(o, flat);
  std::vector<double> before;
  auto h = net.forward(be, w, x.batch());
  for (index_t i = 0; i < 6 * o.dim; ++i) before.push_back(h.data()[i]);
  x.tokens[4] = (x.tokens[4] + 1) % 9;
  h = net.forward(be, w, x.batch());
  for (index_t t = 0; t < 6; ++t) {
    bool same = true;
    for (index_t j = 0; j < o.dim; ++j) same = same && h(t, j) == before[static_cast<std::size_t>(t * o.dim + j)];
    CHECK(same == (t < 4));
  }
}

TEST_CASE("model: sizes that make no model are refused") {
  CHECK_THROWS_WITH_AS(parameter_table({.items = 0}), "model: items is 0 and must be at least 1", causaldpo::option_error);
  CHECK_THROWS_WITH_AS(parameter_table({.items = 3, .dim = 8, .heads = 3}), "model: heads is 3 and must be a divisor of dim",
                       causaldpo::option_error);
  reference_backend be;
  model_options const o{.items = 3, .dim = 2, .max_length = 4};
  model<reference_backend, float> net(be, o, 8);
  std::vector<float> const flat = initial_parameters<float>(o, 1);
  std::vector<std::int32_t> const tokens(12, 0);
  model_parameters<float const, host_space> const w(o, flat);
  CHECK_THROWS_AS(net.forward(be, w, {3, 4, tokens}), causaldpo::shape_error);
  CHECK_THROWS_AS(net.forward(be, w, {2, 5, tokens}), causaldpo::shape_error);
}

#if defined(CAUSALDPO_DEFAULT_BACKEND_EIGEN)
TEST_CASE("model: Eigen agrees with the reference, and repeats its bits") {
  for (index_t heads : {1, 4}) {
    model_options const o{.items = 301, .dim = 48, .blocks = 2, .heads = heads, .feed_forward = 96, .max_length = 50};
    auto const flat = random_parameters(o);
    random_source random(8);
    std::vector<index_t> lengths;
    for (index_t s = 0; s < 23; ++s) lengths.push_back(1 + random.below(47));
    lengths.push_back(47);
    example const x(random, lengths, 47, o.items);
    dropout_draw const drop{0.2, {1, 2}, 3};
    reference_backend plain;
    causaldpo::eigen_backend fast;
    model<reference_backend, double> plain_net(plain, o, 24 * 50);
    model<causaldpo::eigen_backend, double> fast_net(fast, o, 24 * 50);
    std::vector<double> expected, gradient, again;
    double const value = quadratic(plain, plain_net, o, flat, x, drop, &expected);
    CHECK(quadratic(fast, fast_net, o, flat, x, drop, &gradient) == doctest::Approx(value).epsilon(1e-11));
    CHECK(relative_error(gradient, expected) < 1e-11);
    quadratic(fast, fast_net, o, flat, x, drop, &again);
    CHECK(again == gradient);
  }
}
#endif

}  // namespace
}  // namespace recommender
