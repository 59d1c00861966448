// SPDX-License-Identifier: Apache-2.0
// Host-side owners of what sample_negatives reads: the distribution of rejected items, and the sorted lists of what each
// user is known to like. Built once, used in every batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "causaldpo/concepts/tensor.hpp"
#include "causaldpo/core/error.hpp"
#include "causaldpo/core/math.hpp"
#include "causaldpo/detail/check.hpp"
#include "causaldpo/preference/item_lists.hpp"

namespace causaldpo {

/// The distribution r of rejected items for `negative_source::popularity` (one row) or `per_environment` (a row for each
/// environment), as running sums of weights in double: 8 K I bytes. Every backend and scalar draws from the same numbers.
///
/// With rejected items from r(y) = p(y)^s the strength of the offset that removes the exposure is 1 + beta - s
/// (conditional_preference).
class negative_sampler {
 public:
  /// r(y | e_k) proportional to exp(exponent log_probabilities[k,y]), e.g. `log_conditional` of exposure_model, or its
  /// `log_marginal` as a matrix of one row. -inf: never drawn, at any exponent. exponent >= 0; 0 is uniform over what is
  /// on offer.
  /// Errors: value_error for NaN and +inf.
  template <matrix_like M>
  static negative_sampler from_log_probabilities(M const& log_probabilities, double exponent = 1) {
    view<scalar_of<M> const, 2> const log_p = as_view(log_probabilities);
    negative_sampler s(log_p.rows(), log_p.cols(), exponent);
    for (index_t k = 0; k < log_p.rows(); ++k) {
      double largest = -math::infinity<double>();
      for (index_t y = 0; y < log_p.cols(); ++y) {
        double const x = static_cast<double>(log_p(k, y));
        if (!(x < math::infinity<double>())) refuse("log_probabilities", k * log_p.cols() + y, x, "finite or -inf");
        largest = std::max(largest, x);
      }
      double sum = 0;
      for (index_t y = 0; y < log_p.cols(); ++y) {
        double const x = static_cast<double>(log_p(k, y));
        s.at(k, y) = sum += x > -math::infinity<double>() ? std::exp(exponent * (x - largest)) : 0;
      }
    }
    return s;
  }
  /// r(y) proportional to counts[y]^exponent; an item of count 0 is drawn only at exponent 0.
  /// Errors: value_error for a count that is not finite and >= 0.
  template <vector_like V>
  static negative_sampler from_counts(V const& counts, double exponent = 1) {
    view<scalar_of<V> const, 1> const n = as_view(counts);
    negative_sampler s(1, n.size(), exponent);
    double sum = 0;
    for (index_t y = 0; y < n.size(); ++y) {
      double const x = static_cast<double>(n(y));
      if (!(x >= 0) || !detail::is_finite(x)) refuse("counts", y, x, "finite and >= 0");
      s.at(0, y) = sum += std::pow(x, exponent);
    }
    return s;
  }

  index_t environments() const { return rows_; }
  index_t item_count() const { return cols_; }
  /// What sample_negatives takes: running sums [K,I].
  view<double const, 2> running() const { return {sums_.data(), rows_, cols_}; }
  /// r(y | e_k); 0 if nothing is on offer.
  double probability(index_t k, index_t y) const {
    double const total = running()(k, cols_ - 1), before = y > 0 ? running()(k, y - 1) : 0;
    return total > 0 ? (running()(k, y) - before) / total : 0;
  }

 private:
  negative_sampler(index_t rows, index_t cols, double exponent)
      : rows_(rows), cols_(cols), sums_(static_cast<std::size_t>(rows * cols)) {
    detail::expect_option("negative_sampler", "exponent", exponent >= 0 && detail::is_finite(exponent), exponent,
                          "finite and >= 0");
  }
  double& at(index_t k, index_t y) { return sums_[static_cast<std::size_t>(k * cols_ + y)]; }
  [[noreturn]] static void refuse(char const* argument, index_t position, double was, char const* must) {
    std::ostringstream text;
    text << "negative_sampler: " << argument << " is " << was << " at flat position " << position << " and must be " << must;
    throw value_error(text.str());
  }

  index_t rows_, cols_;
  std::vector<double> sums_;
};

/// What each user is known to like, in ascending order and without repetition, from histories in any order.
/// Give it everything the user is known to like, held-out items included, if they must not become rejected items.
class known_items {
 public:
  /// Errors: value_error if the offsets descend or run past the items.
  explicit known_items(item_lists<host_space> const& histories) {
    offsets_.push_back(0);
    for (index_t u = 0; u < histories.users(); ++u) {
      index_t const first = histories.offsets.at(u), last = histories.offsets.at(u + 1);
      if (first < 0 || last < first || last > histories.items.size()) {
        std::ostringstream text;
        text << "known_items: the list of user " << u << " is [" << first << ", " << last << ") and must lie in [0, "
             << histories.items.size() << ")";
        throw value_error(text.str());
      }
      auto const begin = static_cast<std::ptrdiff_t>(items_.size());
      for (index_t p = first; p < last; ++p) items_.push_back(histories.items.at(p));
      std::sort(items_.begin() + begin, items_.end());
      items_.erase(std::unique(items_.begin() + begin, items_.end()), items_.end());
      offsets_.push_back(static_cast<std::int64_t>(items_.size()));
    }
  }
  /// What sample_negatives takes. Valid while this object lives and is not moved from.
  item_lists<host_space> lists() const { return {offsets_, items_}; }

 private:
  std::vector<std::int64_t> offsets_, items_;
};

}  // namespace causaldpo
