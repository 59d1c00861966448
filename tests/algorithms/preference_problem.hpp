// SPDX-License-Identifier: Apache-2.0
// A random batch of preference pairs that owns its memory, and room for the results: shared by the tests of preference/.
#pragma once

#include <cstring>

#include "causaldpo/preference/conditional_preference.hpp"
#include "causaldpo/preference/losses_by_name.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// The bits of two results are the same, NaN included.
template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// B examples, J rejected items, K environments; matrices have `pad` columns more than they show, filled with NaN.
template <class T>
struct preference_problem {
  index_t b, j, k, pad;
  std::vector<T> policy_chosen, policy_rejected, reference_chosen, reference_rejected, pair_weights, sample_weights,
      chosen_lengths, rejected_lengths, smoothing, q, chosen_offsets, rejected_offsets, upstream;
  std::vector<std::uint8_t> mask;
  bool masked = false, paired = false, sampled = false;

  preference_problem(index_t examples, index_t items, index_t environments = 0, std::uint64_t seed = 1, index_t padding = 0)
      : b(examples), j(items), k(environments), pad(padding) {
    random_source r(seed);
    policy_chosen = r.normals<T>(b, 2, -8);
    policy_rejected = padded(r.normals<T>(b * j, 2, -9), b, j);
    reference_chosen = r.normals<T>(b, 2, -8);
    reference_rejected = padded(r.normals<T>(b * j, 2, -9), b, j);
    pair_weights = padded(uniforms(r, b * j, 0.2, 3), b, j);
    sample_weights = uniforms(r, b, 0.2, 3);
    chosen_lengths = uniforms(r, b, 1, 6);
    rejected_lengths = padded(uniforms(r, b * j, 1, 6), b, j);
    smoothing = uniforms(r, b, 0, 0.4);
    q = padded(r.memberships<T>(b, k), b, k);
    chosen_offsets = padded(r.normals<T>(b * k, 1, -4), b, k);
    rejected_offsets = padded(r.normals<T>(b * j * k, 1, -4), b * j, k);
    upstream = r.normals<T>(b);
    mask.assign(static_cast<std::size_t>(b * (j + pad)), 1);
    for (index_t i = 0; i < b; ++i)
      for (index_t c = 1; c < j; ++c) mask[static_cast<std::size_t>(i * (j + pad) + c)] = r.uniform() < 0.7;
  }

  view<T, 2> pairs(std::vector<T>& x) const { return {x.data(), b, j, j + pad}; }
  view<T const, 2> pairs(std::vector<T> const& x) const { return {x.data(), b, j, j + pad}; }
  view<T const, 2> environments(std::vector<T> const& x, index_t rows) const { return {x.data(), rows, k, k + pad}; }

  preference_batch<T> batch() const {
    preference_batch<T> x{.policy_chosen_logps = policy_chosen,
                          .policy_rejected_logps = pairs(policy_rejected),
                          .reference_chosen_logps = reference_chosen,
                          .reference_rejected_logps = pairs(reference_rejected)};
    if (masked) x.rejected_mask = view<std::uint8_t const, 2>(mask.data(), b, j, j + pad);
    if (paired) x.pair_weights = pairs(pair_weights);
    if (sampled) x.sample_weights = sample_weights;
    x.chosen_lengths = chosen_lengths;
    x.rejected_lengths = pairs(rejected_lengths);
    x.smoothing = smoothing;
    return x;
  }
  view<T const, 2> memberships() const { return environments(q, b); }
  exposure_offsets<T> offsets() const { return {environments(chosen_offsets, b), environments(rejected_offsets, b * j)}; }

  std::vector<T> padded(std::vector<T> const& dense, index_t rows, index_t cols) const {
    std::vector<T> x(static_cast<std::size_t>(rows * (cols + pad)), std::numeric_limits<T>::quiet_NaN());
    for (index_t r = 0; r < rows; ++r)
      for (index_t c = 0; c < cols; ++c)
        x[static_cast<std::size_t>(r * (cols + pad) + c)] = dense[static_cast<std::size_t>(r * cols + c)];
    return x;
  }

 private:
  static std::vector<T> uniforms(random_source& r, index_t n, double low, double high) {
    std::vector<T> x(static_cast<std::size_t>(n));
    for (T& v : x) v = static_cast<T>(static_cast<float>(r.uniform(low, high)));
    return x;
  }
};

/// Every result of both operations, filled with a number that no operation leaves behind.
template <class T>
struct preference_answers {
  index_t b, j, k, pad;
  T loss_mean = -77, accuracy = -77, pair_accuracy = -77;
  std::vector<T> loss, grad_chosen, grad_rejected, chosen_rewards, rejected_rewards, margins, shifted_margins, counts, wins,
      grad_chosen_offsets, grad_rejected_offsets, posterior;

