// SPDX-License-Identifier: Apache-2.0
// Environments along a covariate as components of a Gaussian mixture, found by EM with the library.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "app/environment_axis.hpp"
#include "app/host_backend.hpp"
#include "causaldpo/environment/gmm_em.hpp"
#include "causaldpo/environment/gmm_initialize.hpp"

namespace recommender {
namespace {

constexpr std::size_t most_values = 20000;  // a mixture in one dimension is settled by far fewer

}  // namespace

environment_axis cluster_axis(std::string const& covariate, std::span<double const> values, std::size_t clusters, std::uint64_t seed) {
  environment_axis axis;
  axis.covariate = covariate;
  axis.kind = axis_kind::clusters;
  std::size_t const stride = std::max<std::size_t>(1, values.size() / most_values);
  std::vector<double> x;
  for (std::size_t i = 0; i < values.size(); i += stride) x.push_back(values[i]);
  if (x.size() < clusters) return axis;
  // In units of the standard deviation, so that the mixture's own scale of variance fits seconds and counts alike.
  double const n = static_cast<double>(x.size()), mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double square = 0;
  for (double v : x) square += (v - mean) * (v - mean);
  double const scale = std::sqrt(square / n);
  if (!(scale > 0)) return axis;
  for (double& v : x) v = (v - mean) / scale;

  host_backend backend;
  auto const rows = static_cast<causaldpo::index_t>(x.size()), k = static_cast<causaldpo::index_t>(clusters);
  causaldpo::gmm_mixture<double> mixture(causaldpo::covariance_kind::diag, k, 1);
  auto const data = causaldpo::matrix(x.data(), rows, 1);
  causaldpo::gmm_initialize(backend, data, {.weights = mixture.parameters().weights, .means = mixture.parameters().means, .covariances = mixture.parameters().covariances},
                            {.covariance_type = causaldpo::covariance_kind::diag, .seed = seed});
  causaldpo::gmm_mixture<double> fitted(causaldpo::covariance_kind::diag, k, 1);
  causaldpo::gmm_em(backend, data, mixture.parameters(),
                    {.weights = fitted.parameters().weights, .means = fitted.parameters().means, .covariances = fitted.parameters().covariances},
                    {.covariance_type = causaldpo::covariance_kind::diag, .n_iter = 100, .tol = 1e-4});
  std::vector<std::size_t> order(clusters);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return fitted.means[a] < fitted.means[b]; });
  for (std::size_t c : order) {
    axis.centres.push_back(mean + scale * fitted.means[c]);
    axis.weights.push_back(fitted.weights[c]);
    axis.variances.push_back(scale * scale * fitted.covariances[c]);
  }
  return axis;
}

}  // namespace recommender
