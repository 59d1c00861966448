// SPDX-License-Identifier: Apache-2.0
// Saving and loading of model folders.
#include "store/model_folder.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include "store/checksums.hpp"

namespace recommender {

namespace {

constexpr const char* format_name = "causaldpo-recommender";
constexpr const char* arrays_file = "model.safetensors";
constexpr const char* options_file = "model.json";

bool is_own_file(const std::string& name) { return name == arrays_file || name == options_file || name == checksum_file; }

}  // namespace

void save_model_folder(output_folder& folder, const model_folder& model) {
  for (const auto& [name, text] : model.texts)
    if (is_own_file(name) || name.empty() || name[0] == '.' || name.find('/') != std::string::npos)
      throw store_error("model folder: '" + name + "' is no name for a further file");
  const nlohmann::json description = {{"format", format_name},
                                      {"format_version", model_format_version},
                                      {"library_version", model.library_version},
                                      {"options", model.options}};
  folder.write(arrays_file, to_safetensors(model.tensors));
  folder.write(options_file, description.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  for (const auto& [name, text] : model.texts) folder.write(name, text);
  folder.commit();
}

void save_model_folder(const std::filesystem::path& path, const model_folder& model) {
  output_folder folder(path);
  save_model_folder(folder, model);
}

model_folder load_model_folder(const std::filesystem::path& path) {
  std::error_code status;
  if (!std::filesystem::is_directory(path, status)) throw store_error(path.string() + ": no such model folder");
  if (!std::filesystem::is_regular_file(path / options_file, status)) throw store_error(path.string() + ": is no model folder: it has no " + options_file);
  verify_checksums(path);
  const std::vector<std::string> names = checksum_names(path);
  for (const char* needed : {arrays_file, options_file})
    if (std::find(names.begin(), names.end(), needed) == names.end())
      throw store_error(path.string() + ": is damaged: " + checksum_file + " does not list " + needed);

  const std::string file = (path / options_file).string();
  const nlohmann::json description = nlohmann::json::parse(read_whole_file(file), nullptr, false);
  if (!description.is_object() || description.value("format", nlohmann::json()) != format_name)
    throw store_error(file + ": does not describe a model of this program");
  const nlohmann::json version = description.value("format_version", nlohmann::json());
  if (version != model_format_version)
    throw store_error(file + ": has format version " + version.dump() + ", this program reads version " + std::to_string(model_format_version));
  const nlohmann::json library = description.value("library_version", nlohmann::json());
  if (!library.is_string() || !description.contains("options")) throw store_error(file + ": lacks library_version or options");

  model_folder model;
  model.options = description["options"];
  model.library_version = library.get<std::string>();
  for (const std::string& name : names)
    if (!is_own_file(name)) model.texts[name] = read_whole_file(path / name);
  model.tensors = read_safetensors(path / arrays_file);
  return model;
}

}  // namespace recommender
