// SPDX-License-Identifier: Apache-2.0
// Test data of the mixture operations: rows drawn around separated centres, and a mixture to start from.
#pragma once

#include <limits>

#include "causaldpo/environment/gmm_parameters.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

inline constexpr covariance_kind every_covariance[] = {covariance_kind::spherical, covariance_kind::diag, covariance_kind::tied,
                                                       covariance_kind::full};

/// n rows of d columns (and `pad` unused ones that hold NaN) around k centres 4 apart; row i belongs to centre i % k.
template <class T>
std::vector<T> clustered_rows(random_source& random, index_t n, index_t d, index_t k, double spread = 1, index_t pad = 0) {
  std::vector<T> x(static_cast<std::size_t>(n * (d + pad)), std::numeric_limits<T>::quiet_NaN());
  for (index_t i = 0; i < n; ++i) {
    double const shared = random.normal();
    for (index_t j = 0; j < d; ++j) {
      double const center = 4 * static_cast<double>((i % k) * (j + 1) % (k + 1));
      x[static_cast<std::size_t>(i * (d + pad) + j)] =
          static_cast<T>(static_cast<float>(center + spread * (random.normal() + 0.5 * shared)));
    }
  }
  return x;
}

/// A mixture whose means are the first rows and whose covariances are 2 I.
template <class T>
gmm_mixture<T> starting_mixture(std::vector<T> const& x, covariance_kind kind, index_t k, index_t d, index_t ld) {
  gmm_mixture<T> m(kind, k, d);
  for (index_t c = 0; c < k; ++c) {
    m.weights[static_cast<std::size_t>(c)] = T(1) / static_cast<T>(k);
    for (index_t j = 0; j < d; ++j) m.means[static_cast<std::size_t>(c * d + j)] = x[static_cast<std::size_t>(c * ld + j)];
  }
  bool const diagonal = kind == covariance_kind::spherical || kind == covariance_kind::diag;
  index_t const cols = covariance_cols(kind, d);
  for (std::size_t e = 0; e < m.covariances.size(); ++e) {
    index_t const row = static_cast<index_t>(e) / cols, col = static_cast<index_t>(e) % cols;
    m.covariances[e] = T(diagonal || row % d == col ? 2 : 0);
  }
  return m;
}

}  // namespace causaldpo::test
