// SPDX-License-Identifier: Apache-2.0
// Text files as the readers need them: whole, in UTF-8, line by line with numbers, split into fields, numbers parsed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace recommender {

/// The contents of a text file, in UTF-8 without byte order mark.
struct text_file {
  std::string text;
  bool was_latin1 = false;  ///< the bytes were not valid UTF-8 and were read as ISO 8859-1
};

/// Reads a whole text file. Throws `data_error` when it cannot be opened or read, or is no text in a known encoding (UTF-16, or bytes of value 0).
text_file load_text(const std::filesystem::path& path);

/// Whether `bytes` is well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
bool is_utf8(std::string_view bytes);

/// ISO 8859-1 to UTF-8; every byte sequence is valid input.
std::string latin1_to_utf8(std::string_view bytes);

/// Walks over the lines of a text that outlives it; "\n" and "\r\n" both end a line, and so does the end of the text.
class line_reader {
 public:
  explicit line_reader(std::string_view text) : rest_(text) {}

  /// The next line that is not blank, without its line end; false after the last one.
  bool next(std::string_view& line);

  /// Number of the line that `next` returned last, from 1, blank lines counted.
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

/// What stands between two fields of a line.
enum class delimiter { comma, semicolon, tab, bar, double_colon, blanks };

/// The delimiter in words, for messages: "commas", "tabs", ...
std::string_view delimiter_name(delimiter d);

/// Splits a line; blanks around a field are dropped. Between commas and semicolons a field may be quoted ("a ""b"", c" is a "b", c), not across
/// lines. `blanks` is any run of spaces and tabs. Returns false, with the reason in `error`, for a quote that is not closed or is followed by text.
bool split_fields(std::string_view line, delimiter d, std::vector<std::string>& fields, std::string& error);

/// `text` without spaces and tabs at its ends.
std::string_view trimmed(std::string_view text);

/// Whether all of `text` is one finite decimal number; it is then in `value`. Independent of the locale.
bool parse_number(std::string_view text, double& value);

/// The field in single quotes, cut to 40 bytes at a character boundary, control characters as "?", for messages.
std::string in_quotes(std::string_view field);

}  // namespace recommender
