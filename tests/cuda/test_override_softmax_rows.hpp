// SPDX-License-Identifier: Apache-2.0
// softmax_rows as a kernel of the CUDA backend, held against the generic body on the same backend: one row to many in a
// block, rows that are kept and rows that are not, in one kernel, in any order of its threads.
#pragma once

#include <doctest/doctest.h>

#include <array>

#include "causaldpo/ops/softmax_rows.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/staged_backend.hpp"

namespace causaldpo::test {

TEST_CASE_TEMPLATE("cuda overrides: softmax_rows against its generic body", T, double, float) {
  static_assert(overrides<op::softmax_rows, cuda_backend>);
  cuda_backend be, storage;
  for (auto [n, c, period] : {std::array<index_t, 3>{0, 5, 0},
                              {5, 0, 0},
                              {1, 1, 0},
                              {700, 3, 0},
                              {257, 50, 50},
                              {130, 129, 7},
                              {9, 1025, 0},
                              {5, 2048, 3},
                              {4, 2049, 0},
                              {3, 5000, 2}})
    for (int wanted = 0; wanted < 4; ++wanted) {  // p, the gradient, both, the gradient from probabilities
      CAPTURE(c);
      CAPTURE(wanted);
      index_t const ld = c + 5;
      random_source random(static_cast<std::uint64_t>(n + c));
      auto scores = wanted == 3 ? random.memberships<T>(n, ld) : random.normals<T>(n * ld, 3);
      auto const upstream = random.normals<T>(n * ld);
      std::vector<std::int64_t> lengths;
      for (index_t i = 0; i < n; ++i) lengths.push_back(i % 5 == 0 ? c : random.below(c + 1));
      if (n > 2 && c > 2 && wanted < 3) {
        T const infinite = std::numeric_limits<T>::infinity();
        scores[1] = -infinite, scores[static_cast<std::size_t>(ld)] = infinite;
        std::fill_n(scores.data() + 2 * ld, c, -infinite);
      }
      auto const run = [&](bool replaced) {
        std::vector<T> answers(2 * scores.size(), T(0x1p-12));
        detail::softmax_rows_args<T, host_space> args{
            view<T const, 2>(scores.data(), n, c, ld), view<T const, 2>(upstream.data(), n, c, ld), lengths, {}, {}};
        if (wanted == 0 || wanted == 2) args.out.p = matrix(answers.data(), n, c, ld);
        if (wanted > 0) args.out.grad_scores = matrix(answers.data() + scores.size(), n, c, ld);
        softmax_rows_options const options{.causal_period = period, .probabilities = wanted == 3};
        stage<cuda_backend> copies(storage);
        detail::softmax_rows_args<T, device_space> there{};
        put_on_stage(copies, there, args);
        char const* const names[] = {"scores", "upstream", "lengths"};
        there.watch = be.open_watch({"op", names, 3});
        if (replaced)
          override_for(op::softmax_rows{}, be, there, options);
        else
          op::softmax_rows::generic(be, there, options);
        be.close_watch(there.watch);
        be.synchronize();
        copies.finish();
        return answers;
      };
      auto const expected = run(false), actual = run(true);
      CHECK(relative_error(actual, expected) < tolerance<T>(c));
#if defined(__CUDACC__)
      CHECK(run(true) == actual);
#else
      auto const before = detail::kernels_launched();
      detail::threads_run_backwards() = true;
      CHECK(run(true) == actual);
      detail::threads_run_backwards() = false;
      CHECK(detail::kernels_launched() - before <= 1);
#endif
    }
}

}  // namespace causaldpo::test
