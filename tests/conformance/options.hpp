// SPDX-License-Identifier: Apache-2.0
// How an adapter reads the options of a case. What was asked for is recorded, so that an option that no adapter
// asked for fails the case as unknown.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "conformance/case.hpp"

namespace causaldpo::conformance {

/// A view of one JSON object of options. Every accessor takes the name and the default for an absent option, and
/// throws case_error when the value has another type. Read every option that the operation knows, unconditionally.
class case_options {
 public:
  explicit case_options(nlohmann::json const& object);

  bool has(std::string const& key) const { return find(key) != nullptr; }
  double number(std::string const& key, double absent) const;
  std::optional<double> number_if_given(std::string const& key) const;
  index_t integer(std::string const& key, index_t absent) const;
  bool flag(std::string const& key, bool absent) const;
  std::string text(std::string const& key, std::string absent) const;
  /// A list of numbers; empty when absent. For an option that is a list or a word ask `is_text` first.
  std::vector<double> numbers(std::string const& key) const;
  std::vector<index_t> integers(std::string const& key) const;
  bool is_text(std::string const& key) const;
  /// A word out of a table: `options.choice("metric", metric::euclidean, {{"euclidean", metric::euclidean}, ...})`.
  template <class E>
  E choice(std::string const& key, E absent, std::initializer_list<std::pair<char const*, E>> words) const {
    if (!has(key)) return absent;
    std::string const word = text(key, "");
    for (auto const& entry : words)
      if (word == entry.first) return entry.second;
    throw unknown_value(key, word);
  }
  /// The exception for a word that the adapter does not know.
  case_error unknown_value(std::string const& key, std::string const& word) const;
  /// A nested object of options; an empty one when absent.
  case_options object(std::string const& key) const;
  /// A list of nested objects; empty when absent.
  std::vector<case_options> list(std::string const& key) const;

  /// The options that are there and were never asked for, by their path ("penalties[0].weight"), with commas.
  std::string unread() const;

 private:
  case_options(nlohmann::json const* object, std::string path, std::shared_ptr<std::set<std::string>> read);
  nlohmann::json const* find(std::string const& key) const;
  case_error wrong_type(std::string const& key, char const* must) const;

  nlohmann::json const* object_;
  std::string path_;
  std::shared_ptr<std::set<std::string>> read_;
};

}  // namespace causaldpo::conformance
