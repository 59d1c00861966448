// SPDX-License-Identifier: Apache-2.0
// The whole library but its backends: include this and one backend (causaldpo/backends/eigen.hpp,
// causaldpo/backends/reference.hpp, or causaldpo/default_backend.hpp for the one that the build chose).
#pragma once

#include "causaldpo/version.hpp"

// Data and errors, the two concepts, options.
#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/concepts/tensor.hpp"
#include "causaldpo/core/adapt.hpp"
#include "causaldpo/core/config.hpp"
#include "causaldpo/core/error.hpp"
#include "causaldpo/core/half.hpp"
#include "causaldpo/core/indices.hpp"
#include "causaldpo/core/lane.hpp"
#include "causaldpo/core/math.hpp"
#include "causaldpo/core/philox.hpp"
#include "causaldpo/core/short_list.hpp"
#include "causaldpo/core/view.hpp"

// Derived tensor operations.
#include "causaldpo/ops/batched_gemm.hpp"
#include "causaldpo/ops/softmax_rows.hpp"

// From model outputs to log-probabilities.
#include "causaldpo/logprob/fused_linear_logps.hpp"

// Pairs and the losses over them.
#include "causaldpo/preference/batch.hpp"
#include "causaldpo/preference/build_preference_pairs.hpp"
#include "causaldpo/preference/conditional_preference.hpp"
#include "causaldpo/preference/losses.hpp"
#include "causaldpo/preference/losses_by_name.hpp"
#include "causaldpo/preference/metrics.hpp"
#include "causaldpo/preference/negative_sampler.hpp"
#include "causaldpo/preference/preference_loss.hpp"
#include "causaldpo/preference/sample_environments.hpp"
#include "causaldpo/preference/sample_negatives.hpp"

// Who was in which circumstances, and what they put in front of people.
#include "causaldpo/environment/columns.hpp"
#include "causaldpo/environment/exposure_model.hpp"
#include "causaldpo/environment/gmm_em.hpp"
#include "causaldpo/environment/gmm_initialize.hpp"
#include "causaldpo/environment/gmm_parameters.hpp"
#include "causaldpo/environment/gmm_posterior.hpp"
#include "causaldpo/environment/gmm_select.hpp"
#include "causaldpo/environment/soft_assignment.hpp"

// Adjustment, invariance, and the objective that composes them.
#include "causaldpo/adjustment/adjusted_loss.hpp"
#include "causaldpo/adjustment/estimators.hpp"
#include "causaldpo/invariance/kernels.hpp"
#include "causaldpo/invariance/mmd_penalty.hpp"
#include "causaldpo/invariance/vrex_penalty.hpp"
#include "causaldpo/objective/causal_dpo_objective.hpp"
#include "causaldpo/objective/objective_types.hpp"
#include "causaldpo/objective/presets.hpp"

// Measuring what came out.
#include "causaldpo/evaluation/expected_ranking_metrics.hpp"
#include "causaldpo/evaluation/ranking_metrics.hpp"
