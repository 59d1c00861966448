// SPDX-License-Identifier: Apache-2.0
// The passes of EM and the Cholesky factors on CUDA against their generic bodies on the same backend: every kind of covariance,
// one and many components, no, one and many columns, tiles and segments of the rows, padded rows, a component without
// weight, an outlier, NaN, the same bits in any order of threads and blocks.
#pragma once

#include <array>
#include <string>
#include <tuple>

#include "causaldpo/environment/gmm_steps.hpp"
#include "causaldpo/invariance/bandwidths.hpp"
#include "support/cells_cuda_kernels.hpp"
#include "support/compare.hpp"
#include "support/mixtures.hpp"

namespace causaldpo::test {
namespace {

static_assert(overrides<op::gmm_pass, cuda_backend> && overrides<op::small_cholesky, cuda_backend>);

std::vector<double> download(cuda_backend& be, double const* data, index_t n) {
  std::vector<double> host(static_cast<std::size_t>(n));
  be.copy(vector(host.data(), n), view<double const, 1, device_space>(data, n));
  be.synchronize();
  return host;
}

/// A mixture of k components with covariances of its own, some far from round, and rows around its means.
template <class T>
struct pass_problem {
  using S = device_space;
  index_t n, d, k, pad;
  covariance_kind kind;
  std::vector<T> x;
  gmm_mixture<T> mixture;

  pass_problem(index_t n_, index_t d_, index_t k_, index_t pad_, covariance_kind kind_)
      : n(n_), d(d_), k(k_), pad(pad_), kind(kind_) {
    random_source random(static_cast<std::uint64_t>(n + 3 * d + 5 * k));
    x = clustered_rows<T>(random, n, d, k, 1, pad);
    mixture = gmm_mixture<T>(kind, k, d);
    mixture.means = random.normals<T>(k * d, 2);
    for (index_t c = 0; c < k; ++c)  // one without weight
      mixture.weights[static_cast<std::size_t>(c)] = k > 2 && c == 1 ? T(0) : T(1) / static_cast<T>(k > 2 ? k - 1 : k);
    bool const diagonal = kind == covariance_kind::spherical || kind == covariance_kind::diag;
    index_t const cols = covariance_cols(kind, d), rows = covariance_rows(kind, k, d);
    auto const root = random.normals<double>(rows * cols);
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < cols; ++j) {
        double sum = diagonal || i % d == j ? 1 : 0;
        index_t const first = diagonal ? i : i / d * d;
        for (index_t e = 0; e < (diagonal ? 1 : d); ++e)
          sum += root[static_cast<std::size_t>(diagonal ? i * cols + j : i * cols + e)] *
                 root[static_cast<std::size_t>(diagonal ? i * cols + j : (first + j) * cols + e)];
        mixture.covariances[static_cast<std::size_t>(i * cols + j)] = static_cast<T>(sum);
      }
    if (n > 40 && d > 0) x[static_cast<std::size_t>(40 * (d + pad))] = T(3000);  // far from every component
  }

