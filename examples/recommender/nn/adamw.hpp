// SPDX-License-Identifier: Apache-2.0
// AdamW: Adam with decoupled weight decay. Source: Loshchilov and Hutter, arXiv 1711.05101, algorithm 2.
#pragma once

#include <algorithm>
#include <cmath>

#include "nn/fill.hpp"
#include "nn/parameters.hpp"

namespace recommender {

struct adamw_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;       ///< of the weight matrices only
  double max_gradient_norm = 0;  ///< gradients with a larger Euclidean norm are scaled down to it; 0: never
};

/// Learning rate of step 0 .. steps - 1: rises over `warm_up` steps, falls linearly to a tenth of `peak` at the last.
inline double learning_rate(double peak, index_t step, index_t steps, index_t warm_up) {
  double const done = static_cast<double>(step) / static_cast<double>(std::max<index_t>(steps - 1, 1));
  double const rise = warm_up > 0 ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(warm_up)) : 1.0;
  return peak * rise * (1 - 0.9 * done);
}

/// f(lane): m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate (m / c1) / (sqrt(v / c2) + epsilon) + rate decay w.
template <class T, class S>
struct adamw_kernel {
  using lane_scalar = T;
  causaldpo::view<T const, 1, S> grad;
  causaldpo::view<T const, 1, S> grad_scale;  ///< [1]
  causaldpo::view<T, 1, S> weight, first, second;
  T beta1, beta2, epsilon, rate, decay, correction1, correction2;
  template <class L>
  CAUSALDPO_HD void operator()(L const& lane) const {
    using V = typename L::value;
    V const g = lane.load(grad) * L::broadcast(grad_scale.at(0)), w = lane.load(weight);
    V const m = L::broadcast(beta1) * lane.load(first) + L::broadcast(T(1) - beta1) * g;
    V const v = L::broadcast(beta2) * lane.load(second) + L::broadcast(T(1) - beta2) * g * g;
    V const move =
        m * L::broadcast(correction1) / (causaldpo::math::sqrt<V>(v * L::broadcast(correction2)) + L::broadcast(epsilon));
    lane.store(first, m);
    lane.store(second, v);
    lane.store(weight, w - L::broadcast(rate) * (move + L::broadcast(decay) * w));
  }
};

/// map(i) = g_i^2.
template <class T, class S>
struct square_map {
  causaldpo::view<T const, 1, S> x;
  CAUSALDPO_HD double operator()(index_t i) const { return static_cast<double>(x.at(i)) * static_cast<double>(x.at(i)); }
};

/// One work item: scale = min(1, limit / norm).
template <class T, class S>
struct clip_kernel {
  causaldpo::view<double const, 1, S> squares;
  double limit;
  causaldpo::view<T, 1, S> scale;
  CAUSALDPO_HD void operator()(index_t) const {
    double const norm = causaldpo::math::sqrt(squares.at(0));
    scale.at(0) = static_cast<T>(norm > limit ? limit / norm : 1);
  }
};

/// The moments of one model's parameters; `step` moves the parameters against a gradient.
template <causaldpo::backend B, causaldpo::real_scalar T>
class adamw {
  using scratch = scratch_of<B, T>;

 public:
  adamw(B& be, model_options const& model, adamw_options const& options)
      : options_(options),
        table_(parameter_table(model)),
        first_(be.template allocate<T>(parameter_count(model))),
        second_(be.template allocate<T>(parameter_count(model))),
        scale_(be.template allocate<T>(1)),
        squares_(be.template allocate<double>(1)) {
    fill<T>(be, first_.vector(), T(0));
    fill<T>(be, second_.vector(), T(0));
    fill<T>(be, scale_.vector(), T(1));
  }

  /// weights and grad are flat vectors. Cost: one pass over the parameters, two with a limit on the norm.
  void step(B& be, out_vector<T, B> weights, in_vector<T, B> grad, double rate) {
    using S = typename B::space;
    ++steps_;
    if (options_.max_gradient_norm > 0) {
      be.reduce(grad.size(), square_map<T, S>{grad}, causaldpo::detail::sum_fold<>{}, squares_.vector());
      be.launch(1, clip_kernel<T, S>{squares_.vector(), options_.max_gradient_norm, scale_.vector()});
    }
    double const c1 = 1 / (1 - std::pow(options_.beta1, steps_)), c2 = 1 / (1 - std::pow(options_.beta2, steps_));
    for (auto const& p : table_) {
      index_t const n = p.rows * p.cols;
      double const decay = p.kind == parameter_kind::weight ? options_.weight_decay : 0;
      be.launch(
          n, adamw_kernel<T, S>{grad.part(p.offset, n), scale_.vector(), weights.part(p.offset, n),
                                first_.vector().part(p.offset, n), second_.vector().part(p.offset, n),
                                static_cast<T>(options_.beta1), static_cast<T>(options_.beta2), static_cast<T>(options_.epsilon),
                                static_cast<T>(rate), static_cast<T>(decay), static_cast<T>(c1), static_cast<T>(c2)});
    }
  }

 private:
  adamw_options options_;
  std::vector<parameter_entry> table_;
  scratch first_, second_, scale_;
  scratch_of<B, double> squares_;
  double steps_ = 0;
};

}  // namespace recommender
