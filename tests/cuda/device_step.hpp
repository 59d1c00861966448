// SPDX-License-Identifier: Apache-2.0
// A step of the objective with everything in it, on memory of the device.
#pragma once

#include <limits>
#include <vector>

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/causaldpo.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// A batch on the device, and a step of the objective on it.
struct device_step {
  static constexpr index_t b = 300, j = 3, k = 4, d = 9;
  cuda_backend be;
  std::vector<detail::device_scratch<float>> memory;

  explicit device_step(cudaStream_t stream = nullptr) : be(stream) {
    random_source random(5);
    for (index_t n : {b, b * j, b, b * j, b * k, b * j * k, b * k, b * d}) {
      auto const x = n == b * k && memory.size() == 6 ? random.memberships<float>(b, k) : random.normals<float>(n);
      memory.push_back(be.allocate<float>(n));
      be.copy(memory.back().vector(), view<float const, 1>(x));
      be.synchronize();  // x ends here
    }
    for (index_t n : {index_t{1}, b, b * j, b * d}) memory.push_back(be.allocate<float>(n));
    be.synchronize();
  }
  void run() {
    objective_batch<float, device_space> const batch{
        .preference = {.policy_chosen_logps = memory[0].vector(),
                       .policy_rejected_logps = memory[1].matrix(b, j),
                       .reference_chosen_logps = memory[2].vector(),
                       .reference_rejected_logps = memory[3].matrix(b, j)},
        .offsets = {.chosen = memory[4].matrix(b, k), .rejected = memory[5].matrix(b * j, k)},
        .q = memory[6].matrix(b, k),
        .outputs = memory[7].matrix(b, d)};
    objective_options options = presets::recommended();
    options.mmd = weighted_penalty<mmd_options>{.weight = 0.5};
    options.vrex = weighted_penalty<vrex_options>{.weight = 0.1};
    causal_dpo_objective(be, batch,
                         {.value = memory[8].vector(),
                          .grad_chosen_logps = memory[9].vector(),
                          .grad_rejected_logps = memory[10].matrix(b, j),
                          .grad_outputs = memory[11].matrix(b, d)},
                         options);
  }
  /// Overwrites the results with NaN.
  void forget_results() {
    for (std::size_t m = 8; m < 12; ++m) {
      std::vector<float> const nothing(static_cast<std::size_t>(memory[m].size()), std::numeric_limits<float>::quiet_NaN());
      be.copy(memory[m].vector(), view<float const, 1>(nothing));
      be.synchronize();
    }
  }
  /// Puts a NaN where the step reads.
  void spoil_input() {
    float const nan = std::numeric_limits<float>::quiet_NaN();
    be.copy(memory[0].vector().part(7, 1), view<float const, 1>(&nan, 1));
    be.synchronize();
  }
  std::vector<float> results() {
    std::vector<float> all;
    for (std::size_t m = 8; m < 12; ++m) {
      std::vector<float> part(static_cast<std::size_t>(memory[m].size()));
      be.copy(vector(part.data(), memory[m].size()), view<float const, 1, device_space>(memory[m].vector()));
      be.synchronize();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
};

}  // namespace causaldpo::test
