// SPDX-License-Identifier: Apache-2.0
// Soft assignment: how much each row belongs to each of K centres, with gradients.
#pragma once

#include "causaldpo/detail/check.hpp"
#include "causaldpo/detail/dispatch.hpp"
#include "causaldpo/ops/squared_distance.hpp"

namespace causaldpo {

/// The distance in a soft assignment.
enum class distance_metric {
  euclidean,   ///< |x - c|
  sqeuclidean  ///< |x - c|^2
};

/// Options of soft_assignment.
struct soft_assignment_options {
  distance_metric metric = distance_metric::euclidean;
  double temperature = 1;  ///< > 0; scale it with the data, or q saturates when D is large
};

/// Outputs of soft_assignment; a member left out is not computed.
template <real_scalar T, memory_space S = host_space>
struct soft_assignment_results {
  view<T, 2, S> q{};             ///< [N,K]
  view<T, 2, S> grad_x{};        ///< [N,D]
  view<T, 2, S> grad_centers{};  ///< [K,D]
};

namespace detail {

template <class T, class S>
struct soft_assignment_args {
  view<T const, 2, S> x, centers, upstream;
  soft_assignment_results<T, S> out;
  nan_watch watch;  // slots: 0 x, 1 centers, 2 upstream
};

/// One row: q_i from the squared distances, and what the gradients need of them in their place:
/// slopes_ik = (dV/d dist_ik) / dist_ik (euclidean, 0 at distance 0) or 2 dV/d dist_ik, so that
/// dV/dx_i = sum_k slopes_ik (x_i - c_k).
template <class T, class S>
struct assign_row {
  view<accumulator, 2, S> distances;  // squared on entry, slopes on exit if there is an upstream
  view<accumulator, 2, S> weights;    // scratch: exp(-(dist - nearest) / temperature)
  view<T const, 2, S> upstream;       // may be left out
  view<T, 2, S> q;                    // may be left out
  distance_metric metric;
  accumulator temperature;
  nan_watch watch;

