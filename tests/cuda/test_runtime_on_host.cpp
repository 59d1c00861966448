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
