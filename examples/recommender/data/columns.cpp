// SPDX-License-Identifier: Apache-2.0
// Detection of delimiter, header and columns.
#include "data/columns.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>

namespace recommender {

namespace {

using role_names = std::pair<std::string_view, std::span<const std::string_view>>;

constexpr std::array<std::string_view, 13> user_names{"user",     "userid",   "uid",      "userprocid", "reviewerid", "customer", "customerid",
                                                      "reviewer", "userindex", "memberid", "visitorid",  "username",   "userorgid"};
constexpr std::array<std::string_view, 21> item_names{"item",      "itemid",     "iid",    "itemprocid", "movie",   "movieid", "asin",
                                                      "parentasin", "product",   "productid", "isbn",    "book",    "bookid",  "businessid",
                                                      "videoid",   "trackid",    "songid", "artistid",   "newsid",  "itemindex", "itemorgid"};
constexpr std::array<std::string_view, 10> rating_names{"rating", "ratings",    "score",  "stars",     "overall",
                                                        "value",  "bookrating", "weight", "watchratio", "playcount"};
constexpr std::array<std::string_view, 8> time_names{"timestamp", "time", "ts", "unixreviewtime", "unixtime", "unixtimestamp", "timestampms", "t"};

std::string plain_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

delimiter delimiter_of(std::string_view line) {
  const auto count = [&](char c) { return std::count(line.begin(), line.end(), c); };
  if (line.find("::") != std::string_view::npos) return delimiter::double_colon;
  if (count('\t') > 0) return delimiter::tab;
  if (count(',') > 0 && count(',') >= count(';')) return delimiter::comma;
  if (count(';') > 0) return delimiter::semicolon;
  return count('|') > 0 ? delimiter::bar : delimiter::blanks;
}

template <class Key> Key most_frequent(const std::map<Key, std::size_t>& votes) {
  return std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
}

std::size_t& place_of(column_layout& layout, std::string_view role) {
  if (role == "user") return layout.user;
  if (role == "item") return layout.item;
  return role == "rating" ? layout.rating : layout.timestamp;
}

/// `--columns`: role and the name or number given for it.
std::vector<std::pair<std::string, std::string>> parse_columns(const std::string& columns) {
  std::vector<std::pair<std::string, std::string>> given;
  std::vector<std::string> parts;
  std::string error;
  if (!split_fields(columns, delimiter::comma, parts, error)) throw data_error("columns: " + error);
  for (const std::string& part : parts) {
    const std::size_t equals = part.find('=');
    const std::string role{trimmed(std::string_view(part).substr(0, equals))};
    const std::string value = equals == std::string::npos ? "" : std::string(trimmed(std::string_view(part).substr(equals + 1)));
    if (value.empty() || (role != "user" && role != "item" && role != "rating" && role != "timestamp"))
      throw data_error("columns: " + in_quotes(part) + " must be user=.., item=.., rating=.. or timestamp=..");
    for (const auto& earlier : given)
      if (earlier.first == role) throw data_error("columns: " + role + " is given twice");
    given.emplace_back(role, value);
  }
  for (const std::string_view needed : {"user", "item"})
    if (std::none_of(given.begin(), given.end(), [&](const auto& g) { return g.first == needed; }))
      throw data_error("columns: " + std::string(needed) + "=.. is missing");
  return given;
}

bool is_position(const std::string& value) {
  return value.size() <= 4 && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

void place_given(column_layout& layout, const std::vector<std::string>& first, const read_options& options, const std::string& source) {
  const auto given = parse_columns(options.columns);
  const bool by_number = std::all_of(given.begin(), given.end(), [](const auto& g) { return is_position(g.second); });
  layout.header = !by_number;
  for (const auto& [role, value] : given) {
    std::size_t place = 0;
    if (by_number) {
      place = static_cast<std::size_t>(std::stoul(value));
      if (place < 1 || place > layout.width)
        throw data_error(source + ": columns: " + role + "=" + value + ", but the lines have " + std::to_string(layout.width) + " fields");
      --place;
      if (place < first.size() && !column_role(first[place]).empty()) layout.header = true;
    } else {
      const auto found = std::find(first.begin(), first.end(), value);
      if (found == first.end()) throw data_error(source + ": columns: no column " + in_quotes(value) + "; the first line has " + joined(first));
      place = static_cast<std::size_t>(found - first.begin());
    }
    place_of(layout, role) = place;
  }
  if (layout.user == layout.item) throw data_error(source + ": columns: user and item must be different columns");
}

void place_by_name(column_layout& layout, const std::vector<std::string>& first) {
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::string_view role = column_role(first[i]);
    if (role.empty()) continue;
    std::size_t& place = place_of(layout, role);
    if (place == no_column) {
      place = i;
    } else {
      layout.warnings.push_back("columns '" + first[place] + "' and '" + first[i] + "' both look like the " + std::string(role) + "; '" +
                                first[place] + "' is used");
    }
  }
  layout.header = layout.user != no_column && layout.item != no_column;
  if (layout.header) return;
  layout.user = layout.item = layout.rating = layout.timestamp = no_column;
  layout.warnings.clear();
}

void place_by_position(column_layout& layout, const std::string& source) {
  if (layout.width < 2 || layout.width > 4)
    throw data_error(source + ": the columns cannot be told: no header with user and item, and " + std::to_string(layout.width) +
                     " field(s) between " + std::string(delimiter_name(layout.separator)) + "; say which is what, e.g. columns user=1,item=2");
  layout.user = 0;
  layout.item = 1;
  if (layout.width >= 3) layout.rating = 2;
  if (layout.width == 4) layout.timestamp = 3;
  if (layout.separator == delimiter::blanks && layout.width <= 3) {
    layout.optional_last = true;
    layout.width = 3;
    layout.rating = 2;
  }
}

void place_covariates(column_layout& layout, const std::vector<std::string>& first, const read_options& options, const std::string& source) {
  const auto taken = [&](std::size_t i) { return i == layout.user || i == layout.item || i == layout.rating || i == layout.timestamp; };
  const auto known = [&](const std::string& name) {
    return std::any_of(layout.covariates.begin(), layout.covariates.end(), [&](const auto& c) { return c.first == name; });
  };
  for (std::size_t i = 0; layout.header && i < first.size(); ++i) {
    if (taken(i) || first[i].empty()) continue;
    if (options.covariates && std::find(options.covariates->begin(), options.covariates->end(), first[i]) == options.covariates->end()) continue;
    if (!known(first[i])) layout.covariates.emplace_back(first[i], i);
  }
  if (!options.covariates) return;
  for (const std::string& name : *options.covariates)
    if (!known(name))
      throw data_error(source + ": no extra column " + in_quotes(name) + (layout.header ? "; the columns are " + joined(first) : "; the file has no header"));
}

}  // namespace

std::string_view column_role(std::string_view name) {
  const std::array<role_names, 4> roles{role_names{"user", user_names}, role_names{"item", item_names}, role_names{"rating", rating_names},
                                        role_names{"timestamp", time_names}};
  const std::string plain = plain_name(name);
  for (const auto& [role, names] : roles)
    if (std::find(names.begin(), names.end(), plain) != names.end()) return role;
  return {};
}

column_layout detect_columns(std::string_view text, const read_options& options, const std::string& source, bool dense) {
  column_layout layout;
  std::vector<std::string_view> sample;
  line_reader lines(text);
  for (std::string_view line; sample.size() < 100 && lines.next(line);) sample.push_back(line);
  if (sample.empty()) throw data_error(source + ": is empty");

  std::map<delimiter, std::size_t> delimiters;
  for (const std::string_view line : sample) ++delimiters[delimiter_of(line)];
  layout.separator = most_frequent(delimiters);

  std::map<std::size_t, std::size_t> widths;
  std::vector<std::string> first, fields;
  std::string error;
  bool numeric = true;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (!split_fields(sample[i], layout.separator, fields, error)) continue;
    if (i == 0) first = fields;
    ++widths[fields.size()];
    double value = 0;
    numeric = numeric && std::all_of(fields.begin(), fields.end(), [&](const std::string& f) { return parse_number(f, value); });
  }
  if (widths.empty()) throw data_error(source + ": no readable line among the first " + std::to_string(sample.size()) + ": " + error);
  layout.width = most_frequent(widths);

  if (!options.columns.empty()) {
    place_given(layout, first, options, source);
  } else {
    place_by_name(layout, first);
    layout.matrix = !layout.header && (dense || (numeric && layout.width >= 5 && layout.separator == delimiter::blanks));
    if (!layout.header && !layout.matrix) place_by_position(layout, source);
  }
  if (layout.header) layout.width = first.size();
  place_covariates(layout, first, options, source);
  return layout;
}

}  // namespace recommender
