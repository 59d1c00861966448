// SPDX-License-Identifier: Apache-2.0
// Seeded test data that is the same with every compiler (std::normal_distribution is not).
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "causaldpo/core/config.hpp"

namespace causaldpo::test {

/// splitmix64, uniform and normal numbers, and the shapes of data that operations take.
class random_source {
 public:
  explicit random_source(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  index_t below(index_t n) { return static_cast<index_t>(bits() % static_cast<std::uint64_t>(n)); }
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()); }

  template <class T> std::vector<T> normals(index_t n, double scale = 1, double mean = 0) {
    std::vector<T> x(static_cast<std::size_t>(n));
    for (T& v : x) v = static_cast<T>(static_cast<float>(mean + scale * normal()));  // exact in binary32
    return x;
  }
  /// rows of a membership matrix [B,K] that sum to 1.
  template <class T> std::vector<T> memberships(index_t b, index_t k) {
    std::vector<T> q(static_cast<std::size_t>(b * k));
    for (index_t i = 0; i < b; ++i) {
      double sum = 0;
      for (index_t j = 0; j < k; ++j) sum += static_cast<double>(q[static_cast<std::size_t>(i * k + j)] = static_cast<T>(uniform(0.05, 1)));
      for (index_t j = 0; j < k; ++j) q[static_cast<std::size_t>(i * k + j)] /= static_cast<T>(sum);
    }
    return q;
  }

 private:
  std::uint64_t state_;
};

}  // namespace causaldpo::test
