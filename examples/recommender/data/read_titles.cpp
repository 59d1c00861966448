// SPDX-License-Identifier: Apache-2.0
// Reader of titles and genres: MovieLens `movies.dat`, `u.item` (with `u.genre`) and `movies.csv`.
#include <array>
#include <fstream>
#include <system_error>
#include <unordered_map>

#include "data/readers.hpp"

namespace recommender {

namespace {

struct title_entry {
  std::string id, title, genres;
};

constexpr std::size_t flags_begin = 5;  // u.item: id, title, two dates, address, then one 0/1 field per genre

/// Names of the genre flags of `u.item`, from the `u.genre` beside it; empty when there is none.
std::vector<std::string> genre_names(const std::filesystem::path& folder) {
  std::vector<std::string> names, fields;
  std::error_code status;
  if (!std::filesystem::is_regular_file(folder / "u.genre", status)) return names;
  const text_file file = load_text(folder / "u.genre");
  std::string error;
  line_reader lines(file.text);
  for (std::string_view line; lines.next(line);)
    if (split_fields(line, delimiter::bar, fields, error) && fields.size() == 2) names.push_back(fields[0]);
  return names;
}

/// `id::title::genres`; a title may itself contain "::".
bool parse_dat(std::string_view line, title_entry& entry) {
  const std::size_t first = line.find("::"), last = line.rfind("::");
  if (first == std::string_view::npos || last < first + 2) return false;
  entry = {std::string(trimmed(line.substr(0, first))), std::string(trimmed(line.substr(first + 2, last - first - 2))),
           std::string(trimmed(line.substr(last + 2)))};
  return !entry.id.empty();
}

bool parse_item(std::string_view line, const std::vector<std::string>& genres, title_entry& entry) {
  std::vector<std::string> fields;
  std::string error;
  split_fields(line, delimiter::bar, fields, error);
  if (fields.size() < 2 || fields[0].empty()) return false;
  entry = {fields[0], fields[1], ""};
  for (std::size_t g = 0; g < genres.size() && flags_begin + g < fields.size(); ++g)
    if (fields[flags_begin + g] == "1") entry.genres += (entry.genres.empty() ? "" : "|") + genres[g];
  return true;
}

bool parse_csv(std::string_view line, title_entry& entry) {
  std::vector<std::string> fields;
  std::string error;
  if (!split_fields(line, delimiter::comma, fields, error) || fields.size() < 2 || fields[0].empty()) return false;
  entry = {fields[0], fields[1], fields.size() > 2 ? fields[2] : ""};
  return true;
}

/// Reads one file of titles; true when it names an item of the log.
bool read_title_file(const std::filesystem::path& path, const read_options& options, interaction_log& log) {
  const text_file file = load_text(path);
  const std::string name = path.filename().string();
  const std::vector<std::string> flags = name == "u.item" ? genre_names(path.parent_path()) : std::vector<std::string>();
  std::unordered_map<std::string_view, std::size_t> items;
  for (std::size_t i = 0; i < log.item_ids.size(); ++i) items.emplace(log.item_ids[i], i);

  std::vector<std::string> titles(log.items()), genres(log.items());
  std::size_t malformed = 0;
  bool any_title = false, any_genre = false;
  line_reader lines(file.text);
  std::string_view line;
  if (name == "movies.csv") lines.next(line);  // the header
  for (title_entry entry; lines.next(line);) {
    const bool good = name == "movies.dat" ? parse_dat(line, entry) : name == "u.item" ? parse_item(line, flags, entry) : parse_csv(line, entry);
    if (!good) {
      const std::string message = path.string() + ":" + std::to_string(lines.number()) + ": is not a line of titles";
      if (options.strict) throw data_error(message);
      if (options.on_problem) options.on_problem(message);
      ++malformed;
      continue;
    }
    const auto found = items.find(entry.id);
    if (found == items.end()) continue;
    any_title = true;
    any_genre = any_genre || !entry.genres.empty();
    titles[found->second] = entry.title;
    genres[found->second] = entry.genres;
  }
  if (malformed > 0) log.warnings.push_back(std::to_string(malformed) + " lines of " + path.string() + " are malformed and were skipped");
  if (!any_title) return false;
  log.item_titles = std::move(titles);
  if (any_genre) log.item_genres = std::move(genres);
  return true;
}

}  // namespace

void read_titles(const std::filesystem::path& folder, const read_options& options, interaction_log& log) {
  std::error_code status;
  for (const char* name : {"movies.dat", "u.item", "movies.csv"})
    if (std::filesystem::is_regular_file(folder / name, status) && read_title_file(folder / name, options, log)) return;
}

}  // namespace recommender
