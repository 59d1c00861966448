// SPDX-License-Identifier: Apache-2.0
// A golden case in memory: the tensors and options of one JSON file (tests/golden/FORMAT.md, section 1).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "causaldpo/core/config.hpp"

namespace causaldpo::conformance {

/// A file that is not a case, an option that an adapter does not know, an input that is not there.
class case_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Extents, outermost first; empty for a scalar.
using extents = std::vector<index_t>;

/// The number of elements: 1 for a scalar.
index_t element_count(extents const& shape);
/// The folding of a shape into a matrix: [] -> 1 x 1, [n] -> n x 1, [.., r, c] -> (product of the rest) x c.
struct folded {
  index_t rows, cols;
};
folded fold_to_matrix(extents const& shape);
/// "[3, 2]", "[]" for a scalar.
std::string shape_text(extents const& shape);

/// One tensor as it stands in a file, row-major. `real` holds the data of "f64", `integer` of "i64"; the other is empty.
struct tensor {
  extents shape;
  bool is_integer = false;
  std::vector<double> real;
  std::vector<std::int64_t> integer;
};

struct tolerance_pair {
  double relative = 0, absolute = 0;
};

struct golden_case {
  std::string name, op, note;
  nlohmann::json options;
  std::map<std::string, tensor> inputs, expected;
  tolerance_pair f64, f32;
};

/// Reads and checks one file. Throws case_error with a sentence that says what is wrong where.
golden_case read_case(std::filesystem::path const& file);

/// Reads a number or one of the strings "inf", "-inf", "nan"; `where` is for the message.
double read_number(nlohmann::json const& value, std::string const& where);

}  // namespace causaldpo::conformance
