// SPDX-License-Identifier: Apache-2.0
// One training step of a recommender that already has its own model and memory: exposure from the log, then the
// objective's value and exact gradients for a batch of preference pairs.
#include <cstdio>

#include "causaldpo/causaldpo.hpp"
#include "causaldpo/default_backend.hpp"

using causaldpo::matrix;

int main() {
  // Your log: items that were taken, and in which of two seasons (soft memberships are fine, too).
  std::vector<int> items{0, 0, 0, 1, 1, 2, 2, 2};
  std::vector<float> season{1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1};
  // Your batch: scores of the chosen and the rejected item under the policy and its frozen copy.
  std::vector<int> chosen{0, 2}, rejected{1, 0};
  std::vector<float> policy_chosen{-1.0F, -1.2F}, policy_rejected{-2.0F, -0.9F}, reference_chosen{-1.1F, -1.1F}, reference_rejected{-1.8F, -1.0F};
  std::vector<float> now{1, 0, 0, 1};  // the season of each of the two examples

  causaldpo::default_backend backend;                       // owns threads and scratch; reuse it
  std::vector<float> exposure(2 * 3), offsets_chosen(2 * 2), offsets_rejected(2 * 2), grad_chosen(2), grad_rejected(2);
  causaldpo::exposure_model(backend, items, matrix(season.data(), 8, 2), {.log_conditional = matrix(exposure.data(), 2, 3)});
  for (int i = 0; i < 2; ++i)
    for (int k = 0; k < 2; ++k) {                           // log p(item | season) of what was chosen and rejected
      offsets_chosen[2 * i + k] = exposure[3 * k + chosen[i]];
      offsets_rejected[2 * i + k] = exposure[3 * k + rejected[i]];
    }
  causaldpo::objective_batch<float> batch{
      .preference = {.policy_chosen_logps = policy_chosen, .policy_rejected_logps = matrix(policy_rejected.data(), 2, 1),
                     .reference_chosen_logps = reference_chosen, .reference_rejected_logps = matrix(reference_rejected.data(), 2, 1)},
      .offsets = {.chosen = matrix(offsets_chosen.data(), 2, 2), .rejected = matrix(offsets_rejected.data(), 2, 2)},
      .q = matrix(now.data(), 2, 2)};
  float value = 0;                                          // an output that is left out is not computed
  causaldpo::causal_dpo_objective(backend, batch, {.value = causaldpo::scalar(&value), .grad_chosen_logps = grad_chosen,
                                                   .grad_rejected_logps = matrix(grad_rejected.data(), 2, 1)},
                                  causaldpo::presets::recommended());

  std::printf("loss %.4f, gradient of the chosen scores %.4f %.4f, of the rejected %.4f %.4f\n", value, grad_chosen[0], grad_chosen[1],
              grad_rejected[0], grad_rejected[1]);
}
