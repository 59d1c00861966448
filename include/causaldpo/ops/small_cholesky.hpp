// SPDX-License-Identifier: Apache-2.0
// Cholesky factors of a few small matrices, one work item for each.
#pragma once

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/detail/dispatch.hpp"

namespace causaldpo {
namespace detail {

/// Arguments of small_cholesky: `count` symmetric D x D matrices below one another in [count*D, D].
template <class S>
struct small_cholesky_args {
  view<accumulator, 2, S> matrices;  // A on entry (its lower triangle is read), L on exit in the lower triangle
  view<accumulator, 1, S> log_dets;  // [count] log det A
  accumulator relative_floor;        // the rounding of A relative to its diagonal, e.g. 1.2e-7 for a float matrix
  nan_watch watch;
  int slot;
};

/// One matrix: A = L L', column by column. A pivot below the rounding of its diagonal entry is taken as that rounding,
/// which is a matrix equal to A up to rounding; a pivot far below zero, or a diagonal that is not positive, is noted.
template <class S>
struct factorise {
  small_cholesky_args<S> a;

  CAUSALDPO_HD view<accumulator, 2, S> matrix(index_t m) const {
    return a.matrices.row_block(m * a.matrices.cols(), a.matrices.cols());
  }
  /// a_ij - sum_{e < j} l_ie l_je, where the columns before j are those of L.
  CAUSALDPO_HD static accumulator remainder(view<accumulator, 2, S> l, index_t i, index_t j) {
    accumulator sum = l.at(i, j);
    for (index_t e = 0; e < j; ++e) sum -= l.at(i, e) * l.at(j, e);
    return sum;
  }
  /// l_jj of matrix m, from a_jj and its remainder.
  CAUSALDPO_HD accumulator root(index_t m, index_t j, accumulator diagonal, accumulator pivot) const {
    index_t const d_count = a.matrices.cols();
    accumulator const rounding = a.relative_floor * diagonal;
    bool const definite = diagonal > 0 && pivot >= -16 * static_cast<accumulator>(d_count) * rounding;
    if (!definite) a.watch.note(a.slot, (m * d_count + j) * d_count + j);
    return math::sqrt(definite && pivot < rounding ? rounding : pivot);
  }

  CAUSALDPO_HD void operator()(index_t m) const {
    view<accumulator, 2, S> const l = matrix(m);
    accumulator log_det = 0;
    for (index_t j = 0; j < l.cols(); ++j) {
      accumulator const pivot = root(m, j, l.at(j, j), remainder(l, j, j));
      l.at(j, j) = pivot;
      log_det += 2 * math::log(pivot);
      for (index_t i = j + 1; i < l.cols(); ++i) l.at(i, j) = remainder(l, i, j) / pivot;
    }
    a.log_dets.at(m) = log_det;
  }
};

}  // namespace detail

namespace op {
/// Tag and generic body of small_cholesky.
struct small_cholesky {
  template <backend B>
  static void generic(B& be, detail::small_cholesky_args<typename B::space> const& a) {
    be.launch(a.log_dets.size(), detail::factorise<typename B::space>{a});
  }
};
}  // namespace op

namespace detail {

/// Factorises A_m = L_m L_m' in place and puts log det A_m; for operations whose front door has checked the shapes. A matrix
/// that is not positive definite is noted in `slot` at its flat position. Cost O(count D^3), no scratch.
template <backend B>
void small_cholesky(B& be, small_cholesky_args<typename B::space> const& args) {
  run<op::small_cholesky>(be, args);
}

}  // namespace detail
}  // namespace causaldpo
