// SPDX-License-Identifier: Apache-2.0
// Named arrays in the safetensors format: 8 bytes of header length (little-endian), a JSON header, the data one after another.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "store/store_error.hpp"

namespace recommender {

static_assert(std::endian::native == std::endian::little, "the data are written as they lie in memory");

enum class element_type { f32, f64, i64, u8 };

/// The element type of a C++ type; only the four that are read and written have one.
template <class T> inline constexpr element_type element_type_of = [] {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::uint8_t>);
  if (std::is_same_v<T, float>) return element_type::f32;
  if (std::is_same_v<T, double>) return element_type::f64;
  return std::is_same_v<T, std::int64_t> ? element_type::i64 : element_type::u8;
}();

/// One array, row-major. An empty `shape` is a scalar.
struct tensor {
  element_type type = element_type::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;
};

/// Copies `values` into an array; their number must be the product of `shape`, otherwise `store_error`.
template <class T> tensor make_tensor(std::vector<std::int64_t> shape, std::span<const T> values) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  if (count != values.size())
    throw store_error("tensor: " + std::to_string(values.size()) + " values for a shape of " + std::to_string(count) + " elements");
  tensor made{element_type_of<T>, std::move(shape), std::vector<std::byte>(values.size_bytes())};
  if (!values.empty()) std::memcpy(made.data.data(), values.data(), values.size_bytes());
  return made;
}

template <class T> tensor make_tensor(std::vector<std::int64_t> shape, const std::vector<T>& values) {
  return make_tensor<T>(std::move(shape), std::span<const T>(values));
}

/// Copies the values out. Throws `store_error` when the array has another element type.
template <class T> std::vector<T> values_of(const tensor& t) {
  if (t.type != element_type_of<T>) throw store_error("tensor: its elements are of another type than asked for");
  std::vector<T> values(t.data.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), t.data.data(), t.data.size());
  return values;
}

using tensor_map = std::map<std::string, tensor>;

/// The bytes of a safetensors file, the same for the same map on every machine: arrays by size of element, then name; the data start at a multiple of 8.
/// Throws `store_error` for a shape that does not fit its data, or the reserved name "__metadata__".
std::string to_safetensors(const tensor_map& tensors);

/// Reads such bytes. `source` is what messages call them. Throws `store_error` unless every byte is accounted for: a header that is a JSON object of
/// known element types, shapes and offsets that fit each other, arrays that lie one after another without overlap or gap up to the end.
tensor_map from_safetensors(std::string_view bytes, const std::string& source);

/// Writes the file atomically.
void write_safetensors(const std::filesystem::path& path, const tensor_map& tensors);

/// Reads a whole file.
tensor_map read_safetensors(const std::filesystem::path& path);

}  // namespace recommender
