// SPDX-License-Identifier: Apache-2.0
// The comparison of tensors and of cases.
#include "conformance/compare.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

namespace causaldpo::conformance {

namespace {

std::string number_text(double x) {
  std::ostringstream text;
  if (std::isnan(x))
    text << "nan";
  else
    text << std::setprecision(std::isfinite(x) && std::abs(x) < 1e15 && x == std::floor(x) ? 15 : 9) << x;
  return text.str();
}

std::string position_text(extents const& shape, index_t flat) {
  extents position(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0; flat /= shape[axis]) position[axis] = flat % shape[axis];
  return shape_text(position);
}

double element(tensor const& t, index_t i) {
  return t.is_integer ? static_cast<double>(t.integer[static_cast<std::size_t>(i)]) : t.real[static_cast<std::size_t>(i)];
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

comparison compare_tensor(std::string const& name, tensor const& actual, tensor const& expected, tolerance_pair tolerance) {
  comparison result;
  if (actual.shape != expected.shape) {
    result.ok = false;
    result.error = std::numeric_limits<double>::infinity();
    result.detail = name + ", shape " + shape_text(actual.shape) + ", expected shape " + shape_text(expected.shape);
    return result;
  }
  index_t const count = element_count(expected.shape);
  double largest = 0;
  for (double e : expected.real)
    if (std::isfinite(e)) largest = std::max(largest, std::abs(e));
  if (!expected.is_integer) result.allowed = tolerance.absolute + tolerance.relative * largest;
  index_t worst = -1;
  for (index_t i = 0; i < count; ++i) {
    double const p = element(actual, i), e = element(expected, i);
    bool equal = same(p, e);
    if (equal && expected.is_integer && actual.is_integer)  // beyond 2^53 two integers may share a double
      equal = actual.integer[static_cast<std::size_t>(i)] == expected.integer[static_cast<std::size_t>(i)];
    if (equal) continue;
    double const error = std::isfinite(p) && std::isfinite(e) ? std::abs(p - e) : std::numeric_limits<double>::infinity();
    bool const bad = expected.is_integer || !(error <= result.allowed);
    if (worst < 0 || error > result.error) {
      result.error = error;
      worst = i;
    }
    if (bad) result.ok = false;
  }
  if (!result.ok) {
    result.detail = name + ", largest error " + number_text(result.error) + ", allowed " + number_text(result.allowed) + " (at " +
                    position_text(expected.shape, worst) + ": " + number_text(element(actual, worst)) + ", expected " +
                    number_text(element(expected, worst)) + ")";
  }
  return result;
}

comparison compare_case(std::map<std::string, tensor> const& actual, golden_case const& c, tolerance_pair tolerance) {
  comparison worst;
  std::string others;
  auto const badness = [](comparison const& r) {
    return r.allowed > 0 ? r.error / r.allowed : r.error > 0 ? std::numeric_limits<double>::infinity() : 0;
  };
  for (auto const& entry : c.expected) {
    std::string const& name = entry.first;
    comparison result;
    auto const found = actual.find(name);
    if (found != actual.end()) {
      result = compare_tensor(name, found->second, entry.second, tolerance);
    } else if (name != "grad_q" && name != "entropy" && name != "log_sum_p2") {
      result = {false, std::numeric_limits<double>::infinity(), 0, name + ", not returned"};
    }
    if (result.ok) continue;
    if (worst.ok) {
      worst = result;
      worst.detail = result.detail;
      others.clear();
    } else if (badness(result) > badness(worst)) {
      others += (others.empty() ? "" : ", ") + worst.detail.substr(0, worst.detail.find(','));
      worst = result;
    } else {
      others += (others.empty() ? "" : ", ") + name;
    }
  }
  if (!worst.ok && !others.empty()) worst.detail += "; also " + others;
  return worst;
}

}  // namespace causaldpo::conformance
