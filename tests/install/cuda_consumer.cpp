// SPDX-License-Identifier: Apache-2.0
// A program of plain C++ that calls operations of the CUDA backend: they come from libcausaldpo-cuda. Without a device it says
// so and has shown that it links.
#include <cmath>
#include <cstdio>
#include <vector>

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/causaldpo.hpp"

int main() {
  using causaldpo::device_space;
  if (causaldpo::cuda_backend::devices() == 0) {
    std::printf("causaldpo %s on cuda: linked, no CUDA device\n", causaldpo::cuda_library_version());
    return 0;
  }
  causaldpo::cuda_backend backend;
  std::vector<float> const chosen{-1, -2}, rejected{-3, -2};
  float loss = 0;
  auto const c = backend.allocate<float>(2), r = backend.allocate<float>(2), mean = backend.allocate<float>(1);
  backend.copy(c.vector(), causaldpo::view<float const, 1>(chosen));
  backend.copy(r.vector(), causaldpo::view<float const, 1>(rejected));
  causaldpo::preference_loss(backend,
                             causaldpo::preference_batch<float, device_space>{.policy_chosen_logps = c.vector(),
                                                                              .policy_rejected_logps = r.matrix(2, 1)},
                             {.loss_mean = mean.vector()}, {.beta = 1, .reference_free = true});
  backend.copy(causaldpo::scalar(&loss), causaldpo::view<float const, 1, device_space>(mean.vector()));
  backend.synchronize();
  auto const selection =
      causaldpo::gmm_select(backend, c.matrix(2, 1), {{1, causaldpo::covariance_kind::diag}});  // decides on the host
  if (selection.table.size() != 1) return 1;
  double const expected = (std::log1p(std::exp(-2.0)) + std::log(2.0)) / 2;
  std::printf("causaldpo %s on cuda: %g\n", causaldpo::cuda_library_version(), static_cast<double>(loss));
  return std::abs(static_cast<double>(loss) - expected) < 1e-6 ? 0 : 1;
}
