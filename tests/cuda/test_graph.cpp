// SPDX-License-Identifier: Apache-2.0
// A step of the objective as a CUDA graph, and two backends on two streams. Needs a device.
#include <doctest/doctest.h>

#include <vector>

#include "causaldpo/causaldpo.hpp"
#include "cuda/device_step.hpp"

namespace causaldpo::test {

/// A stream of this test's own.
struct own_stream {
  cudaStream_t stream = nullptr;
  own_stream() { REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess); }
  ~own_stream() { static_cast<void>(cudaStreamDestroy(stream)); }
};

TEST_CASE("cuda: a captured step gives the same bits on every replay") {
  own_stream const own;
  device_step step(own.stream);
  step.run();  // takes the scratch
  auto const expected = step.results();

  cudaGraph_t graph = nullptr;
  cudaGraphExec_t program = nullptr;
  REQUIRE(cudaStreamBeginCapture(own.stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  step.run();
  REQUIRE(cudaStreamEndCapture(own.stream, &graph) == cudaSuccess);
  REQUIRE(cudaGraphInstantiate(&program, graph, 0) == cudaSuccess);
  for (int replay = 0; replay < 3; ++replay) {
    step.forget_results();
    REQUIRE(cudaGraphLaunch(program, own.stream) == cudaSuccess);
    CHECK(step.results() == expected);
  }

  step.spoil_input();
  REQUIRE(cudaGraphLaunch(program, own.stream) == cudaSuccess);
  CHECK_THROWS_AS(step.be.synchronize(), value_error);
  CHECK(cudaGraphExecDestroy(program) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
}

TEST_CASE("cuda: work on another stream changes no bit") {
  own_stream const first, second;
  device_step alone(first.stream);
  alone.run();
  auto const expected = alone.results();

  device_step one(first.stream), other(second.stream);
  for (int repeat = 0; repeat < 20; ++repeat) {
    one.run();
    other.run();
  }
  CHECK(one.results() == expected);
  CHECK(other.results() == expected);
}

}  // namespace causaldpo::test
