// SPDX-License-Identifier: Apache-2.0
// What the backend asks of the runtime, seen by the stand-in that counts: the second step of the objective neither allocates
// nor waits, no call strays from the backend's stream, the order in which threads run changes no bit, and memory that runs
// out is an exception that leaks nothing.
#include <doctest/doctest.h>

#include "causaldpo/backends/cuda/block.cuh"
#include "cuda/device_step.hpp"
#include "support/cuda_on_host/runtime.hpp"

namespace causaldpo::test {

TEST_CASE("cuda on the host: the second step of the objective neither allocates nor waits") {
  device_step step;
  step.run();
  auto const first = step.results();
  auto const before = cuda_on_host();
  step.run();
  CHECK(cuda_on_host().allocations == before.allocations);
  CHECK(cuda_on_host().synchronizations == before.synchronizations);
  CHECK(step.results() == first);
}

TEST_CASE("cuda on the host: every call is made on the backend's stream") {
  auto const mine = reinterpret_cast<cudaStream_t>(0x40);
  cuda_on_host_forget_streams();
  {
    device_step step(mine);
    step.run();
    step.be.synchronize();
  }
  CHECK(cuda_on_host_used(mine));
  CHECK_FALSE(cuda_on_host_used(nullptr));
}

TEST_CASE("cuda on the host: the order of threads and blocks changes no bit") {
  device_step forwards, backwards;
  forwards.run();
  detail::threads_run_backwards() = true;
  backwards.run();
  detail::threads_run_backwards() = false;
  CHECK(forwards.results() == backwards.results());
}

/// A head in X with all gradients, on memory of the device.
template <class X>
struct head_step {
  static constexpr index_t n = 70, d = 9, v = 700;
  cuda_backend be;
  detail::device_scratch<X> hidden, weight;
  detail::device_scratch<std::int64_t> targets;
  detail::device_scratch<float> out;

  explicit head_step(cudaStream_t stream = nullptr)
      : be(stream),
        hidden(be.allocate<X>(n * d)),
        weight(be.allocate<X>(v * d)),
        targets(be.allocate<std::int64_t>(n)),
        out(be.allocate<float>(n + (n + v) * d + v)) {
    random_source random(3);
    for (auto* memory : {&hidden, &weight}) {
      std::vector<X> values;
      for (float x : random.normals<float>(memory->size())) values.push_back(X(x));
      be.copy(memory->vector(), view<X const, 1>(values));
    }
    std::vector<std::int64_t> items;
    for (index_t i = 0; i < n; ++i) items.push_back(i % 7 == 3 ? -100 : random.below(v));
    be.copy(targets.vector(), view<std::int64_t const, 1>(items));
    be.synchronize();
  }
  void run() {
    float* const gradients = out.data() + n;
    fused_linear_logps(be, hidden.matrix(n, d), weight.matrix(v, d), view<std::int64_t const, 1, device_space>(targets.vector()),
                       {.logps = out.vector().part(0, n),
                        .grad_hidden = {gradients, n, d},
                        .grad_weight = {gradients + n * d, v, d},
                        .grad_bias = {gradients + (n + v) * d, v}},
                       {.row_tile = 32, .vocabulary_tile = 256});
  }
  std::vector<float> results() {
    std::vector<float> all(static_cast<std::size_t>(out.size()));
    be.copy(vector(all.data(), out.size()), view<float const, 1, device_space>(out.vector()));
    be.synchronize();
    return all;
  }
};

TEST_CASE_TEMPLATE("cuda on the host: a head allocates once, waits never, and keeps its stream and its bits", X, float, bfloat16,
                   float16) {
  auto const mine = reinterpret_cast<cudaStream_t>(0x40);
  cuda_on_host_forget_streams();
  std::vector<float> first, backwards;
  {
    head_step<X> step(mine);
    step.run();
    first = step.results();
    auto const before = cuda_on_host();
    step.run();
    CHECK(cuda_on_host().allocations == before.allocations);
    CHECK(cuda_on_host().synchronizations == before.synchronizations);
    CHECK(step.results() == first);
    detail::threads_run_backwards() = true;
    step.run();
    detail::threads_run_backwards() = false;
    backwards = step.results();
  }
  CHECK(cuda_on_host_used(mine));
  CHECK_FALSE(cuda_on_host_used(nullptr));
  CHECK(backwards == first);
}

TEST_CASE("cuda on the host: a step that needs scratch refuses to be captured, one that has it does not") {
  device_step step;
  cuda_on_host_capture(true);
  CHECK_THROWS_WITH_AS(step.run(), doctest::Contains("run it once with these sizes before"), backend_error);
  cuda_on_host_capture(false);
  step.run();
  auto const expected = step.results();
  cuda_on_host_capture(true);
  step.run();
  cuda_on_host_capture(false);
  CHECK(step.results() == expected);
}

TEST_CASE("cuda on the host: memory that runs out at any point is an exception, and nothing leaks") {
  auto const live = cuda_on_host().live;
  std::size_t thrown = 0;
  for (std::size_t n = 1;; ++n) {
    cuda_on_host_fail_allocation(n);
    try {
      device_step step;
      step.run();
      step.be.synchronize();
      cuda_on_host_fail_allocation(0);
      break;
    } catch (backend_error const& e) {
      CHECK(e.code == static_cast<int>(cudaErrorMemoryAllocation));
      ++thrown;
    }
    CHECK(cuda_on_host().live == live);
  }
  CHECK(thrown > 20);
  CHECK(cuda_on_host().live == live);
}

}  // namespace causaldpo::test
