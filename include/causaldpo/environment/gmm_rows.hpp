// SPDX-License-Identifier: Apache-2.0
// The rows that gmm_select fits and those it holds out, taken in the backend's memory.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/core/adapt.hpp"
#include "causaldpo/core/philox.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {

namespace detail {

/// f(i, d) = element d of row rows_i of x.
template <class T, class S>
struct take_row {
  view<T const, 2, S> x;
  view<index_t const, 1, S> rows;
  view<T, 2, S> out;
  CAUSALDPO_HD void operator()(index_t i, index_t d) const { out.at(i, d) = x.at(rows.at(i), d); }
};

template <class T, class S>
struct take_rows_args {
  view<T const, 2, S> x;
  view<index_t const, 1, S> rows;
  view<T, 2, S> out;
};

}  // namespace detail

namespace op {
/// Tag and generic body of what gmm_select does with rows, an operation so that it is in compiled libraries.
struct take_rows {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::take_rows_args<T, S>>>;

  template <backend B, class T>
  static void generic(B& be, detail::take_rows_args<T, typename B::space> const& a) {
    be.launch_2d(a.out.rows(), a.out.cols(), detail::take_row<T, typename B::space>{a.x, a.rows, a.out});
  }
};
}  // namespace op

namespace detail {

/// Rows of x in the backend's memory, in the given order, dense.
template <backend B, real_scalar T>
auto gather_rows(B& be, view<T const, 2, typename B::space> x, std::vector<index_t> const& rows) {
  index_t const n = static_cast<index_t>(rows.size());
  auto taken = be.template allocate<T>(n * x.cols());
  if (n == 0) return taken;
  auto which = be.template allocate<index_t>(n);
  be.copy(which.vector(), view<index_t const, 1>(rows));
  run<op::take_rows>(be, take_rows_args<T, typename B::space>{x, which.vector(), taken.matrix(n, x.cols())});
  be.synchronize();  // `rows` and `which` may now end
  return taken;
}

/// Which rows are fitted (first) and which are held out (second): the `held` rows with the smallest draws, in order.
inline std::pair<std::vector<index_t>, std::vector<index_t>> split_rows(index_t n, index_t held, std::uint64_t seed) {
  random_stream const random{seed, 0x73706c74U};
  std::vector<std::pair<double, index_t>> draws;
  for (index_t i = 0; i < n; ++i) draws.emplace_back(random.uniform<double>(static_cast<std::uint64_t>(i)), i);
  std::sort(draws.begin(), draws.end());
  std::pair<std::vector<index_t>, std::vector<index_t>> parts;
  for (index_t i = 0; i < n; ++i) (i < held ? parts.second : parts.first).push_back(draws[static_cast<std::size_t>(i)].second);
  std::sort(parts.first.begin(), parts.first.end());
  std::sort(parts.second.begin(), parts.second.end());
  return parts;
}

}  // namespace detail
}  // namespace causaldpo
