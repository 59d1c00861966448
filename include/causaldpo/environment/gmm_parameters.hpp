// SPDX-License-Identifier: Apache-2.0
// The parameters of a Gaussian mixture: views of the caller's memory, and an owning set of vectors for hosts.
#pragma once

#include <type_traits>
#include <vector>

#include "causaldpo/concepts/tensor.hpp"
#include "causaldpo/detail/check.hpp"

namespace causaldpo {

/// What the covariance of a component may be, and the shape of the one matrix that holds them all.
enum class covariance_kind {
  spherical,  ///< one variance for each component: [K,1]
  diag,       ///< a variance for each dimension: [K,D]
  tied,       ///< one matrix for all components: [D,D]
  full        ///< a matrix for each component, below one another: [K*D,D]
};

/// Rows and columns of the covariances of K components in D dimensions.
constexpr index_t covariance_rows(covariance_kind kind, index_t components, index_t dimensions) {
  return kind == covariance_kind::full ? components * dimensions : kind == covariance_kind::tied ? dimensions : components;
}
constexpr index_t covariance_cols(covariance_kind kind, index_t dimensions) {
  return kind == covariance_kind::spherical ? 1 : dimensions;
}

/// Free parameters p: K - 1 weights, K D means, and K, K D, D (D + 1) / 2 or K D (D + 1) / 2 for the covariances.
constexpr index_t gmm_parameter_count(covariance_kind kind, index_t components, index_t dimensions) {
  index_t const triangle = dimensions * (dimensions + 1) / 2;
  index_t const covariance = kind == covariance_kind::spherical ? components
                             : kind == covariance_kind::diag    ? components * dimensions
                             : kind == covariance_kind::tied    ? triangle
                                                                : components * triangle;
  return components - 1 + components * dimensions + covariance;
}

/// Views of a mixture's parameters. Owns nothing. `gmm_parameters<T const>` is what operations read; a
/// `gmm_parameters<T>` converts to it.
template <class T, memory_space S = host_space>
struct gmm_parameters {
  view<T, 1, S> weights{};      ///< [K], sum 1
  view<T, 2, S> means{};        ///< [K,D]
  view<T, 2, S> covariances{};  ///< as covariance_kind says; of a matrix the lower triangle is read

  operator gmm_parameters<T const, S>() const
    requires(!std::is_const_v<T>)
  {
    return {weights, means, covariances};
  }
};

/// A mixture that owns its parameters, in host memory: what a host program keeps, stores and hands around.
template <real_scalar T>
class gmm_mixture {
 public:
  gmm_mixture() = default;
  gmm_mixture(covariance_kind kind, index_t components, index_t dimensions)
      : weights(static_cast<std::size_t>(components)),
        means(static_cast<std::size_t>(components * dimensions)),
        covariances(static_cast<std::size_t>(covariance_rows(kind, components, dimensions) * covariance_cols(kind, dimensions))),
        kind_(kind),
        components_(components),
        dimensions_(dimensions) {}
  covariance_kind kind() const { return kind_; }
  index_t components() const { return components_; }
  index_t dimensions() const { return dimensions_; }

  /// Views of the vectors below.
  gmm_parameters<T> parameters() { return views<T>(*this); }
  gmm_parameters<T const> parameters() const { return views<T const>(*this); }

  std::vector<T> weights;      ///< [K]
  std::vector<T> means;        ///< [K,D]
  std::vector<T> covariances;  ///< row-major, as covariance_kind says

 private:
  template <class U, class Self>
  static gmm_parameters<U> views(Self& m) {
    index_t const rows = covariance_rows(m.kind_, m.components_, m.dimensions_), cols = covariance_cols(m.kind_, m.dimensions_);
    return {vector(m.weights.data(), m.components_), matrix(m.means.data(), m.components_, m.dimensions_),
            matrix(m.covariances.data(), rows, cols)};
  }

  covariance_kind kind_ = covariance_kind::full;
  index_t components_ = 0, dimensions_ = 0;
};

namespace detail {

/// Checks the shapes of a mixture over D dimensions. `P` has the members of gmm_parameters; `names` are those of
/// weights, means and covariances in messages.
template <class P>
void expect_mixture(char const* op, P const& p, covariance_kind kind, index_t components, index_t dimensions,
                    char const* const (&names)[3]) {
  expect_shape(op, names[1], p.means, components, dimensions, "one row for each component, one column for each of x");
  expect_size(op, names[0], p.weights, components, "one for each component");
  char const* why = kind == covariance_kind::spherical ? "spherical: one variance for each component"
                    : kind == covariance_kind::diag    ? "diag: one row of variances for each component"
                    : kind == covariance_kind::tied    ? "tied: one matrix for all components"
                                                       : "full: one matrix for each component, below one another";
  expect_shape(op, names[2], p.covariances, covariance_rows(kind, components, dimensions), covariance_cols(kind, dimensions),
               why);
}
inline void expect_components(char const* op, char const* argument, index_t components) {
  if (components < 1) throw_shape(op, argument, shape_text(components), "[1] or longer", "a mixture has components");
}

}  // namespace detail
}  // namespace causaldpo
