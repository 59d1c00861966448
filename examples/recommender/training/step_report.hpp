// SPDX-License-Identifier: Apache-2.0
// How the numbers of a step come from the backend's memory to whoever wants to be told of the progress.
#pragma once

#include <chrono>
#include <vector>

#include "nn/fill.hpp"
#include "nn/mirror.hpp"
#include "training/options.hpp"

namespace recommender {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Every step leaves its numbers in a slot of its own and every step is reported with them. A backend outside the host's memory
/// is waited for once in `together` steps, whose reports then come one after another; in the host's memory each comes at once.
template <causaldpo::backend B, causaldpo::real_scalar T>
class step_report {
  using S = typename B::space;

 public:
  static constexpr index_t together = in_host_memory<B> ? 1 : 16;
  /// What a slot holds: the loss, and in the alignment stage what follows (each for all examples, then for the environment).
  enum place : index_t { loss = 0, margin = 1, accuracy = 3, saturation = 5, width = 7 };

  /// An empty `callback` costs nothing.
  step_report(B& be, progress_callback const& callback)
      : be_(be), callback_(callback), numbers_(be.template allocate<T>(together * width)) {
    fill<T>(be, numbers_.vector(), T(0));  // a stage need not write them all, and all are read
    host_.resize(static_cast<std::size_t>(together * width));
    steps_.reserve(static_cast<std::size_t>(together));
  }
  bool wanted() const { return static_cast<bool>(callback_); }
  /// Where the step that is under way leaves its numbers, [width].
  causaldpo::view<T, 1, S> slot() const { return numbers_.vector().part(static_cast<index_t>(steps_.size()) * width, width); }
  /// The step is done; what there is to tell besides its numbers. The loss is divided by `divisor`.
  void done(training_progress const& step, double divisor = 1) {
    if (!wanted()) return;
    steps_.push_back({step, divisor});
    if (static_cast<index_t>(steps_.size()) == together || step.step == step.steps) tell();
  }

 private:
  struct finished_step {
    training_progress progress;
    double divisor;
  };

  void tell() {
    auto const count = static_cast<index_t>(steps_.size()) * width;
    be_.copy(causaldpo::view<T, 1>(host_.data(), count), causaldpo::view<T const, 1, S>(numbers_.data(), count));
    be_.synchronize();
    T const* numbers = host_.data();
    for (finished_step& s : steps_) {
      auto const number = [&](place at) { return static_cast<double>(numbers[at]); };
      s.progress.loss = number(loss) / s.divisor;
      if (s.progress.stage == training_stage::alignment) {
        s.progress.margin = number(margin);
        s.progress.accuracy = number(accuracy);
        s.progress.saturation = number(saturation);
      }
      s.progress.seconds = seconds_since(start_);
      callback_(s.progress);
      numbers += width;
    }
    steps_.clear();
  }

  B& be_;
  progress_callback const& callback_;
  scratch_of<B, T> numbers_;
  std::vector<T> host_;
  std::vector<finished_step> steps_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace recommender
