// SPDX-License-Identifier: Apache-2.0
// Writing of a simulation, and its period.
#include "data/simulation_files.hpp"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <system_error>
#include <vector>

#include "store/atomic_write.hpp"
#include "store/safetensors.hpp"

namespace recommender {

namespace {

constexpr const char* description_file = "simulation.json";

std::string log_text(const std::vector<simulated_click>& clicks, bool hidden) {
  std::string text = hidden ? "user,item,timestamp,season,market,campaign\n" : "user,item,timestamp\n";
  for (const simulated_click& c : clicks) {
    text += std::to_string(c.user) + "," + std::to_string(c.item) + "," + std::to_string(c.timestamp);
    if (hidden) text += "," + std::to_string(c.season) + "," + std::to_string(c.market) + "," + (c.campaign < 0 ? "none" : std::to_string(c.campaign));
    text += "\n";
  }
  return text;
}

std::vector<std::int64_t> counted(std::uint32_t n) {
  std::vector<std::int64_t> ids(n);
  std::iota(ids.begin(), ids.end(), std::int64_t{0});
  return ids;
}

tensor_map tests_of(const simulation& drawn) {
  const std::int64_t rows = drawn.options.test_users, columns = drawn.options.items;
  return {{"id", make_tensor({rows, columns}, drawn.id)},
          {"uniform", make_tensor({rows, columns}, drawn.uniform)},
          {"new", make_tensor({rows, columns}, drawn.shifted)},
          {"users", make_tensor({rows}, counted(drawn.options.test_users))},
          {"items", make_tensor({columns}, counted(drawn.options.items))}};
}

nlohmann::json description_of(const simulation& drawn, const std::string& library_version) {
  const simulation_options& o = drawn.options;
  const exposure_strengths strengths = strengths_of(o.variant);
  nlohmann::json description = {
      {"format", "causaldpo-simulation"},
      {"format_version", 1},
      {"library_version", library_version},
      {"variant", variant_name(o.variant)},
      {"seed", o.seed},
      {"users", o.users},
      {"items", o.items},
      {"clicks_per_user", clicks_per_user},
      {"test_users", o.test_users},
      {"new_clicks", o.new_clicks},
      {"period", simulated_year},
      {"strengths",
       {{"base", strengths.base}, {"season", strengths.season}, {"market", strengths.market}, {"campaign", strengths.campaign}, {"seasons", strengths.seasons}}}};
  if (o.test_users > 0)
    description["oracle_ndcg_at_10"] = {
        {"id", oracle_ndcg(drawn.id, o.items, 10)}, {"uniform", oracle_ndcg(drawn.uniform, o.items, 10)}, {"new", oracle_ndcg(drawn.shifted, o.items, 10)}};
  return description;
}

}  // namespace

void write_simulation(const simulation& drawn, const std::filesystem::path& folder, const std::string& library_version) {
  output_folder out(folder);
  out.write("log.csv", log_text(drawn.clicks, false));
  out.write("hidden.csv", log_text(drawn.clicks, true));
  out.write("new_log.csv", log_text(drawn.new_clicks, false));
  out.write("tests.safetensors", to_safetensors(tests_of(drawn)));
  out.write(description_file, description_of(drawn, library_version).dump(2) + "\n");
  out.commit();
}

std::optional<double> declared_period(const std::filesystem::path& log_file) {
  const std::filesystem::path file = log_file.parent_path() / description_file;
  std::error_code status;
  if (!std::filesystem::is_regular_file(file, status)) return std::nullopt;
  const nlohmann::json description = nlohmann::json::parse(read_whole_file(file), nullptr, false);
  if (!description.is_object()) throw store_error(file.string() + ": is damaged: it is no JSON object");
  const auto period = description.find("period");
  if (period == description.end() || !period->is_number() || period->get<double>() <= 0) return std::nullopt;
  return period->get<double>();
}

double phase_of(double timestamp, double period) {
  const double turns = timestamp / period;
  return turns - std::floor(turns);
}

}  // namespace recommender
