// SPDX-License-Identifier: Apache-2.0
// Reading of the tests of a simulation.
#include "data/exact_tests.hpp"

#include <string_view>
#include <system_error>
#include <unordered_map>

#include "store/safetensors.hpp"

namespace recommender {

namespace {

/// The number in `ids` of each value written as a decimal number, -1 where it is not there.
std::vector<std::int32_t> numbers_of(const std::vector<std::int64_t>& values, const std::vector<std::string>& ids) {
  std::unordered_map<std::string_view, std::int32_t> numbers;
  for (std::size_t i = 0; i < ids.size(); ++i) numbers.emplace(ids[i], static_cast<std::int32_t>(i));
  std::vector<std::int32_t> out;
  for (const std::int64_t value : values) {
    const auto found = numbers.find(std::to_string(value));
    out.push_back(found == numbers.end() ? -1 : found->second);
  }
  return out;
}

}  // namespace

exact_tests read_exact_tests(const std::filesystem::path& path, const interaction_log& log) {
  std::error_code status;
  const std::filesystem::path file = std::filesystem::is_directory(path, status) ? path / "tests.safetensors" : path;
  const tensor_map arrays = read_safetensors(file);
  const auto array = [&](const char* name) -> const tensor& {
    const auto found = arrays.find(name);
    if (found == arrays.end()) throw store_error(file.string() + ": has no array '" + name + "'");
    return found->second;
  };
  const std::vector<std::int64_t> users = values_of<std::int64_t>(array("users")), items = values_of<std::int64_t>(array("items"));
  const auto probabilities = [&](const char* name) {
    std::vector<float> p = values_of<float>(array(name));
    if (p.size() != users.size() * items.size()) throw store_error(file.string() + ": array '" + std::string(name) + "' is not [users, items]");
    return p;
  };
  exact_tests tests{numbers_of(users, log.user_ids), numbers_of(items, log.item_ids), probabilities("id"), probabilities("uniform"), probabilities("new")};
  for (std::size_t r = 0; r < users.size(); ++r)
    if (tests.users[r] < 0) throw data_error(file.string() + ": user '" + std::to_string(users[r]) + "' is not in the log " + log.source);
  return tests;
}

}  // namespace recommender
