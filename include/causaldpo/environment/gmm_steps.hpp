// SPDX-License-Identifier: Apache-2.0
// The steps of EM for Gaussian mixtures, from the passes of gmm_pass.hpp and the work items of gmm_kernels.hpp and
// gmm_update_kernels.hpp: what gmm_em, gmm_posterior and gmm_initialize have in common.
#pragma once

#include "causaldpo/environment/gmm_pass.hpp"
#include "causaldpo/ops/small_cholesky.hpp"

namespace causaldpo::detail {

/// Rows in a tile: 64 KiB for each dimension and component.
inline constexpr index_t gmm_tile_rows = 8192;

/// The scratch of a mixture and a tile of rows, and the steps on them. All is double, also for float data.
template <backend B, real_scalar T>
class gmm_workspace {
 public:
  using S = typename B::space;

  gmm_workspace(B& be, view<T const, 2, S> x, covariance_kind kind, index_t components, nan_watch watch)
      : be_(be),
        x_(x),
        watch_(watch),
        tile_rows_(x.rows() < gmm_tile_rows ? x.rows() : gmm_tile_rows),
        scratch_(be.template allocate<accumulator>(size(kind, components, x.cols()) + 2 * x.cols() * tile_rows_ + 1)) {
    index_t const k = components, d = x.cols(), rows = covariance_rows(kind, k, d), cols = covariance_cols(kind, d);
    accumulator* next = scratch_.data();
    auto const vector_of = [&next](index_t n) {
      next += n;
      return view<accumulator, 1, S>(next - n, n);
    };
    auto const matrix_of = [&next](index_t r, index_t c) {
      next += r * c;
      return view<accumulator, 2, S>(next - r * c, r, c);
    };
    state_.kind = kind;
    state_.weights = vector_of(k);
    state_.masses = vector_of(k);
    state_.log_norms = vector_of(k);
    state_.log_dets = vector_of(kind == covariance_kind::tied ? 1 : k);
    state_.means = matrix_of(k, d);
    state_.sums = matrix_of(k, d);
    state_.covariances = matrix_of(rows, cols);
    state_.factors = matrix_of(kind == covariance_kind::spherical ? k : rows, d);
    state_.moments = matrix_of(kind == covariance_kind::spherical ? k : rows, d);
    tile_ = matrix_of(d, tile_rows_);
    z_ = matrix_of(d, tile_rows_);
    sum_ = vector_of(1);
  }

  gmm_state<S> const& state() const { return state_; }
  index_t tiles() const { return tile_rows_ == 0 ? 0 : (x_.rows() + tile_rows_ - 1) / tile_rows_; }
  index_t first_row(index_t t) const { return t * tile_rows_; }
  index_t rows_in(index_t t) const { return x_.rows() - first_row(t) < tile_rows_ ? x_.rows() - first_row(t) : tile_rows_; }
  index_t tile_rows() const { return tile_rows_; }

  void load(gmm_parameters<T const, S> const& p) { be_.launch(components(), load_component<T, S>{p, state_, watch_}); }
  void store(gmm_parameters<T, S> const& p) { be_.launch(components(), store_component<T, S>{state_, p}); }

  /// Factors and norms from the covariances; one that is not positive definite is noted in `slot`.
  void prepare(int slot, accumulator relative_floor) {
    if (state_.diagonal()) {
      be_.launch(components(), prepare_diagonal<S>{state_, watch_, slot});
      return;
    }
    be_.copy(state_.factors, view<accumulator const, 2, S>(state_.covariances));
    small_cholesky(be_, {state_.factors, state_.log_dets, relative_floor, watch_, slot});
    be_.launch(components(), prepare_full<S>{state_});
  }

  /// E-step of the rows of tile t into r [K,rows_in(t)] and the rows' log-densities.
  void expect(index_t t, view<accumulator, 2, S> r, view<accumulator, 1, S> log_density) {
    pass({.densities = true}, first_row(t), rows_in(t), r, log_density);
  }
  /// E-step of all rows into r [K,N]; with `sums` also sum_i r_ik x_i. Then the total log-likelihood.
  void expect_all(view<accumulator, 2, S> r, view<accumulator, 1, S> log_density, bool sums) {
    pass({.densities = true, .sums = sums}, 0, x_.rows(), r, log_density);
    be_.reduce(log_density.size(), element_map<S>{log_density}, sum_fold<>{}, sum_);
  }
  /// sum_i r_ik x_i for given r [K,N].
  void sum_all(view<accumulator, 2, S> r) { pass({.sums = true}, 0, x_.rows(), r, {}); }
  /// Weights and means from r [K,N] and the sums.
  void update_weights_and_means(view<accumulator const, 2, S> r, accumulator min_mass) {
    be_.reduce_rows(components(), r.cols(), responsibility_map<S>{r}, sum_fold<>{}, state_.masses);
    be_.launch(components(), update_means<S>{state_, static_cast<accumulator>(r.cols()), min_mass});
  }
  /// Covariances around the new means, in a second pass over the rows.
  void update_all_covariances(view<accumulator, 2, S> r, accumulator reg_covar, accumulator min_mass) {
    pass({.moments = true}, 0, x_.rows(), r, {});
    be_.launch_2d(state_.covariances.rows(), state_.covariances.cols(),
                  update_covariances<S>{state_, static_cast<accumulator>(r.cols()), reg_covar, min_mass});
  }
  /// out[at] = the mean log-likelihood of the last expect_all.
  void record(view<T, 1, S> out, index_t at) {
    be_.launch(1, store_mean<T, S>{sum_, static_cast<accumulator>(x_.rows()), out, at});
  }
  view<accumulator const, 1, S> total_log_likelihood() const { return sum_; }

 private:
  static index_t size(covariance_kind kind, index_t k, index_t d) {
    index_t const rows = covariance_rows(kind, k, d), square = (kind == covariance_kind::spherical ? k : rows) * d;
    return 4 * k + 2 * k * d + rows * covariance_cols(kind, d) + 2 * square + 1;
  }
  void pass(gmm_steps steps, index_t first, index_t rows, view<accumulator, 2, S> r, view<accumulator, 1, S> log_density) {
    // where all rows fit the tile, it holds them from the first pass on
    gmm_pass(be_,
             gmm_pass_args<T, S>{steps, x_.row_block(first, rows), first, state_, r, log_density, watch_, tile_, z_, loaded_});
    loaded_ = tiles() == 1;
  }
  index_t components() const { return state_.weights.size(); }

  B& be_;
  view<T const, 2, S> x_;
  nan_watch watch_;
  index_t tile_rows_;
  decltype(std::declval<B&>().template allocate<accumulator>(1)) scratch_;
  gmm_state<S> state_{};
  view<accumulator, 2, S> tile_, z_;
  view<accumulator, 1, S> sum_;
  bool loaded_ = false;
};

}  // namespace causaldpo::detail
