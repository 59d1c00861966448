// SPDX-License-Identifier: Apache-2.0
// sample_environments: one environment for each example out of its soft membership.
#pragma once

#include <type_traits>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/core/philox.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {

/// Options of sample_environments.
struct environment_draw_options {
  std::uint64_t seed = 0;    ///< of the experiment
  std::uint32_t stream = 0;  ///< of the purpose; another one than that of the negatives
};

/// Output of sample_environments.
template <memory_space S = host_space>
struct environment_draw_results {
  view<index_t, 1, S> environments{};  ///< [N] in [0, K), or -1 where the row of q is 0
};

namespace detail {

template <class T, class S>
struct environment_draw_args {
  view<T const, 2, S> q;
  index_view<S> names;
  environment_draw_results<S> out;
  nan_watch watch;  // slots: 0 q
};

/// One row: the environment at which the running sum of q passes u times its total.
template <class T, class S>
struct draw_environment {
  view<T const, 2, S> q;
  index_view<S> names;
  random_stream random;
  nan_watch watch;
  view<index_t, 1, S> environments;
  CAUSALDPO_HD void operator()(index_t i) const {
    double total = 0, sum = 0;
    for (index_t k = 0; k < q.cols(); ++k) {
      double const w = static_cast<double>(watch.checked(q.at(i, k), 0, i * q.cols() + k));
      if (w > 0) total += w;
    }
    double const x = random.uniform(static_cast<std::uint64_t>(names.given() ? names.at(i) : i)) * total;
    index_t chosen = -1;
    for (index_t k = 0; k < q.cols() && !(sum > x); ++k) {
      double const w = static_cast<double>(q.at(i, k));
      if (!(w > 0)) continue;
      sum += w;
      chosen = k;
    }
    environments.at(i) = chosen;
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of sample_environments.
struct sample_environments {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::environment_draw_args<T, S>, environment_draw_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::environment_draw_args<T, typename B::space> const& a, environment_draw_options const& o) {
    if (a.out.environments.given())
      be.launch(a.q.rows(), detail::draw_environment<T, typename B::space>{
                                a.q, a.names, {o.seed, o.stream}, a.watch, a.out.environments});
  }
};
}  // namespace op

/// Draws e_i with probability q_ik / sum_m q_im. With it and `negative_source::per_environment` a rejected item comes from
/// the mixture sum_k q_ik r(y | e_k) of the example's own environments.
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | q | [N,K] | memberships, used as they are; entries <= 0 are never drawn |
/// | names | [N] | optional: what a row's draw is keyed by; left out: 0 .. N - 1 |
///
/// Draws are those of Philox, as in sample_negatives: the same on every backend and number of threads.
/// Edge cases: a row that is all 0, and K = 0, give -1. Errors: value_error for NaN. Cost O(N K), no scratch.
template <backend B, matrix_like Q, real_scalar T = scalar_of<Q>>
void sample_environments(B& be, Q const& q, std::type_identity_t<environment_draw_results<typename B::space>> results,
                         environment_draw_options const& options = {}, index_view<typename B::space> names = {}) {
  constexpr char const* name = "sample_environments";
  detail::environment_draw_args<T, typename B::space> a{as_view(q), names, results, {}};
  detail::expect_shape(name, "q", a.q, a.q.rows(), a.q.cols(), "itself");
  detail::expect_size_if_given(name, "environments", results.environments, a.q.rows(), "one for each row of q");
  detail::expect_size_if_given(name, "names", names, a.q.rows(), "one for each row of q");
  detail::nan_guard<B> guard(be, name, {"q"});
  a.watch = guard.watch();
  detail::run<op::sample_environments>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
