// SPDX-License-Identifier: Apache-2.0
// preference_loss and conditional_preference on the device. The generic body is four to eight launches, each of which reads
// again what the last one wrote: the pass over examples, one or two for every reduction, the scalars, what examples
// count under Dr.DPO, the gradients. Here it is at most two. In the first, blocks pass over their examples and add them up;
// the gradients follow there at once where their scale is known beforehand (`upstream`, a sum), and so does everything else
// where one block holds all examples. In the second every block joins the blocks' sums in the same order, so that all
// have the same scale without waiting for one another.
// The mathematics is that of include/causaldpo/preference; a thread has an example, neighbours in the columns of scratch.
#pragma once

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/backends/cuda/block.cuh"
#include "causaldpo/preference/conditional_preference.hpp"

namespace causaldpo::detail {

/// What some examples add up to; `dr` with dr_dpo only.
struct preference_partial {
  preference_sums sums;
  log_sum_exp dr;
};
struct preference_partial_fold {
  using value_type = preference_partial;
  CAUSALDPO_HD static preference_partial identity() { return {}; }
  CAUSALDPO_HD preference_partial operator()(preference_partial const& a, preference_partial const& b) const {
    return {preference_sums_fold{}(a.sums, b.sums), log_sum_exp_fold{}(a.dr, b.dr)};
  }
};

/// What both kernels know, and what follows the pass over examples.
template <class T, class S>
struct preference_blocks {
  static constexpr int threads = 128;
  static constexpr index_t most_blocks = 512;  // every block reads the sums of all
  struct shared {
    preference_partial values[threads];
    accumulator inverse_weight;
  };
  preference_reader<T, S> read;
  preference_scratch<T, S> scratch;
  view<T, 1, S> coefficients;
  bool gradients, dr_gradients, of_margin;
  preference_partial* partials;  // of each block
  index_t examples, blocks;

  /// Gradients need no sum over examples.
  CAUSALDPO_HD bool scale_is_known() const { return read.a.upstream.given() || read.plan.reduction == loss_reduction::sum; }
  CAUSALDPO_HD example_weight<T, S> weight() const { return {read.a.batch.sample_weights, scratch.counts, read.a.watch}; }

  /// What example i adds, after the pass.
  CAUSALDPO_HD preference_partial part(index_t i) const {
    preference_partial p{preference_sums_map<T, S>{weight(), scratch.loss, scratch.wins}(i), {}};
    if (read.plan.reduction == loss_reduction::dr_dpo) p.dr = dr_dpo_map<T, S>{weight(), scratch.loss, read.plan.dr_beta}(i);
    return p;
  }
  /// The gradients of example i; the sums are not read where the scale is known.
  CAUSALDPO_HD void differentiate(index_t i, shared const& s) const {
    view<accumulator const, 1, S> const inverse{&s.inverse_weight, 1};
    if (dr_gradients)
      dr_dpo_coefficients<T, S>{weight(), scratch.loss, {&s.values[0].dr, 1}, inverse, read.plan.dr_beta, coefficients}(i);
    call_at(preference_gradients<T, S>{read, scratch, inverse, coefficients, of_margin}, i);
  }
  /// From the sums that each thread has of all examples: the scalars, written by the first block, and the gradients.
  template <class Block>
  CAUSALDPO_HD void close(Block const& block, shared& s) const {
    fold_threads<threads>(block, s.values, preference_partial_fold{});
    block.each([&](int t) {
      if (t != 0) return;
      preference_finish<T, S> finish{{&s.values[0].sums, 1}, {&s.values[0].dr, 1}, read.plan.reduction, read.plan.dr_beta, {},
                                     {&s.inverse_weight, 1}};
      if (block.index == 0) {
        finish.out.loss_mean = read.a.out.loss_mean;
        finish.out.accuracy = read.a.out.accuracy;
        finish.out.pair_accuracy = read.a.out.pair_accuracy;
      }
      finish(0);
    });
    if (!gradients || scale_is_known()) return;
    block.each([&](int t) {
      for (index_t i = block.index * threads + t; i < examples; i += blocks * threads) differentiate(i, s);
    });
  }
};

/// The pass over examples and the sums of each block; all the rest too where there is one block.
template <class Loss, class T, class S>
struct preference_pass_kernel {
  static constexpr int threads = preference_blocks<T, S>::threads;
  using shared = typename preference_blocks<T, S>::shared;
  Loss loss;
  preference_blocks<T, S> all;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    preference_partial_fold const fold;
    block.each([&](int t) {
      preference_pass<Loss, T, S> const pass{{loss, all.read, all.scratch, all.gradients}};
      preference_partial sum = preference_partial_fold::identity();
      for (index_t i = block.index * threads + t; i < all.examples; i += all.blocks * threads) {
        call_at(pass, i);
        sum = fold(sum, all.part(i));
        if (all.gradients && all.scale_is_known()) all.differentiate(i, s);
      }
      s.values[t] = sum;
    });
    if (all.blocks == 1) return all.close(block, s);
    fold_threads<threads>(block, s.values, fold);
    block.each([&](int t) {
      if (t == 0) all.partials[block.index] = s.values[0];
    });
  }
};

