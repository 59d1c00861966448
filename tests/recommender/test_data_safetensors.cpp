// SPDX-License-Identifier: Apache-2.0
// Tests of the safetensors reader and writer.
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "store/safetensors.hpp"

using namespace recommender;

namespace {

/// A safetensors file of the given header text and data.
std::string raw_safetensors(const std::string& header, const std::string& data) {
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) out += static_cast<char>((header.size() >> (8 * i)) & 0xFFU);
  return out + header + data;
}

tensor_map sample_tensors() {
  return {{"weights", make_tensor<float>({2, 3}, {1.5f, -2, 0, std::numeric_limits<float>::infinity(), 4, 5})},
          {"exact", make_tensor<double>({2}, {0.1, -1e300})},
          {"ids", make_tensor<std::int64_t>({3, 1}, {-1, 0, std::numeric_limits<std::int64_t>::max()})},
          {"flags", make_tensor<std::uint8_t>({3}, {0, 1, 255})},
          {"scalar", make_tensor<float>({}, {7})},
          {"none", make_tensor<float>({0, 4}, std::vector<float>())}};
}

}  // namespace

TEST_CASE("store: safetensors come back as they were, aligned and in the same bytes") {
  const tensor_map tensors = sample_tensors();
  const std::string bytes = to_safetensors(tensors);
  CHECK(bytes == to_safetensors(tensors));
  CHECK(static_cast<unsigned char>(bytes[0]) % 8 == 0);
  const tensor_map back = from_safetensors(bytes, "memory");
  REQUIRE(back.size() == tensors.size());
  for (const auto& [name, array] : tensors) {
    CAPTURE(name);
    CHECK(back.at(name).type == array.type);
    CHECK(back.at(name).shape == array.shape);
    CHECK(back.at(name).data == array.data);
  }
  CHECK(values_of<double>(back.at("exact")) == std::vector<double>{0.1, -1e300});
  CHECK_THROWS_AS(values_of<float>(back.at("exact")), store_error);
  CHECK_THROWS_AS(make_tensor<float>({2, 2}, {1.0f}), store_error);
  CHECK(from_safetensors(to_safetensors({}), "memory").empty());
  CHECK_THROWS_WITH_AS(to_safetensors({{"x", {element_type::f64, {2}, std::vector<std::byte>(8)}}}), doctest::Contains("do not fit its shape"), store_error);
}

TEST_CASE("store: a safetensors file cut at any byte, or with a byte more, is refused") {
  const std::string bytes = to_safetensors(sample_tensors());
  for (std::size_t n = 0; n < bytes.size(); ++n) CHECK_THROWS_AS(from_safetensors(std::string_view(bytes).substr(0, n), "cut"), store_error);
  CHECK_THROWS_WITH_AS(from_safetensors(bytes + "x", "long"), "long: is damaged: 1 bytes at the end belong to no array", store_error);
}

TEST_CASE("store: damaged safetensors headers are refused with the reason") {
  const std::string data(16, '\0');
  const auto refused = [&](const std::string& header, const std::string& why) {
    CAPTURE(header);
    CHECK_THROWS_WITH_AS(from_safetensors(raw_safetensors(header, data), "f"), doctest::Contains(why.c_str()), store_error);
  };
  CHECK(from_safetensors(raw_safetensors(R"({"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}} )", data), "f").size() == 1);
  refused("[1]", "no JSON object");
  refused("{\"x\":", "no JSON object");
  refused(R"({"x":{"dtype":"F32","shape":[4]}})", "lacks dtype, shape or data_offsets");
  refused(R"({"x":7})", "lacks dtype");
  refused(R"({"x":{"dtype":"F16","shape":[8],"data_offsets":[0,16]}})", "element type \"F16\"");
  refused(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}})", "has 16 bytes, its shape needs 12");
  refused(R"({"x":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})", "no list of sizes");
  refused(R"({"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,16]}})", "no list of sizes");
  refused(R"({"x":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,16]}})", "no list of sizes");
  refused(R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})", "overflows");
  refused(R"({"x":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}})", "0 to 32 of 16 bytes");
  refused(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", "8 to 4");
  refused(R"({"x":{"dtype":"F32","shape":[4],"data_offsets":[0]}})", "not two positions");
  refused(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"y":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", "'y' overlaps");
  refused(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", "bytes 4 to 8");
  refused(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "8 bytes at the end");
  CHECK_THROWS_WITH_AS(from_safetensors(std::string(8, '\xFF'), "f"), doctest::Contains("a header of 18446744073709551615 bytes"), store_error);
}