  explicit preference_answers(preference_problem<T> const& p) : b(p.b), j(p.j), k(p.k), pad(p.pad) {
    for (auto* v : {&loss, &grad_chosen, &chosen_rewards, &margins, &shifted_margins, &counts, &wins}) v->assign(size(b, 1), -77);
    for (auto* m : {&grad_rejected, &rejected_rewards}) m->assign(size(b, j + pad), -77);
    for (auto* m : {&grad_chosen_offsets, &posterior}) m->assign(size(b, k + pad), -77);
    grad_rejected_offsets.assign(size(b * j, k + pad), -77);
  }
  preference_results<T> plain() {
    return {.loss = loss,
            .loss_mean = scalar(&loss_mean),
            .grad_chosen_logps = grad_chosen,
            .grad_rejected_logps = {grad_rejected.data(), b, j, j + pad},
            .chosen_rewards = chosen_rewards,
            .rejected_rewards = {rejected_rewards.data(), b, j, j + pad},
            .margins = margins,
            .accuracy = scalar(&accuracy),
            .pair_accuracy = scalar(&pair_accuracy),
            .pair_counts = counts,
            .pair_wins = wins};
  }
  conditional_results<T> conditional(bool likelihood = false) {
    conditional_results<T> r{.loss = loss,
                             .loss_mean = scalar(&loss_mean),
                             .grad_chosen_logps = grad_chosen,
                             .grad_rejected_logps = {grad_rejected.data(), b, j, j + pad},
                             .grad_chosen_offsets = {grad_chosen_offsets.data(), b, k, k + pad},
                             .grad_rejected_offsets = {grad_rejected_offsets.data(), b * j, k, k + pad}};
    if (likelihood) r.posterior = {posterior.data(), b, k, k + pad};
    r.chosen_rewards = chosen_rewards;
    r.rejected_rewards = {rejected_rewards.data(), b, j, j + pad};
    r.margins = margins;
    r.shifted_margins = shifted_margins;
    r.accuracy = scalar(&accuracy);
    r.pair_accuracy = scalar(&pair_accuracy);
    r.pair_counts = counts;
    r.pair_wins = wins;
    return r;
  }
  /// Everything in a row without padding, for comparisons.
  std::vector<T> all() const {
    std::vector<T> x{loss_mean, accuracy, pair_accuracy};
    for (auto const* v : {&loss, &grad_chosen, &chosen_rewards, &margins, &shifted_margins, &counts, &wins})
      x.insert(x.end(), v->begin(), v->end());
    for (auto const* m : {&grad_rejected, &rejected_rewards}) append(x, *m, b, j);
    for (auto const* m : {&grad_chosen_offsets, &posterior}) append(x, *m, b, k);
    append(x, grad_rejected_offsets, b * j, k);
    return x;
  }

 private:
  static std::size_t size(index_t rows, index_t cols) { return static_cast<std::size_t>(rows * cols); }
  void append(std::vector<T>& x, std::vector<T> const& m, index_t rows, index_t cols) const {
    for (index_t r = 0; r < rows; ++r)
      for (index_t c = 0; c < cols; ++c) x.push_back(m[static_cast<std::size_t>(r * (cols + pad) + c)]);
  }
};

/// The names of the library's losses, and of those that conditional_preference takes.
inline std::vector<char const*> loss_names() {
  return {"sigmoid", "cpo",  "rosepo",   "robust",   "simpo",    "hinge",    "ipo",      "exo_pair", "sdpo",
          "dmpo",    "orpo", "kto_pair", "bco_pair", "nca_pair", "apo_zero", "apo_down", "sppo_hard"};
}
inline std::vector<char const*> margin_loss_names() {
  return {"sigmoid", "cpo", "rosepo", "robust", "simpo", "hinge", "ipo", "exo_pair", "sdpo", "dmpo"};
}
/// Parameters that leave no term of any loss at 0.
inline loss::any named_loss(char const* name) {
  return loss::by_name(
      name,
      {.label_smoothing = 0.1, .gamma = 0.4, .kl = 0.2, .desirable_weight = 1.2, .undesirable_weight = 0.7, .bco_delta = 0.3});
}

/// Largest error of `gradient` against differences of `value` along random directions, relative to the largest
/// directional derivative: for gradients with too many entries to try each.
template <class F>
double directional_error(std::vector<double>& x, std::vector<double> const& gradient, F&& value, std::uint64_t seed = 3) {
  random_source random(seed);
  std::vector<double> const start = x;
  double error = 0, largest = 1e-3;
  for (int trial = 0; trial < 4; ++trial) {
    std::vector<double> const direction = random.normals<double>(static_cast<index_t>(x.size()));
    auto at = [&](double h) {
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = start[i] + h * direction[i];
      return value();
    };
    double along = 0;
    for (std::size_t i = 0; i < x.size(); ++i) along += direction[i] * gradient[i];
    auto slope = [&](double h) { return (at(h) - at(-h)) / (2 * h); };
    error = std::max(error, std::abs((4 * slope(5e-4) - slope(1e-3)) / 3 - along));
    largest = std::max(largest, std::abs(along));
    x = start;
  }
  return error / largest;
}

}  // namespace causaldpo::test
