// SPDX-License-Identifier: Apache-2.0
// Held-out interactions and ids as text, and back into the numbers of a log.
#include "app/held_out.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <unordered_map>

namespace recommender {
namespace {

std::string quoted(std::string const& field) {
  if (field.find_first_of(",\"\n\r") == std::string::npos) return field;
  std::string text = "\"";
  for (char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

/// Splits CSV text into rows of fields; quoted fields may hold separators and line ends.
std::vector<std::vector<std::string>> rows_of(std::string const& csv) {
  std::vector<std::vector<std::string>> rows(1);
  rows.back().emplace_back();
  bool inside = false;
  for (std::size_t i = 0; i < csv.size(); ++i) {
    char const c = csv[i];
    if (inside && c == '"' && i + 1 < csv.size() && csv[i + 1] == '"') rows.back().back() += csv[++i];
    else if (c == '"') inside = !inside;
    else if (!inside && c == ',') rows.back().emplace_back();
    else if (!inside && c == '\n') rows.emplace_back(1);
    else rows.back().back() += c;
  }
  if (rows.back().size() == 1 && rows.back()[0].empty()) rows.pop_back();
  return rows;
}

std::unordered_map<std::string, std::int32_t> numbers_of(std::vector<std::string> const& ids) {
  std::unordered_map<std::string, std::int32_t> number;
  for (std::size_t i = 0; i < ids.size(); ++i) number.emplace(ids[i], static_cast<std::int32_t>(i));
  return number;
}

std::string one_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

}  // namespace

std::vector<held_out_row> rows_of_test(test_set const& test, interaction_log const& log) {
  double latest = 0;
  for (interaction const& r : log.interactions) latest = std::max(latest, r.timestamp);
  std::vector<held_out_row> rows;
  for (std::size_t u = 0; u < test.items.size(); ++u)
    for (std::size_t i = 0; i < test.items[u].size(); ++i)
      rows.push_back({static_cast<std::int32_t>(u), test.items[u][i], test.timestamps.empty() ? latest : test.timestamps[u][i]});
  return rows;
}

std::string held_out_to_csv(interaction_log const& log, held_out_rows const& rows) {
  std::ostringstream text;
  text.precision(17);
  text << "part,user,item,timestamp,circumstances\n";
  for (auto const& [part, list] : {std::pair{"validation", &rows.validation}, {"test", &rows.test}})
    for (held_out_row const& r : *list)
      text << part << ',' << quoted(log.user_ids[static_cast<std::size_t>(r.user)]) << ',' << quoted(log.item_ids[static_cast<std::size_t>(r.item)])
           << ',' << r.timestamp << ',' << quoted(r.circumstances) << '\n';
  return text.str();
}

held_out_rows held_out_from_csv(std::string const& csv, interaction_log const& log, std::size_t& missing) {
  auto const users = numbers_of(log.user_ids), items = numbers_of(log.item_ids);
  held_out_rows rows;
  missing = 0;
  auto const table = rows_of(csv);
  for (std::size_t i = 1; i < table.size(); ++i) {
    auto const& f = table[i];
    held_out_row row;
    if (f.size() != 5 || std::from_chars(f[3].data(), f[3].data() + f[3].size(), row.timestamp).ec != std::errc())
      throw data_error("held_out.csv:" + std::to_string(i + 1) + ": must be part,user,item,timestamp,circumstances");
    auto const user = users.find(f[1]), item = items.find(f[2]);
    if (user == users.end() || item == items.end()) {
      ++missing;
      continue;
    }
    row.user = user->second;
    row.item = item->second;
    row.circumstances = f[4];
    (f[0] == "test" ? rows.test : rows.validation).push_back(row);
  }
  return rows;
}

std::string ids_to_text(std::vector<std::string> const& ids, std::vector<std::string> const& titles) {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    text += one_line(ids[i]);
    if (i < titles.size() && !titles[i].empty()) text += '\t' + one_line(titles[i]);
    text += '\n';
  }
  return text;
}

void ids_from_text(std::string const& text, std::vector<std::string>& ids, std::vector<std::string>& titles) {
  std::istringstream lines(text);
  bool titled = false;
  for (std::string line; std::getline(lines, line);) {
    auto const tab = line.find('\t');
    ids.push_back(line.substr(0, tab));
    titles.push_back(tab == std::string::npos ? "" : line.substr(tab + 1));
    titled |= tab != std::string::npos;
  }
  if (!titled) titles.clear();
}

interaction_log align(interaction_log const& log, std::vector<std::string> const& item_ids, std::vector<std::string> const& user_ids,
                      std::size_t& unknown_items) {
  interaction_log aligned = log;
  auto const items = numbers_of(item_ids);
  auto users = numbers_of(user_ids);
  aligned.item_ids = item_ids;
  aligned.user_ids = user_ids;
  aligned.item_titles.clear();
  aligned.item_genres.clear();
  aligned.interactions.clear();
  if (!log.item_titles.empty()) aligned.item_titles.resize(item_ids.size());
  for (auto& [name, column] : aligned.covariates) {
    column.code.clear();
    column.numeric.clear();
  }
  unknown_items = 0;
  for (std::size_t i = 0; i < log.interactions.size(); ++i) {
    interaction row = log.interactions[i];
    std::string const& id = log.user_ids[static_cast<std::size_t>(row.user)];
    auto const [user, added] = users.emplace(id, static_cast<std::int32_t>(aligned.user_ids.size()));
    if (added) aligned.user_ids.push_back(id);
    auto const old_item = static_cast<std::size_t>(row.item);
    auto const item = items.find(log.item_ids[old_item]);
    if (item == items.end()) {
      ++unknown_items;
      continue;
    }
    row.user = user->second;
    row.item = item->second;
    if (!log.item_titles.empty()) aligned.item_titles[static_cast<std::size_t>(row.item)] = log.item_titles[old_item];
    aligned.interactions.push_back(row);
    for (auto& [name, column] : aligned.covariates) {
      auto const& source = log.covariates.at(name);
      column.code.push_back(source.code[i]);
      if (!source.numeric.empty()) column.numeric.push_back(source.numeric[i]);
    }
  }
  return aligned;
}

}  // namespace recommender
