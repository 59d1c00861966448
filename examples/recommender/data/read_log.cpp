// SPDX-License-Identifier: Apache-2.0
// `read_log`: finds the log in a folder, recognises its format and calls the reader.
#include <algorithm>
#include <array>
#include <system_error>

#include "data/readers.hpp"

namespace recommender {

namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 8> known_logs{"ratings.dat", "u.data", "log.csv", "ratings.csv", "train.txt", "train.ascii", "train.tsv", "train.csv"};

/// The log of a folder: the first of the known names, otherwise its only `*.csv`.
fs::path log_of_folder(const fs::path& folder) {
  std::error_code status;
  std::string names;
  for (const char* name : known_logs) {
    if (fs::is_regular_file(folder / name, status)) return folder / name;
    names += std::string(name) + ", ";
  }
  std::vector<fs::path> tables;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() == ".csv") tables.push_back(entry.path());
  if (tables.size() == 1) return tables.front();
  throw data_error(folder.string() + ": no log found in this folder (looked for " + names + "or a single *.csv; it has " +
                   std::to_string(tables.size()) + " of these); name the file itself");
}

std::string format_in_words(const column_layout& layout, bool latin1) {
  std::string words;
  if (layout.matrix) {
    words = "a matrix of ratings, " + std::to_string(layout.width) + " items";
  } else {
    const auto column = [](const char* role, std::size_t place) {
      return place == no_column ? std::string() : std::string(" ") + role + "=" + std::to_string(place + 1);
    };
    words = "fields between " + std::string(delimiter_name(layout.separator)) + (layout.header ? ", with header" : ", no header") + ", columns" +
            column("user", layout.user) + column("item", layout.item) + column("rating", layout.rating) + column("timestamp", layout.timestamp);
  }
  return words + (latin1 ? ", Latin-1" : "");
}

}  // namespace

interaction_log read_log(const fs::path& path, const read_options& options) {
  std::error_code status;
  const fs::path file = fs::is_directory(path, status) ? log_of_folder(path) : path;
  const std::string source = file.string();
  const text_file contents = load_text(file);
  const bool dense = file.extension() == ".ascii" && options.columns.empty();
  const column_layout layout = detect_columns(contents.text, options, source, dense);

  interaction_log log =
      layout.matrix ? read_matrix(contents.text, layout, options, source) : read_delimited(contents.text, layout, options, source);
  log.format = format_in_words(layout, contents.was_latin1);
  log.warnings.insert(log.warnings.begin(), layout.warnings.begin(), layout.warnings.end());
  if (contents.was_latin1) log.warnings.push_back(source + " is not UTF-8 and was read as Latin-1");
  read_titles(file.parent_path(), options, log);
  return log;
}

}  // namespace recommender