  struct outputs {
    std::vector<double> r, log_density, sums, moments;
    std::string complaint;
    bool operator==(outputs const&) const = default;
  };
  /// `how(device, args)` makes a pass; responsibilities lie in padded rows.
  template <class Backend, class Run>
  outputs run(Backend& be, detail::gmm_steps steps, Run const& how) const {
    cuda_backend& device = be.device();
    view<T const, 2, S> const rows(x.data(), n, d, d + pad);
    std::vector<double> r(static_cast<std::size_t>(k * (n + 3))), log_density(static_cast<std::size_t>(n), 9.0),
        scratch(static_cast<std::size_t>(2 * d * 100 + 1));
    for (std::size_t e = 0; e < r.size(); ++e) r[e] = static_cast<double>(e % 7) / 8;
    detail::nan_guard<cuda_backend> guard(device, "pass", {"x", "x|infinite", "w", "w|", "mu", "c", "c|not definite"});
    detail::gmm_workspace<cuda_backend, T> em(device, rows, kind, k, guard.watch());
    gmm_parameters<T const> const p = mixture.parameters();
    em.load({{p.weights.data(), k}, {p.means.data(), k, d}, {p.covariances.data(), p.covariances.rows(), p.covariances.cols()}});
    em.prepare(detail::gmm_slots::not_definite, std::numeric_limits<T>::epsilon());
    detail::gmm_state<S> const& m = em.state();
    index_t const cells = m.moments.rows() * m.moments.cols();
    device.launch(cells, detail::fill_with<double, S>{{m.moments.data(), cells}, -1});
    device.launch(k * d, detail::fill_with<double, S>{{m.sums.data(), k * d}, -1});
    how(device, detail::gmm_pass_args<T, S>{steps,
                                            rows,
                                            7,
                                            m,
                                            {r.data(), k, n, n + 3},
                                            {log_density.data(), n},
                                            guard.watch(),
                                            {scratch.data(), d, 100},
                                            {scratch.data() + 100 * d, d, 100},
                                            false});
    outputs o;
    guard.finish();
    try {
      device.synchronize();
    } catch (value_error const& e) {
      o.complaint = e.what();
    }
    o.sums = download(device, m.sums.data(), k * d), o.moments = download(device, m.moments.data(), cells);
    if (!m.diagonal())  // of matrices the lower triangle counts
      for (index_t i = 0; i < m.moments.rows(); ++i)
        for (index_t j = i % d + 1; j < d; ++j) o.moments[static_cast<std::size_t>(i * d + j)] = 0;
    o.r = std::move(r), o.log_density = std::move(log_density);
    return o;
  }
};

template <class Backend, class T>
void check_pass(pass_problem<T> const& p, detail::gmm_steps steps) {
  CAPTURE(p.n);
  CAPTURE(p.d);
  CAPTURE(p.k);
  CAPTURE(static_cast<int>(p.kind));
  CAPTURE(steps.densities);
  Backend be;
  auto const replaced = [](auto& device, auto const& a) { override_for(op::gmm_pass{}, device, a); };
  auto const expected = p.run(be, steps, [](auto& device, auto const& a) { op::gmm_pass::generic(device, a); });
  auto const actual = p.run(be, steps, replaced);
  double const allowed = tolerance<double>(p.n + p.d * p.d);
  CHECK(relative_error(actual.r, expected.r) < 8 * allowed);
  CHECK(relative_error(actual.log_density, expected.log_density) < allowed);
  CHECK(relative_error(actual.sums, expected.sums) < allowed);
  CHECK(relative_error(actual.moments, expected.moments) < allowed);
  CHECK(actual.complaint == expected.complaint);
  std::size_t const before = be.allocations();
#if !defined(__CUDACC__)
  detail::threads_run_backwards() = true;
#endif
  CHECK(p.run(be, steps, replaced) == actual);
#if !defined(__CUDACC__)
  detail::threads_run_backwards() = false;
#endif
  CHECK(be.allocations() == before);
}

}  // namespace

TEST_CASE_TEMPLATE("cuda overrides: the passes of EM against their generic body", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  for (covariance_kind kind : every_covariance)
    for (auto [n, d, k, pad] : {std::array<index_t, 4>{0, 3, 2, 0},
                                {1, 1, 1, 1},
                                {5, 0, 2, 2},
                                {63, 1, 3, 0},
                                {64, 2, 4, 0},
                                {65, 5, 5, 2},
                                {300, 16, 1, 1},
                                {257, 17, 6, 0},
                                {1100, 33, 3, 1},
                                {2500, 8, 2, 0},
                                {200, 70, 2, 3}}) {
      pass_problem<T> const p(n, d, k, pad, kind);
      check_pass<B>(p, {.densities = true, .sums = true});
      check_pass<B>(p, {.sums = true, .moments = true});  // with the responsibilities that are there
      check_pass<B>(p, {.densities = true, .sums = true, .moments = true});
    }
}