  CAUSALDPO_HD accumulator distance(index_t i, index_t k) const {
    accumulator const s = distances.at(i, k);
    return metric == distance_metric::euclidean ? math::sqrt(s) : s;
  }
  CAUSALDPO_HD void operator()(index_t i) const {
    index_t const k_count = distances.cols();
    accumulator nearest = math::infinity<accumulator>(), sum = 0, mean = 0;
    for (index_t k = 0; k < k_count; ++k) nearest = math::min(distance(i, k), nearest);
    for (index_t k = 0; k < k_count; ++k) {
      accumulator const d = distance(i, k);
      weights.at(i, k) = d == nearest ? 1 : math::exp((nearest - d) / temperature);  // 1 also where both are infinite
      sum += weights.at(i, k);
    }
    for (index_t k = 0; k < k_count; ++k) {
      accumulator const p = weights.at(i, k) / sum;
      weights.at(i, k) = p;
      if (q.given()) q.at(i, k) = static_cast<T>(p);
      if (upstream.given() && p > 0) mean += p * static_cast<accumulator>(watch.checked(upstream.at(i, k), 2, i * k_count + k));
    }
    if (!upstream.given()) return;
    for (index_t k = 0; k < k_count; ++k) {
      accumulator const p = weights.at(i, k), s = distances.at(i, k);
      accumulator slope = p > 0 ? -p * (static_cast<accumulator>(upstream.at(i, k)) - mean) / temperature : 0;
      if (metric == distance_metric::sqeuclidean) slope *= 2;
      else slope = s > 0 ? slope / math::sqrt(s) : 0;
      distances.at(i, k) = s < math::infinity<accumulator>() ? slope : 0;
    }
  }
};

/// dV/dx_id = sum_k slopes_ik (x_id - c_kd), lanes over d.
template <class T, class S>
struct assignment_grad_x {
  using lane_scalar = T;
  view<T const, 2, S> x, centers;
  view<accumulator const, 2, S> slopes;
  view<T, 2, S> grad;
  template <class L>
  CAUSALDPO_HD void operator()(index_t i, L const& lane) const {
    typename L::value const at = lane.load_row(x, i);
    typename L::value sum = L::broadcast(T(0));
    for (index_t k = 0; k < centers.rows(); ++k) {
      T const slope = static_cast<T>(slopes.at(i, k));
      if (slope != T(0)) sum = sum + L::broadcast(slope) * (at - lane.load_row(centers, k));
    }
    lane.store_row(grad, i, sum);
  }
};

/// map(i, d) = -slopes_ik (x_id - c_kd): summed over i this is dV/dc_kd.
template <class T, class S>
struct assignment_grad_center_map {
  view<T const, 2, S> x;
  view<T const, 1, S> center;
  view<accumulator const, 2, S> slopes;
  index_t k;
  CAUSALDPO_HD accumulator operator()(index_t i, index_t d) const {
    accumulator const slope = slopes.at(i, k);
    return slope == 0 ? 0 : slope * (static_cast<accumulator>(center.at(d)) - static_cast<accumulator>(x.at(i, d)));
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of soft_assignment.
struct soft_assignment {
  template <class T, class S>
  using calls = detail::call_list<detail::call<detail::soft_assignment_args<T, S>, soft_assignment_options>>;

  template <backend B, real_scalar T>
  static void generic(B& be, detail::soft_assignment_args<T, typename B::space> const& a, soft_assignment_options const& o) {
    using S = typename B::space;
    index_t const n = a.x.rows(), d = a.x.cols(), k_count = a.centers.rows();
    bool const gradients = a.out.grad_x.given() || a.out.grad_centers.given();
    auto scratch = be.template allocate<accumulator>(2 * n * k_count);
    view<accumulator, 2, S> const both = scratch.matrix(2 * n, k_count), slopes = both.row_block(0, n),
                                  weights = both.row_block(n, n);
    be.launch_2d(n, k_count, detail::squared_distances<T, T, S>{a.x, a.centers, slopes, a.watch, 0});
    be.launch(n, detail::assign_row<T, S>{slopes, weights, gradients ? a.upstream : view<T const, 2, S>{}, a.out.q, o.metric,
                                          o.temperature, a.watch});
    if (a.out.grad_x.given()) be.launch_2d(n, d, detail::assignment_grad_x<T, S>{a.x, a.centers, slopes, a.out.grad_x});
    if (a.out.grad_centers.given())
      for (index_t k = 0; k < k_count; ++k)
        be.reduce_cols(n, d, detail::assignment_grad_center_map<T, S>{a.x, a.centers.row(k), slopes, k}, detail::sum_fold<>{},
                       a.out.grad_centers.row(k));
  }
};
}  // namespace op

/// Soft assignment: q_ik = exp(-dist(x_i, c_k) / temperature) / sum_m exp(-dist(x_i, c_m) / temperature).
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | x | [N,D] | features, one row for each example |
/// | centers | [K,D] | c |
/// | upstream | [N,K] | dV/dq of what is computed from q; needed for the gradients |
///
/// With g_ik = -q_ik (upstream_ik - sum_m q_im upstream_im) / temperature = dV/d dist_ik:
/// dV/dx_i = sum_k g_ik (x_i - c_k) / |x_i - c_k| and dV/dc_k = -sum_i (the same terms); for the squared distance
/// 2 (x_i - c_k) takes the place of the unit vector.
/// Edge cases: at distance 0 the derivative of the Euclidean distance is taken as 0; distances that differ by
/// hundreds give a one-hot q and no NaN; a row infinitely far from every centre is shared equally and has gradient 0;
/// where q_ik = 0 the upstream is not read. Distances are formed from differences, in double.
/// Cost O(N K D), scratch 16 N K bytes. Source: CausalDPO, arXiv 2603.22335, algorithm 1 (Euclidean, temperature 1).
template <backend B, matrix_like X, matrix_like C, real_scalar T = scalar_of<X>>
void soft_assignment(B& be, X const& x, C const& centers,
                     std::type_identity_t<soft_assignment_results<T, typename B::space>> results,
                     soft_assignment_options const& options = {},
                     std::type_identity_t<view<T const, 2, typename B::space>> upstream = {}) {
  using S = typename B::space;
  constexpr char const* name = "soft_assignment";
  detail::soft_assignment_args<T, S> a{as_view(x), as_view(centers), upstream, results, {}};
  index_t const n = a.x.rows(), d = a.x.cols(), k = a.centers.rows();
  detail::expect_shape(name, "x", a.x, n, d, "one row for each example");
  detail::expect_shape(name, "centers", a.centers, k, d, "as many columns as x");
  detail::expect_option(name, "temperature", options.temperature > 0 && detail::is_finite(options.temperature),
                        options.temperature, "finite and > 0");
  bool const gradients = results.grad_x.given() || results.grad_centers.given();
  if (gradients || upstream.given())
    detail::expect_shape(name, "upstream", upstream, n, k, "one row for each example, one column for each centre");
  detail::expect_shape_if_given(name, "q", results.q, n, k, "one row for each example, one column for each centre");
  detail::expect_shape_if_given(name, "grad_x", results.grad_x, n, d, "as x");
  detail::expect_shape_if_given(name, "grad_centers", results.grad_centers, k, d, "as centers");
  detail::nan_guard<B> guard(be, name, {"x", "centers", "upstream"});
  a.watch = guard.watch();
  detail::run<op::soft_assignment>(be, a, options);
  guard.finish();
}

}  // namespace causaldpo
