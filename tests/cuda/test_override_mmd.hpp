// SPDX-License-Identifier: Apache-2.0
// mmd_penalty on CUDA against the generic body on the same backend: no, one and several tiles, odd sizes, padded rows, equal
// rows, one environment, no columns, every subset of results, NaN, scratch, the same bits in any order of threads and blocks.
#pragma once

#include <array>
#include <string>

#include "support/cells_cuda_kernels.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

static_assert(overrides<op::mmd_penalty, cuda_backend>);

/// Outputs and memberships in memory that host and device read, `pad` columns more in memory than in the matrices.
template <class Backend, class T>
struct device_mmd {
  using S = device_space;
  index_t b, d, k, pad;
  std::vector<T> x, q;
  struct outputs {
    std::vector<T> value, grad_outputs, grad_q, bandwidths;
    std::vector<std::int64_t> pairs;
    std::string complaint;
    bool operator==(outputs const&) const = default;
  };

  device_mmd(index_t b_, index_t d_, index_t k_, index_t pad_) : b(b_), d(d_), k(k_), pad(pad_) {
    random_source random(static_cast<std::uint64_t>(b + d));
    x = random.normals<T>(b * (d + pad), 1, 3), q = random.memberships<T>(b, k + pad);
    if (b > 2) std::copy_n(x.data(), d, x.data() + (b - 1) * (d + pad));  // two equal rows, in the first tile and the last
  }
  static view<T, 1, S> there(std::vector<T>& v) { return {v.data(), static_cast<index_t>(v.size())}; }

  /// `wanted`: a bit for each of value, grad_outputs, grad_q, bandwidths.
  template <class Run>
  outputs run(Backend& be, unsigned wanted, Run const& how) const {
    outputs o{std::vector<T>(1, T(0x1p-12)), std::vector<T>(x.size(), T(0x1p-12)), std::vector<T>(q.size(), T(0x1p-12)),
              std::vector<T>(2, T(0x1p-12)), std::vector<std::int64_t>(1),         {}};
    mmd_results<T, S> r;
    if (wanted & 1U) r.value = there(o.value);
    if (wanted & 2U) r.grad_outputs = {o.grad_outputs.data(), b, d, d + pad};
    if (wanted & 4U) r.grad_q = {o.grad_q.data(), b, k, k + pad};
    if (wanted & 8U) r.bandwidths_used = there(o.bandwidths), r.pairs_used = {o.pairs.data(), 1};
    detail::nan_guard<cuda_backend> guard(be.device(), "mmd", {"outputs", "q"});
    how(be.device(), detail::mmd_args<T, S>{{x.data(), b, d, d + pad}, {q.data(), b, k, k + pad}, r, guard.watch()});
    guard.finish();
    try {
      be.synchronize();
    } catch (value_error const& e) {
      o.complaint = e.what();
    }
    return o;
  }
  template <class Options>
  outputs generic(Backend& be, Options const& options, unsigned wanted = 15) const {
    return run(be, wanted, [&](auto& device, auto const& a) { op::mmd_penalty::generic(device, a, options); });
  }
  template <class Options>
  outputs replaced(Backend& be, Options const& options, unsigned wanted = 15) const {
    return run(be, wanted, [&](auto& device, auto const& a) { override_for(op::mmd_penalty{}, device, a, options); });
  }
};

template <class Backend, class T, class Options>
void check_device_mmd(device_mmd<Backend, T> const& p, Options const& options, unsigned wanted = 15) {
  CAPTURE(p.b);
  CAPTURE(p.d);
  CAPTURE(p.k);
  CAPTURE(wanted);
  CAPTURE(options.unbiased);
  Backend be;
  auto const expected = p.generic(be, options, wanted), actual = p.replaced(be, options, wanted);
  double const allowed = 4 * tolerance<T>(p.b + p.d);
  CHECK(std::abs(static_cast<double>(actual.value[0] - expected.value[0])) < tolerance<T>(p.b));
  CHECK(relative_error(actual.grad_outputs, expected.grad_outputs) < allowed);
  CHECK(relative_error(actual.grad_q, expected.grad_q) < allowed);
  CHECK(relative_error(actual.bandwidths, expected.bandwidths) < allowed);
  CHECK(actual.pairs == expected.pairs);
  CHECK(actual.complaint == expected.complaint);
  std::size_t const before = be.allocations();
#if !defined(__CUDACC__)
  detail::threads_run_backwards() = true;
#endif
  CHECK(p.replaced(be, options, wanted) == actual);
#if !defined(__CUDACC__)
  detail::threads_run_backwards() = false;
#endif
  CHECK(be.allocations() == before);
}

}  // namespace

