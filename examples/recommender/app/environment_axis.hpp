// SPDX-License-Identifier: Apache-2.0
// One covariate turned into soft environments: how a value of it becomes a row of memberships.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/interaction_log.hpp"

namespace recommender {

/// How a covariate is divided.
enum class axis_kind {
  slices,           ///< K slices of equal mass with linear membership between neighbouring centres
  periodic_slices,  ///< the same on a circle: time of the year
  clusters,         ///< components of a Gaussian mixture found by EM
  levels            ///< one environment for each distinct value of a column
};

/// The environments along one covariate. `centres` ascend; a mixture also has weights and variances.
struct environment_axis {
  std::string covariate;            ///< "time", or the name of a column
  axis_kind kind = axis_kind::levels;
  double period = 0;                ///< of periodic_slices, in the covariate's unit
  std::vector<double> centres;      ///< slices, clusters
  std::vector<double> weights;      ///< clusters
  std::vector<double> variances;    ///< clusters
  std::vector<std::string> levels;  ///< levels

  std::size_t environments() const { return kind == axis_kind::levels ? levels.size() : centres.size(); }
  /// Memberships of a numeric value; they sum to 1.
  void memberships(double value, std::span<float> q) const;
  /// Memberships of a level; all 0 for one that was never seen, which then has no offset.
  void memberships(std::string const& level, std::span<float> q) const;
  /// "slice 3 of 8", "market = 2": what the environment is, in words.
  std::string describe(std::size_t environment) const;
};

/// The values of one covariate, one for each interaction of a log: numbers, or levels.
struct covariate_values {
  std::string name;
  std::vector<double> numbers;       ///< empty for a column of levels
  std::vector<std::string> levels;   ///< distinct values
  std::vector<std::int32_t> codes;   ///< one for each interaction
  bool is_time = false;
};

/// The values of `name` in a log: "time", or one of its columns. A numeric column of more than 24 distinct values is cut
/// into slices, any other into levels. Throws data_error naming the covariates that there are.
covariate_values covariate_of(interaction_log const& log, std::string const& name);

/// Equal-mass slices of the given values (period > 0: of the values modulo the period).
environment_axis slice_axis(std::string const& covariate, std::span<double const> values, std::size_t slices, double period = 0);
/// A Gaussian mixture on the values, by the library's gmm_initialize and gmm_em.
environment_axis cluster_axis(std::string const& covariate, std::span<double const> values, std::size_t clusters, std::uint64_t seed);
/// One environment for each level.
environment_axis level_axis(covariate_values const& values);

/// Memberships [interactions, K] of some interactions, row-major.
std::vector<float> memberships_of(environment_axis const& axis, covariate_values const& values, std::span<std::int32_t const> interactions);

}  // namespace recommender
