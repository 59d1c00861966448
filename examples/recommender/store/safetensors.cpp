// SPDX-License-Identifier: Apache-2.0
// The safetensors format. Source: the format section of the README of huggingface/safetensors.
#include "store/safetensors.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "store/atomic_write.hpp"

namespace recommender {

namespace {

using json = nlohmann::json;

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;
constexpr const char* metadata = "__metadata__";

struct element_info {
  element_type type;
  const char* name;
  std::uint64_t size;
};
constexpr std::array<element_info, 4> elements{element_info{element_type::f32, "F32", 4}, element_info{element_type::f64, "F64", 8},
                                               element_info{element_type::i64, "I64", 8}, element_info{element_type::u8, "U8", 1}};

const element_info& info_of(element_type type) {
  return *std::find_if(elements.begin(), elements.end(), [&](const element_info& e) { return e.type == type; });
}

/// Bytes of an array of this shape; false when a number is negative or the product exceeds 63 bits.
bool bytes_of_shape(const std::vector<std::int64_t>& shape, std::uint64_t element, std::uint64_t& bytes) {
  bytes = element;
  for (const std::int64_t extent : shape) {
    if (extent < 0) return false;
    const auto n = static_cast<std::uint64_t>(extent);
    if (n != 0 && bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / n) return false;
    bytes *= n;
  }
  return true;
}

struct placed {
  std::string name;
  tensor array;
  std::uint64_t begin, end;
};

/// A whole number from 0 to 2^63 - 1.
bool is_count(const json& value) {
  return value.is_number_integer() && (!value.is_number_unsigned() ? value.get<std::int64_t>() >= 0
                                                                   : value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
}

bool is_count_list(const json& value) { return value.is_array() && std::all_of(value.begin(), value.end(), is_count); }

/// Checks one entry of the header on its own.
placed parse_entry(const std::string& name, const json& entry, std::uint64_t data_size, const std::string& source) {
  const auto refuse = [&](const std::string& what) { throw store_error(source + ": is damaged: array '" + name + "' " + what); };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets"))
    refuse("lacks dtype, shape or data_offsets");
  const json &type = entry["dtype"], &shape = entry["shape"], &offsets = entry["data_offsets"];
  const auto known = std::find_if(elements.begin(), elements.end(), [&](const element_info& e) { return type == e.name; });
  if (known == elements.end()) refuse("has element type " + type.dump() + "; F32, F64, I64 and U8 can be read");
  if (!is_count_list(shape)) refuse("has a shape that is no list of sizes");
  if (!is_count_list(offsets) || offsets.size() != 2) refuse("has data_offsets that are not two positions");

  placed out{name, {known->type, shape.get<std::vector<std::int64_t>>(), {}}, offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
  std::uint64_t bytes = 0;
  if (!bytes_of_shape(out.array.shape, known->size, bytes)) refuse("has a shape whose size overflows");
  if (out.begin > out.end || out.end > data_size)
    refuse("lies at " + std::to_string(out.begin) + " to " + std::to_string(out.end) + " of " + std::to_string(data_size) + " bytes of data");
  if (out.end - out.begin != bytes)
    refuse("has " + std::to_string(out.end - out.begin) + " bytes, its shape needs " + std::to_string(bytes));
  return out;
}

}  // namespace

std::string to_safetensors(const tensor_map& tensors) {
  std::vector<const tensor_map::value_type*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return info_of(a->second.type).size > info_of(b->second.type).size; });

  json header = json::object();
  std::uint64_t offset = 0;
  for (const auto* entry : order) {
    const auto& [name, array] = *entry;
    std::uint64_t bytes = 0;
    if (name == metadata) throw store_error("safetensors: the name __metadata__ is reserved");
    if (!bytes_of_shape(array.shape, info_of(array.type).size, bytes) || bytes != array.data.size())
      throw store_error("safetensors: array '" + name + "' has " + std::to_string(array.data.size()) + " bytes, which do not fit its shape");
    header[name] = {{"dtype", info_of(array.type).name}, {"shape", array.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.append((length_bytes - text.size() % length_bytes) % length_bytes, ' ');

  std::string out;
  out.reserve(length_bytes + text.size() + offset);
  for (std::size_t i = 0; i < length_bytes; ++i) out += static_cast<char>((text.size() >> (8 * i)) & 0xFFU);
  out += text;
  for (const auto* entry : order) out.append(reinterpret_cast<const char*>(entry->second.data.data()), entry->second.data.size());
  return out;
}

tensor_map from_safetensors(std::string_view bytes, const std::string& source) {
  const auto refuse = [&](const std::string& what) { throw store_error(source + ": is damaged: " + what); };
  if (bytes.size() < length_bytes) refuse("it has " + std::to_string(bytes.size()) + " bytes, fewer than the length of a header takes");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  if (length > longest_header || length > bytes.size() - length_bytes)
    refuse("a header of " + std::to_string(length) + " bytes is announced in a file of " + std::to_string(bytes.size()));
  const std::string_view text = bytes.substr(length_bytes, length), data = bytes.substr(length_bytes + length);
  const json header = json::parse(text, nullptr, false);
  if (!header.is_object()) refuse("the header is no JSON object");

  std::vector<placed> arrays;
  for (const auto& [name, entry] : header.items())
    if (name != metadata) arrays.push_back(parse_entry(name, entry, data.size(), source));
  std::sort(arrays.begin(), arrays.end(), [](const placed& a, const placed& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });

  std::uint64_t reached = 0;
  tensor_map tensors;
  for (placed& p : arrays) {
    if (p.begin < reached) refuse("array '" + p.name + "' overlaps another");
    if (p.begin > reached) refuse("bytes " + std::to_string(reached) + " to " + std::to_string(p.begin) + " of the data belong to no array");
    reached = p.end;
    const auto* first = reinterpret_cast<const std::byte*>(data.data()) + p.begin;
    p.array.data.assign(first, first + (p.end - p.begin));
    tensors.emplace(std::move(p.name), std::move(p.array));
  }
  if (reached != data.size()) refuse(std::to_string(data.size() - reached) + " bytes at the end belong to no array");
  return tensors;
}

void write_safetensors(const std::filesystem::path& path, const tensor_map& tensors) { write_file_atomically(path, to_safetensors(tensors)); }

tensor_map read_safetensors(const std::filesystem::path& path) { return from_safetensors(read_whole_file(path), path.string()); }

}  // namespace recommender
