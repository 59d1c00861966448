// SPDX-License-Identifier: Apache-2.0
// Text files: encodings, lines, fields, numbers.
#include "data/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <system_error>

#include "data/interaction_log.hpp"

namespace recommender {

namespace {

bool is_continuation(unsigned char c) { return (c & 0xC0U) == 0x80U; }

/// Length of the UTF-8 character at the front of `s`, 0 when it is none.
std::size_t utf8_length(std::string_view s) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char a = at(0);
  if (a < 0x80) return 1;
  if (a < 0xC2 || a > 0xF4) return 0;
  const std::size_t n = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
  if (s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if (!is_continuation(at(i))) return 0;
  if (a == 0xE0 && at(1) < 0xA0) return 0;  // overlong
  if (a == 0xED && at(1) > 0x9F) return 0;  // surrogate
  if (a == 0xF0 && at(1) < 0x90) return 0;  // overlong
  if (a == 0xF4 && at(1) > 0x8F) return 0;  // above U+10FFFF
  return n;
}

/// Reads a quoted field whose opening quote is at `line[at]`; leaves `at` behind the closing quote and the blanks after it.
bool take_quoted(std::string_view line, std::size_t& at, std::string& field, std::string& error) {
  for (++at; at < line.size(); ++at) {
    if (line[at] != '"') {
      field += line[at];
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      field += line[at++];
    } else {
      ++at;
      while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
      return true;
    }
  }
  error = "a quoted field is not closed on its line";
  return false;
}

bool split_quotable(std::string_view line, char separator, std::vector<std::string>& fields, std::string& error) {
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
    std::string field;
    if (at < line.size() && line[at] == '"') {
      if (!take_quoted(line, at, field, error)) return false;
      if (at < line.size() && line[at] != separator) {
        error = "text follows the closing quote of a field";
        return false;
      }
    } else {
      const std::size_t end = std::min(line.find(separator, at), line.size());
      field = trimmed(line.substr(at, end - at));
      at = end;
    }
    fields.push_back(std::move(field));
    if (at >= line.size()) return true;
    ++at;  // the separator
  }
}

void split_blanks(std::string_view line, std::vector<std::string>& fields) {
  constexpr std::string_view blank = " \t";
  for (std::size_t at = line.find_first_not_of(blank); at != std::string_view::npos; at = line.find_first_not_of(blank, at)) {
    const std::size_t end = std::min(line.find_first_of(blank, at), line.size());
    fields.emplace_back(line.substr(at, end - at));
    at = end;
  }
}

void split_plain(std::string_view line, std::string_view separator, std::vector<std::string>& fields) {
  for (;;) {
    const std::size_t end = line.find(separator);
    fields.emplace_back(trimmed(line.substr(0, end)));
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + separator.size());
  }
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t n = utf8_length(bytes);
    if (n == 0) return false;
    bytes.remove_prefix(n);
  }
  return true;
}

std::string latin1_to_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 8);
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0U | (u >> 6U));
      out += static_cast<char>(0x80U | (u & 0x3FU));
    }
  }
  return out;
}

text_file load_text(const std::filesystem::path& path) {
  std::error_code status;
  if (!std::filesystem::exists(path, status)) throw data_error(path.string() + ": no such file or folder");
  if (!std::filesystem::is_regular_file(path, status)) throw data_error(path.string() + ": not a regular file");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw data_error(path.string() + ": cannot be opened for reading");
  text_file file;
  file.text.resize(static_cast<std::size_t>(std::filesystem::file_size(path)));
  in.read(file.text.data(), static_cast<std::streamsize>(file.text.size()));
  if (static_cast<std::size_t>(in.gcount()) != file.text.size()) throw data_error(path.string() + ": cannot be read to its end");
  if (file.text.starts_with("\xFF\xFE") || file.text.starts_with("\xFE\xFF"))
    throw data_error(path.string() + ": is UTF-16; convert it to UTF-8");
  if (file.text.find('\0') != std::string::npos) throw data_error(path.string() + ": is no text file (it contains bytes of value 0)");
  if (file.text.starts_with("\xEF\xBB\xBF")) file.text.erase(0, 3);
  if (!is_utf8(file.text)) {
    file.text = latin1_to_utf8(file.text);
    file.was_latin1 = true;
  }
  return file;
}

bool line_reader::next(std::string_view& line) {
  while (!rest_.empty()) {
    const std::size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!trimmed(line).empty()) return true;
  }
  return false;
}

std::string_view delimiter_name(delimiter d) {
  switch (d) {
    case delimiter::comma: return "commas";
    case delimiter::semicolon: return "semicolons";
    case delimiter::tab: return "tabs";
    case delimiter::bar: return "bars (|)";
    case delimiter::double_colon: return "double colons (::)";
    case delimiter::blanks: break;
  }
  return "blanks";
}

bool split_fields(std::string_view line, delimiter d, std::vector<std::string>& fields, std::string& error) {
  fields.clear();
  switch (d) {
    case delimiter::comma: return split_quotable(line, ',', fields, error);
    case delimiter::semicolon: return split_quotable(line, ';', fields, error);
    case delimiter::tab: split_plain(line, "\t", fields); break;
    case delimiter::bar: split_plain(line, "|", fields); break;
    case delimiter::double_colon: split_plain(line, "::", fields); break;
    case delimiter::blanks: split_blanks(line, fields); break;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool parse_number(std::string_view text, double& value) {
  double parsed = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, parsed);
  if (status != std::errc() || stop != end || !std::isfinite(parsed)) return false;
  value = parsed;
  return true;
}

std::string in_quotes(std::string_view field) {
  constexpr std::size_t longest = 40;
  std::size_t cut = std::min(field.size(), longest);
  while (cut > 0 && cut < field.size() && is_continuation(static_cast<unsigned char>(field[cut]))) --cut;
  std::string shown(field.substr(0, cut));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return "'" + shown + (cut < field.size() ? "...'" : "'");
}

}  // namespace recommender
