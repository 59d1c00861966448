// SPDX-License-Identifier: Apache-2.0
// What a training run can be told, and what it tells while it runs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "nn/adamw.hpp"
#include "training/batches.hpp"

namespace recommender {

/// What follows the supervised stage.
enum class alignment_method {
  dpo,       ///< DPO: the margin of the chosen over the rejected item against the reference's
  sdpo,      ///< S-DPO: softmax over several rejected items
  causaldpo  ///< DPO of the environment-conditional policy: each margin shifted by strength * log p(item | environment)
};

/// Epochs of `batches` steps that make at least `steps`, between `least` and `most`.
inline index_t epochs_for(index_t batches, index_t steps, index_t least, index_t most) {
  return std::clamp((steps + batches - 1) / std::max<index_t>(batches, 1), least, most);
}

/// Supervised stage: cross-entropy at every position.
struct supervised_options {
  index_t epochs = 0;        ///< 0: 10, or on a small log as many as make 650 steps, up to 60
  double learning_rate = 0;  ///< falls linearly to a tenth; 0: 2e-3, or 3e-3 for fewer than 1,000 steps
  index_t warm_up = 50;      ///< steps in which it rises

  index_t epochs_of(index_t batches) const { return epochs > 0 ? epochs : epochs_for(batches, 650, 10, 60); }
  double learning_rate_of(index_t steps) const { return learning_rate > 0 ? learning_rate : steps < 1000 ? 3e-3 : 2e-3; }
};

/// Alignment stage: every position is a preference example.
struct alignment_options {
  alignment_method method = alignment_method::causaldpo;
  index_t epochs = 0;              ///< 0: 2, or on a small log as many as make 140 steps, up to 10
  double learning_rate = 1e-3;     ///< falls linearly to a tenth
  index_t warm_up = 0;             ///< steps in which it rises
  double beta = 1;                 ///< of the preference loss
  index_t rejected = 0;            ///< sampled rejected items of each example; 0: 5 for sdpo, else 1
  double popularity_exponent = 0;  ///< s: rejected items are drawn in proportion to count^s; 0: uniformly
  std::optional<double>
      strength{};  ///< tau of causaldpo; left out: 1 + beta - s, with which the exposure drops out of the optimum

  index_t epochs_of(index_t batches) const { return epochs > 0 ? epochs : epochs_for(batches, 140, 2, 10); }
  double tau() const { return strength ? *strength : 1 + beta - popularity_exponent; }
  index_t rejected_items() const { return rejected > 0 ? rejected : method == alignment_method::sdpo ? 5 : 1; }
};

/// Sizes of the model and what both stages share.
struct train_options {
  index_t dim = 48, blocks = 1, heads = 1, feed_forward = 96, max_length = 50;
  double dropout = 0.2;       ///< on the input
  double start_scale = 0.02;  ///< standard deviation of the starting embeddings and weight matrices
  index_t batch_sequences = 64;
  index_t windows_per_user = 4;
  adamw_options optimizer{};
  std::uint64_t seed = 1;
  supervised_options supervised{};
  alignment_options alignment{};
};

/// log p(item | the environments of an interaction) as a mixture of K tables: offset(p, y) = sum_k weights_pk table_ky for the
/// target position p of an example. One covariate: its memberships q and log p(y|e_k). Several covariates compose by adding log
/// ratios: stack their tables and memberships, and add the row log p(y) with the weight 1 - (sum of all memberships). The weights
/// enter linearly, which is what `mixture: expected` asks for.
struct exposure_table {
  index_t environments = 0;    ///< K
  std::vector<float> weights;  ///< [positions, K]
  std::vector<float> table;    ///< [K, V]
};

enum class training_stage { supervised, alignment };

/// What is known after each step.
struct training_progress {
  training_stage stage = training_stage::supervised;
  index_t step = 0, steps = 0;    ///< steps done, of the stage
  index_t epoch = 0, epochs = 0;  ///< the current one, from 0
  double loss = 0;                ///< of this step's batch, mean over examples
  double accuracy = 0;            ///< alignment: share of pairs whose chosen item has the larger reward
  double margin = 0;              ///< alignment: mean reward of the chosen less that of the rejected items
  double saturation = 0;          ///< alignment: share of examples that learn no more, s(-margin) < 1e-3, the offsets included
  double seconds = 0;             ///< since the stage began
};
using progress_callback = std::function<void(training_progress const&)>;

/// A model and its weights, in host memory: what the stages hand on, a file stores and a scorer reads.
template <causaldpo::real_scalar T>
struct trained_model {
  model_options options{};
  index_t context = 1;     ///< the most recent items that it looks at
  std::vector<T> weights;  ///< flat, as parameter_table(options) says
};

}  // namespace recommender
