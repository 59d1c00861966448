// SPDX-License-Identifier: Apache-2.0
// A trained model as a folder: the arrays, the options and versions, texts of the caller's choice, and checksums over all of them.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "store/atomic_write.hpp"
#include "store/safetensors.hpp"

namespace recommender {

inline constexpr int model_format_version = 1;

struct model_folder {
  nlohmann::json options = nlohmann::json::object();  ///< whatever the caller needs to make the model again from its arrays
  tensor_map tensors;
  std::map<std::string, std::string> texts;           ///< further files: plain file name to contents
  std::string library_version;                        ///< of the library that trained it; told, not compared
};

/// Writes `model.safetensors`, `model.json` ({"format", "format_version", "library_version", "options"}), the texts and `checksums.sha256` into `folder`
/// and commits it. Make the `output_folder` before training, so that a destination that cannot be written is known early.
/// Throws `store_error`; then nothing stands under the final name that was not there before.
void save_model_folder(output_folder& folder, const model_folder& model);

/// The same with a folder of its own.
void save_model_folder(const std::filesystem::path& path, const model_folder& model);

/// Reads what `save_model_folder` wrote. Throws `store_error`: no model folder, a checksum that differs, another format or format version, damaged arrays.
model_folder load_model_folder(const std::filesystem::path& path);

}  // namespace recommender