/// What needs the sums over all examples.
template <class T, class S>
struct preference_closing_kernel {
  static constexpr int threads = preference_blocks<T, S>::threads;
  using shared = typename preference_blocks<T, S>::shared;
  preference_blocks<T, S> all;

  template <class Block>
  CAUSALDPO_HD void operator()(Block const& block, shared& s) const {
    preference_partial_fold const fold;
    block.each([&](int t) {
      preference_partial sum = preference_partial_fold::identity();
      for (index_t b = t; b < all.blocks; b += threads) sum = fold(sum, all.partials[b]);
      s.values[t] = sum;
    });
    all.close(block, s);
  }
};

/// The body of both operations. Scratch: that of the generic body, and 64 bytes for each block.
template <real_scalar T, class Loss>
void cuda_preference(cuda_backend& be, Loss const& loss, preference_args<T, device_space> const& a,
                     preference_plan<T> const& plan) {
  using blocks_of = preference_blocks<T, device_space>;
  preference_reader<T, device_space> const read{a, plan};
  preference_memory<cuda_backend, T, Loss> const memory(be, a, plan);
  index_t const needed = parts_of(read.examples(), blocks_of::threads);
  index_t const blocks = needed < 1 ? 1 : needed < blocks_of::most_blocks ? needed : blocks_of::most_blocks;
  auto const partials = be.template allocate<preference_partial>(blocks > 1 ? blocks : 0);
  blocks_of const all{read,
                      memory.scratch(),
                      memory.coefficients(),
                      memory.gradients(),
                      memory.dr_gradients(),
                      preference_evaluation<Loss, T, device_space>::of_margin,
                      partials.data(),
                      read.examples(),
                      blocks};
  launch_blocks(be.stream(), blocks, preference_pass_kernel<Loss, T, device_space>{loss, all});
  if (blocks == 1) return;
  bool const scalars = a.out.loss_mean.given() || a.out.accuracy.given() || a.out.pair_accuracy.given();
  bool const differentiates = memory.gradients() && !all.scale_is_known();
  if (scalars || differentiates)
    launch_blocks(be.stream(), differentiates ? blocks : 1, preference_closing_kernel<T, device_space>{all});
}

}  // namespace causaldpo::detail

namespace causaldpo {

template <real_scalar T, preference_loss_function Loss>
void override_for(op::preference_loss, cuda_backend& be, detail::preference_args<T, device_space> const& a,
                  preference_options_for<Loss> const& o) {
  detail::cuda_preference<T>(be, o.loss, a, detail::plan_unconditional<T>(o));
}
template <real_scalar T, shiftable_loss Loss>
void override_for(op::conditional_preference, cuda_backend& be, detail::preference_args<T, device_space> const& a,
                  conditional_options_for<Loss> const& o) {
  detail::cuda_preference<T>(be, o.loss, a, detail::plan_conditional<T>(o));
}

}  // namespace causaldpo