TEST_CASE_TEMPLATE("cuda overrides: mmd_penalty against its generic body", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  for (auto [b, d, k, pad] : {std::array<index_t, 4>{0, 3, 2, 0},
                              {1, 3, 2, 1},
                              {5, 1, 2, 0},
                              {32, 4, 3, 0},
                              {64, 0, 2, 1},
                              {127, 5, 3, 2},
                              {129, 1, 1, 0},
                              {200, 16, 17, 1},
                              {300, 17, 4, 3},
                              {413, 65, 5, 0},
                              {257, 90, 70, 0}})
    for (bool unbiased : {false, true}) {
      check_device_mmd<B, T>({b, d, k, pad}, mmd_options{.median_multipliers = {0.5, 2}, .unbiased = unbiased});
      check_device_mmd<B, T>({b, d, k, pad}, mmd_options{.bandwidths = {1, 1e-30},  // the second is 0 between equal rows only
                                                         .kernel_reduction = averaging::sum,
                                                         .pair_reduction = averaging::sum,
                                                         .unbiased = unbiased});
    }
  for (unsigned wanted = 0; wanted < 16; ++wanted)
    check_device_mmd<B, T>({150, 7, 3, 1}, mmd_options{.median_multipliers = {1, 2}}, wanted);
}

TEST_CASE_TEMPLATE("cuda overrides: the median of mmd_penalty is exact", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  for (index_t b : {2, 3, 34, 65, 130, 331}) {
    device_mmd<B, T> p(b, 1, 2, 0);
    std::vector<double> all;
    for (index_t i = 0; i < b; ++i) p.x[static_cast<std::size_t>(i)] = static_cast<T>((i * 37) % b % 19);
    for (index_t i = 0; i < b; ++i)
      for (index_t j = i + 1; j < b; ++j) {
        double const off = static_cast<double>(p.x[static_cast<std::size_t>(i)] - p.x[static_cast<std::size_t>(j)]);
        all.push_back(off * off);
      }
    std::sort(all.begin(), all.end());
    double const median = (all[(all.size() - 1) / 2] + all[all.size() / 2]) / 2;
    B be;
    CHECK(static_cast<double>(p.replaced(be, mmd_options{}).bandwidths[0]) ==
          doctest::Approx(std::sqrt(median)).epsilon(tolerance<T>(1)));
  }
}

TEST_CASE_TEMPLATE("cuda overrides: mmd_penalty names what is not finite, and keeps to its scratch", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  device_mmd<B, T> p(300, 5, 3, 1);
  p.x[6 * 211 + 2] = std::numeric_limits<T>::infinity(), p.q[4 * 123 + 1] = std::numeric_limits<T>::quiet_NaN();
  B be;
  auto const expected = p.generic(be, mmd_options{}), actual = p.replaced(be, mmd_options{});
  CHECK(actual.complaint == expected.complaint);
  CHECK(actual.complaint.find("outputs holds a NaN at flat position 1057") != std::string::npos);

  device_mmd<B, T> const large(1500, 6, 2, 0);
  B fresh;
  large.replaced(fresh, mmd_options{});
  std::size_t const rows = 1500 * ((2 * 6 + 4 * 2 + 4) + 3 * (6 + 2 + 2)) * sizeof(T) + 1500 * 8,
                    rest = 256 * 256 * 8 + 16 * 1024;
  CHECK(fresh.scratch_peak() < rows + rest);
}

}  // namespace causaldpo::test
