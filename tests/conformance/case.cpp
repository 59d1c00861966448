// SPDX-License-Identifier: Apache-2.0
// Reading of golden cases from JSON.
#include "conformance/case.hpp"

#include <fstream>
#include <limits>
#include <sstream>

namespace causaldpo::conformance {

namespace {

using nlohmann::json;

json const& member(json const& object, char const* key, std::string const& where) {
  auto const found = object.find(key);
  if (found == object.end()) throw case_error(where + " has no \"" + key + "\"");
  return *found;
}

std::string text_member(json const& object, char const* key, std::string const& where) {
  json const& value = member(object, key, where);
  if (!value.is_string()) throw case_error(where + ": \"" + key + "\" must be a string");
  return value.get<std::string>();
}

double tolerance_member(json const& object, char const* key) {
  double const value = read_number(member(object, key, "the case"), key);
  if (!(value >= 0) || value == std::numeric_limits<double>::infinity())
    throw case_error(std::string(key) + " must be finite and not negative");
  return value;
}

tensor read_tensor(json const& value, std::string const& where) {
  if (!value.is_object()) throw case_error(where + " must be an object with shape, dtype and data");
  tensor t;
  json const& shape = member(value, "shape", where);
  json const& data = member(value, "data", where);
  std::string const dtype = text_member(value, "dtype", where);
  if (!shape.is_array() || !data.is_array()) throw case_error(where + ": shape and data must be lists");
  if (dtype != "f64" && dtype != "i64") throw case_error(where + ": dtype is \"" + dtype + "\" and must be f64 or i64");
  for (json const& extent : shape) {
    if (!extent.is_number_integer() || extent.get<index_t>() < 0) throw case_error(where + ": an extent must be an integer >= 0");
    t.shape.push_back(extent.get<index_t>());
  }
  if (static_cast<index_t>(data.size()) != element_count(t.shape))
    throw case_error(where + " has shape " + shape_text(t.shape) + " and " + std::to_string(data.size()) + " numbers");
  t.is_integer = dtype == "i64";
  for (json const& number : data) {
    if (!t.is_integer)
      t.real.push_back(read_number(number, where));
    else if (number.is_number_integer())
      t.integer.push_back(number.get<std::int64_t>());
    else
      throw case_error(where + ": " + number.dump() + " is not an integer");
  }
  return t;
}

std::map<std::string, tensor> read_tensors(json const& file, char const* key) {
  json const& object = member(file, key, "the case");
  if (!object.is_object()) throw case_error(std::string("\"") + key + "\" must be an object");
  std::map<std::string, tensor> tensors;
  for (auto const& entry : object.items())
    tensors.emplace(entry.key(), read_tensor(entry.value(), std::string(key) + "." + entry.key()));
  return tensors;
}

}  // namespace

index_t element_count(extents const& shape) {
  index_t count = 1;
  for (index_t extent : shape) count *= extent;
  return count;
}

folded fold_to_matrix(extents const& shape) {
  if (shape.empty()) return {1, 1};
  if (shape.size() == 1) return {shape[0], 1};
  folded f{1, shape.back()};
  for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) f.rows *= shape[axis];
  return f;
}

std::string shape_text(extents const& shape) {
  std::ostringstream text;
  text << '[';
  for (std::size_t axis = 0; axis < shape.size(); ++axis) text << (axis ? ", " : "") << shape[axis];
  text << ']';
  return text.str();
}

double read_number(json const& value, std::string const& where) {
  if (value.is_number()) return value.get<double>();
  if (value == "inf") return std::numeric_limits<double>::infinity();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
  throw case_error(where + ": " + value.dump() + " is not a number, \"inf\", \"-inf\" or \"nan\"");
}

golden_case read_case(std::filesystem::path const& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw case_error("cannot be read");
  json const file = json::parse(stream, nullptr, false);
  if (file.is_discarded()) throw case_error("is not valid JSON");
  if (!file.is_object()) throw case_error("is not a case: the file must hold one JSON object");
  golden_case c;
  c.name = text_member(file, "name", "the case");
  c.op = text_member(file, "op", "the case");
  if (file.contains("note")) c.note = text_member(file, "note", "the case");
  c.options = member(file, "options", "the case");
  if (!c.options.is_object()) throw case_error("\"options\" must be an object");
  c.inputs = read_tensors(file, "inputs");
  c.expected = read_tensors(file, "expected");
  if (c.expected.empty()) throw case_error("\"expected\" holds nothing to compare");
  c.f64 = {tolerance_member(file, "rtol_f64"), tolerance_member(file, "atol_f64")};
  c.f32 = {tolerance_member(file, "rtol_f32"), tolerance_member(file, "atol_f32")};
  return c;
}

}  // namespace causaldpo::conformance