TEST_CASE_TEMPLATE("cuda overrides: a pass of EM names the first row that is not finite", Cell, CAUSALDPO_TEST_CELLS) {
  using B = typename Cell::backend;
  using T = typename Cell::scalar;
  for (covariance_kind kind : every_covariance) {
    pass_problem<T> p(150, 40, 2, 1, kind);
    p.x[41 * 120 + 35] = std::numeric_limits<T>::infinity();
    auto const complaint = [&] {
      B be;
      return p.run(be, {.densities = true}, [](auto& device, auto const& a) { override_for(op::gmm_pass{}, device, a); })
          .complaint;
    };
    CHECK(complaint().find("x at flat position 5115 (row-major) infinite") != std::string::npos);  // row 7 + 120, column 35
    p.x[41 * 130 + 2] = p.x[41 * 110 + 39] = std::numeric_limits<T>::quiet_NaN();
    CHECK(complaint().find("x holds a NaN at flat position 4719") != std::string::npos);
  }
}

TEST_CASE("cuda overrides: small_cholesky against its generic body") {
  for (auto [count, d] : {std::array<index_t, 2>{0, 3}, {1, 0}, {1, 1}, {3, 5}, {2, 40}, {1, 200}})
    for (int damage : {0, 1, 2}) {  // none, a pivot lost in rounding, a matrix that is not definite
      CAPTURE(count);
      CAPTURE(d);
      CAPTURE(damage);
      random_source random(static_cast<std::uint64_t>(count + d));
      auto const root = random.normals<double>(count * d * d);
      std::vector<double> start(root.size());
      for (index_t i = 0; i < count * d; ++i)
        for (index_t j = 0; j < d; ++j)
          for (index_t e = 0; e < d; ++e)
            start[static_cast<std::size_t>(i * d + j)] +=
                root[static_cast<std::size_t>(i * d + e)] * root[static_cast<std::size_t>((i / d * d + j) * d + e)];
      if (damage == 1 && count > 0 && d > 2)  // the last row and column of the last matrix: twice the first
        for (index_t j = 0, last = count * d - 1; j < d; ++j) {
          auto const at = [&](index_t r, index_t c) -> double& { return start[static_cast<std::size_t>(r * d + c)]; };
          at(last, j) = 2 * at(last - d + 1, j);
          if (j == d - 1) at(last, j) = 4 * at(last - d + 1, 0);
        }
      if (damage == 2 && count > 0 && d > 1) start[static_cast<std::size_t>(count * d * d - 1)] = -1;
      auto const run = [&](auto const& how) {
        cuda_backend be;
        auto const memory = be.allocate<double>(count * d * d), log_dets = be.allocate<double>(count);
        be.copy(memory.vector(), view<double const, 1>(start));
        detail::nan_guard<cuda_backend> guard(be, "cholesky", {"a|is not definite"});
        how(be,
            detail::small_cholesky_args<device_space>{memory.matrix(count * d, d), log_dets.vector(), 1e-12, guard.watch(), 0});
        guard.finish();
        std::string complaint;
        try {
          be.synchronize();
        } catch (value_error const& e) {
          complaint = e.what();
        }
        return std::tuple(download(be, memory.data(), count * d * d), download(be, log_dets.data(), count), complaint);
      };
      auto const expected = run([](auto&be, auto const&a) { op::small_cholesky::generic(be, a); }),
                 actual = run([](auto&be, auto const&a) { override_for(op::small_cholesky{}, be, a); });
      CHECK(std::get<2>(actual) == std::get<2>(expected));
      CHECK(std::get<2>(actual).empty() == (damage < 2 || count == 0 || d < 2));
      if (!std::get<2>(expected).empty()) continue;
      CHECK(relative_error(std::get<0>(actual), std::get<0>(expected)) < tolerance<double>(d));
      CHECK(relative_error(std::get<1>(actual), std::get<1>(expected)) < tolerance<double>(d));
    }
}

}  // namespace causaldpo::test
