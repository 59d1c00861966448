// SPDX-License-Identifier: Apache-2.0
// What an operation costs on Eigen, beside two rows that tell what it should cost: `generic`, the same call on a backend
// without replacements, and, where one fits in a few lines, `hand`, a plain loop. Compare rows of one run only.
#include <benchmark/benchmark.h>

#include <cmath>

#include "causaldpo/backends/eigen.hpp"
#include "causaldpo/backends/reference.hpp"
#include "causaldpo/causaldpo.hpp"

namespace {

using causaldpo::index_t;
using causaldpo::matrix;

/// The Eigen backend with nothing replaced: `overrides` names the class itself, not its bases.
class generic_eigen : public causaldpo::eigen_backend {
 public:
  using causaldpo::eigen_backend::eigen_backend;
};

std::vector<float> numbers(index_t n, float scale) {
  causaldpo::random_stream const draws{1, 1};
  std::vector<float> x(static_cast<std::size_t>(n));
  for (index_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = scale * static_cast<float>(draws.normal(static_cast<std::uint64_t>(i)));
  return x;
}

template <class Backend>
void fused_linear_logps(benchmark::State& state) {
  index_t const n = state.range(0), d = state.range(1), v = state.range(2);
  Backend be;
  auto const hidden = numbers(n * d, 0.5F), weight = numbers(v * d, 0.5F), upstream = numbers(n, 1);
  std::vector<std::int32_t> targets(static_cast<std::size_t>(n));
  for (index_t i = 0; i < n; ++i) targets[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i * 7919 % v);
  std::vector<float> logps(targets.size()), grad_hidden(hidden.size()), grad_weight(weight.size());
  for (auto _ : state)
    causaldpo::fused_linear_logps(be, matrix(hidden.data(), n, d), matrix(weight.data(), v, d), targets,
                                  {.logps = logps, .grad_hidden = matrix(grad_hidden.data(), n, d), .grad_weight = matrix(grad_weight.data(), v, d)}, {}, {},
                                  upstream);
  state.counters["flops"] = benchmark::Counter(6.0 * static_cast<double>(n * d * v), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["scratch"] = static_cast<double>(be.scratch_peak());
}

template <class Backend>
void mmd_penalty(benchmark::State& state) {
  index_t const b = state.range(0), d = state.range(1), k = state.range(2);
  Backend be;
  auto const outputs = numbers(b * d, 1);
  std::vector<float> q(static_cast<std::size_t>(b * k), 1.0F / static_cast<float>(k)), grad(outputs.size());
  for (index_t i = 0; i < b; ++i) q[static_cast<std::size_t>(i * k + i % k)] += 0.5F;
  float value = 0;
  for (auto _ : state)
    causaldpo::mmd_penalty(be, matrix(outputs.data(), b, d), matrix(q.data(), b, k),
                           {.value = causaldpo::scalar(&value), .grad_outputs = matrix(grad.data(), b, d)}, {.bandwidths = {std::sqrt(static_cast<double>(d))}});
  state.counters["flops"] = benchmark::Counter(3.0 * static_cast<double>(b * b * d), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["scratch"] = static_cast<double>(be.scratch_peak());
}

template <class Backend>
void preference_loss(benchmark::State& state) {
  index_t const b = state.range(0), j = state.range(1);
  Backend be;
  auto const pc = numbers(b, 1), pr = numbers(b * j, 1), rc = numbers(b, 1), rr = numbers(b * j, 1);
  std::vector<float> gc(pc.size()), gr(pr.size());
  float value = 0;
  for (auto _ : state)
    causaldpo::preference_loss(be,
                               causaldpo::preference_batch<float>{.policy_chosen_logps = pc, .policy_rejected_logps = matrix(pr.data(), b, j),
                                                                  .reference_chosen_logps = rc, .reference_rejected_logps = matrix(rr.data(), b, j)},
                               {.loss_mean = causaldpo::scalar(&value), .grad_chosen_logps = gc, .grad_rejected_logps = matrix(gr.data(), b, j)});
  state.SetItemsProcessed(state.iterations() * b * j);
}

/// DPO with one rejected item as one would write it down.
void preference_loss_hand(benchmark::State& state) {
  index_t const b = state.range(0);
  auto const pc = numbers(b, 1), pr = numbers(b, 1), rc = numbers(b, 1), rr = numbers(b, 1);
  std::vector<float> gc(pc.size()), gr(pr.size());
  for (auto _ : state) {
    double sum = 0;
    for (std::size_t i = 0; i < pc.size(); ++i) {
      float const z = 0.1F * (pc[i] - rc[i] - pr[i] + rr[i]), e = std::exp(-std::abs(z));
      sum += static_cast<double>(std::max(-z, 0.0F) + std::log1p(e));
      gr[i] = 0.1F * (z >= 0 ? e : 1.0F) / (1.0F + e) / static_cast<float>(b);
      gc[i] = -gr[i];
    }
    benchmark::DoNotOptimize(sum);
    benchmark::DoNotOptimize(gc.data());
  }
  state.SetItemsProcessed(state.iterations() * b);
}

}  // namespace

BENCHMARK(fused_linear_logps<causaldpo::eigen_backend>)->Args({512, 64, 3706})->Args({512, 64, 32000})->UseRealTime();
BENCHMARK(fused_linear_logps<generic_eigen>)->Args({512, 64, 3706})->Args({512, 64, 32000})->UseRealTime();
BENCHMARK(mmd_penalty<causaldpo::eigen_backend>)->Args({1024, 256, 4})->Args({4096, 128, 8})->UseRealTime();
BENCHMARK(mmd_penalty<generic_eigen>)->Args({1024, 256, 4})->Args({4096, 128, 8})->UseRealTime();
BENCHMARK(preference_loss<causaldpo::eigen_backend>)->Args({4096, 1})->Args({4096, 15})->Args({1 << 20, 1})->UseRealTime();
BENCHMARK(preference_loss<causaldpo::reference_backend>)->Args({4096, 1})->UseRealTime();
BENCHMARK(preference_loss_hand)->Args({4096, 1})->Args({1 << 20, 1})->UseRealTime();
BENCHMARK_MAIN();
