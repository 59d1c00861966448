// SPDX-License-Identifier: Apache-2.0
// preference_loss and conditional_preference as kernels of the CUDA backend, held against their generic bodies on the same
// backend: no, one and many blocks, more examples than threads, every reduction, padded rows, edges, and NaN.
#pragma once

#include "algorithms/preference_problem.hpp"
#include "causaldpo/preference/conditional_preference.hpp"
#include "support/staged_backend.hpp"

namespace causaldpo::test {
namespace {

static_assert(overrides<op::preference_loss, cuda_backend> && overrides<op::conditional_preference, cuda_backend>);

/// A backend, and another that holds the copies in the device's memory.
struct device_pair {
  cuda_backend be, storage;
};

/// Runs an operation on copies in the device's memory, by its generic body or by what replaces it; what it wrote stands in
/// the views of `args` afterwards. The complaint about a NaN is returned.
template <class Op, class T, class Options>
std::string call_on_device(device_pair& device, bool replaced, detail::preference_args<T, host_space> const& args,
                           Options const& options) {
  cuda_backend& be = device.be;
  stage<cuda_backend> copies(device.storage);
  detail::preference_args<T, device_space> there{};
  put_on_stage(copies, there, args);
  std::vector<char const*> const names(detail::preference_input_names);
  there.watch = be.open_watch({"op", names.data(), static_cast<int>(names.size())});
  if (replaced)
    override_for(Op{}, be, there, options);
  else
    Op::generic(be, there, options);
  be.close_watch(there.watch);
  std::string complaint;
  try {
    be.synchronize();
  } catch (value_error const& e) {
    complaint = e.what();
  }
  copies.finish();
  return complaint;
}

/// Both bodies on one problem: every result, the complaint, no allocation the second time, the same bits twice, on the host
/// also with its threads and blocks in the opposite order.
template <class Op, class T, class Options>
void compare_bodies(device_pair& device, preference_problem<T> const& p, Options const& options, bool upstream,
                    detail::preference_args<T, host_space> args, bool likelihood = false) {
  CAPTURE(p.b);
  CAPTURE(p.j);
  CAPTURE(upstream);
  CAPTURE(static_cast<int>(options.reduction));
  if (upstream) args.upstream = p.upstream;
  preference_answers<T> expected(p), actual(p), again(p);
  auto const results_in = [&](preference_answers<T>& answers) {
    args.out = answers.conditional(likelihood);
    if constexpr (std::is_same_v<Op, op::preference_loss>)  // these are not among its results
      args.out.grad_chosen_offsets = args.out.grad_rejected_offsets = {}, args.out.shifted_margins = {};
  };

  results_in(expected);
  std::string const complaint = call_on_device<Op>(device, false, args, options);
  results_in(actual);
  CHECK(call_on_device<Op>(device, true, args, options) == complaint);
  auto const allocations = device.be.allocations();
  results_in(again);
#if !defined(__CUDACC__)
  detail::threads_run_backwards() = true;
#endif
  call_on_device<Op>(device, true, args, options);
#if !defined(__CUDACC__)
  detail::threads_run_backwards() = false;
#endif

  CHECK(device.be.allocations() == allocations);
  CHECK(same_bits(again.all(), actual.all()));
  if (!complaint.empty()) return;
  double const allowed = tolerance<T>(p.b + p.j);
  CHECK(relative_error(std::vector<T>{actual.loss_mean}, std::vector<T>{expected.loss_mean}) < allowed);
  CHECK(actual.accuracy == doctest::Approx(expected.accuracy).epsilon(allowed));
  CHECK(actual.pair_accuracy == doctest::Approx(expected.pair_accuracy).epsilon(allowed));
  for (auto member : {&preference_answers<T>::loss, &preference_answers<T>::grad_chosen, &preference_answers<T>::grad_rejected,
                      &preference_answers<T>::chosen_rewards, &preference_answers<T>::rejected_rewards,
                      &preference_answers<T>::margins, &preference_answers<T>::shifted_margins, &preference_answers<T>::counts,
                      &preference_answers<T>::wins, &preference_answers<T>::grad_chosen_offsets,
                      &preference_answers<T>::grad_rejected_offsets, &preference_answers<T>::posterior})
    CHECK(relative_error(actual.*member, expected.*member) < allowed);
}

/// A problem with everything that an example can have: masks, weights, dropped examples, infinities.
template <class T>
preference_problem<T> with_edges(index_t b, index_t j, index_t k, index_t pad) {
  preference_problem<T> p(b, j, k, static_cast<std::uint64_t>(b + 5 * j), pad);
  p.masked = p.paired = p.sampled = true;
  T const infinite = std::numeric_limits<T>::infinity();
  auto const at = [&](index_t i) { return static_cast<std::size_t>(i); };
  if (b > 100) {
    p.policy_chosen[3] = -infinite, p.sample_weights[7] = 0, p.upstream[11] = 0;
    if (j > 0) p.policy_rejected[at(4 * (j + pad))] = -infinite, p.pair_weights[at(9 * (j + pad))] = 0;
    for (index_t c = 0; c < j; ++c) p.mask[at(b / 2 * (j + pad) + c)] = 0;  // no valid pair
    for (index_t e = 0; e < k; ++e) p.q[at((b - 2) * (k + pad) + e)] = 0;   // in no environment
  }
  return p;
}

}  // namespace

TEST_CASE_TEMPLATE("cuda overrides: preference_loss against its generic body", T, double, float) {
  device_pair device;
  for (auto [b, j, pad] : {std::array<index_t, 3>{0, 3, 0}, {1, 1, 2}, {127, 2, 0}, {128, 4, 1}, {129, 0, 0}, {1000, 3, 2}}) {
    auto const p = with_edges<T>(b, j, 0, pad);
    detail::preference_args<T, host_space> const args{.batch = p.batch()};
    for (auto reduction : {loss_reduction::mean, loss_reduction::sum, loss_reduction::dr_dpo})
      for (bool upstream : {false, true}) {
        compare_bodies<op::preference_loss>(
            device, p, preference_options_for<loss::sigmoid>{.beta = 0.5, .nll_weight = 0.1, .reduction = reduction}, upstream,
            args);
        compare_bodies<op::preference_loss>(
            device, p, preference_options_for<loss::sdpo>{.beta = 0.5, .reduction = reduction, .dr_beta = 0.7}, upstream, args);
        compare_bodies<op::preference_loss>(
            device, p,
            preference_options_for<loss::kto_pair>{
                .beta = 0.5, .length_normalize = true, .log_ratio_clamp = log_ratio_range{-1, 1}, .reduction = reduction},
            upstream, args);
      }
  }
  preference_problem<T> const large(70001, 1);  // blocks have more examples than threads
  compare_bodies<op::preference_loss>(device, large, preference_options_for<loss::sigmoid>{}, false, {.batch = large.batch()});
  compare_bodies<op::preference_loss>(device, large, preference_options_for<loss::sigmoid>{.reduction = loss_reduction::dr_dpo},
                                      false, {.batch = large.batch()});
}

TEST_CASE_TEMPLATE("cuda overrides: conditional_preference against its generic body", T, double, float) {
  device_pair device;
  for (auto [b, j, k, pad] : {std::array<index_t, 4>{0, 2, 3, 0}, {1, 1, 1, 1}, {130, 2, 1, 0}, {300, 3, 4, 2}, {200, 2, 0, 0}}) {
    auto const p = with_edges<T>(b, j, k, pad);
    detail::preference_args<T, host_space> const args{.batch = p.batch(), .q = p.memberships(), .offsets = p.offsets()};
    for (auto mixture : {preference_mixture::expected, preference_mixture::likelihood, preference_mixture::risk})
      for (auto reduction : {loss_reduction::mean, loss_reduction::sum, loss_reduction::dr_dpo})
        for (bool upstream : {false, true}) {
          bool const likely = mixture == preference_mixture::likelihood;
          compare_bodies<op::conditional_preference>(
              device, p, conditional_options_for<loss::sigmoid>{.reduction = reduction, .mixture = mixture, .strength = 0.8},
              upstream, args, likely);
          compare_bodies<op::conditional_preference>(
              device, p, conditional_options_for<loss::dmpo>{.reduction = reduction, .mixture = mixture}, upstream, args, likely);
        }
  }
}

TEST_CASE_TEMPLATE("cuda overrides: the preference kernels name the first NaN of an input", T, double, float) {
  device_pair device;
  T const nan = std::numeric_limits<T>::quiet_NaN();
  auto p = with_edges<T>(400, 3, 2, 1);
  p.policy_rejected[4 * 301 + 1] = nan, p.policy_rejected[4 * 299] = nan, p.sample_weights[200] = nan, p.upstream[100] = nan;
  std::fill(p.mask.begin(), p.mask.end(), std::uint8_t{1});
  detail::preference_args<T, host_space> const args{.batch = p.batch(), .q = p.memberships(), .offsets = p.offsets()};
  for (bool upstream : {false, true}) {
    compare_bodies<op::preference_loss>(device, p, preference_options_for<loss::sigmoid>{}, upstream, args);
    compare_bodies<op::conditional_preference>(device, p, conditional_options_for<loss::sigmoid>{}, upstream, args);
  }
  p.policy_rejected[4 * 301 + 1] = p.policy_rejected[4 * 299] = -9;
  compare_bodies<op::preference_loss>(device, p, preference_options_for<loss::sigmoid>{}, false, args);  // the weight's alone
  CHECK(call_on_device<op::preference_loss>(device, true, args, preference_options_for<loss::sigmoid>{})
            .find("sample_weights holds a NaN at flat position 200") != std::string::npos);
}

#if !defined(__CUDACC__)
TEST_CASE("cuda overrides: a preference loss is one kernel, or two where the gradients wait for a sum over many examples") {
  device_pair device;
  auto const kernels = [&](index_t b, loss_reduction reduction, bool upstream, bool scalars) {
    preference_problem<float> p(b, 3);
    preference_answers<float> answers(p);
    detail::preference_args<float, host_space> args{.batch = p.batch(), .out = answers.conditional()};
    args.out.grad_chosen_offsets = args.out.grad_rejected_offsets = {}, args.out.shifted_margins = {};
    if (upstream) args.upstream = p.upstream;
    if (!scalars) args.out.loss_mean = args.out.accuracy = args.out.pair_accuracy = {};
    index_t const before = detail::kernels_launched();
    call_on_device<op::preference_loss>(device, true, args, preference_options_for<loss::sigmoid>{.reduction = reduction});
    return detail::kernels_launched() - before;
  };
  for (auto reduction : {loss_reduction::mean, loss_reduction::sum, loss_reduction::dr_dpo}) {
    CHECK(kernels(128, reduction, false, true) == 1);
    CHECK(kernels(129, reduction, false, true) == 2);
    CHECK(kernels(1000, reduction, true, false) == 1);
  }
  CHECK(kernels(1000, loss_reduction::sum, false, false) == 1);
  CHECK(kernels(1000, loss_reduction::mean, false, false) == 2);
}
#endif

}  // namespace causaldpo::test
