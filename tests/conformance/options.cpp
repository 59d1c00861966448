// SPDX-License-Identifier: Apache-2.0
// The accessors of case_options and the search for options that nobody read.
#include "conformance/options.hpp"

namespace causaldpo::conformance {

namespace {

using nlohmann::json;

json const no_options = json::object();

void collect_unread(json const& object, std::string const& path, std::set<std::string> const& read, std::string& out) {
  for (auto const& entry : object.items()) {
    std::string const key = path + entry.key();
    if (!read.count(key)) {
      out += (out.empty() ? "" : ", ") + key;
    } else if (entry.value().is_object()) {
      collect_unread(entry.value(), key + ".", read, out);
    } else if (entry.value().is_array()) {
      std::size_t i = 0;
      for (json const& element : entry.value()) {
        if (element.is_object()) collect_unread(element, key + "[" + std::to_string(i) + "].", read, out);
        ++i;
      }
    }
  }
}

}  // namespace

case_options::case_options(json const& object) : case_options(&object, "", std::make_shared<std::set<std::string>>()) {}
case_options::case_options(json const* object, std::string path, std::shared_ptr<std::set<std::string>> read)
    : object_(object), path_(std::move(path)), read_(std::move(read)) {}

json const* case_options::find(std::string const& key) const {
  read_->insert(path_ + key);
  auto const found = object_->find(key);
  return found == object_->end() ? nullptr : &*found;
}

case_error case_options::wrong_type(std::string const& key, char const* must) const {
  return case_error("option " + path_ + key + " is " + object_->at(key).dump() + " and must be " + must);
}
case_error case_options::unknown_value(std::string const& key, std::string const& word) const {
  return case_error("unknown option " + path_ + key + ": \"" + word + "\"");
}

double case_options::number(std::string const& key, double absent) const { return number_if_given(key).value_or(absent); }

std::optional<double> case_options::number_if_given(std::string const& key) const {
  json const* value = find(key);
  if (!value) return std::nullopt;
  return read_number(*value, "option " + path_ + key);
}

index_t case_options::integer(std::string const& key, index_t absent) const {
  json const* value = find(key);
  if (!value) return absent;
  if (!value->is_number_integer()) throw wrong_type(key, "an integer");
  return value->get<index_t>();
}

bool case_options::flag(std::string const& key, bool absent) const {
  json const* value = find(key);
  if (!value) return absent;
  if (!value->is_boolean()) throw wrong_type(key, "true or false");
  return value->get<bool>();
}

std::string case_options::text(std::string const& key, std::string absent) const {
  json const* value = find(key);
  if (!value) return absent;
  if (!value->is_string()) throw wrong_type(key, "a word");
  return value->get<std::string>();
}

std::vector<double> case_options::numbers(std::string const& key) const {
  std::vector<double> list;
  json const* value = find(key);
  if (!value) return list;
  if (!value->is_array()) throw wrong_type(key, "a list of numbers");
  for (json const& element : *value) list.push_back(read_number(element, "option " + path_ + key));
  return list;
}

std::vector<index_t> case_options::integers(std::string const& key) const {
  std::vector<index_t> list;
  json const* value = find(key);
  if (!value) return list;
  if (!value->is_array()) throw wrong_type(key, "a list of integers");
  for (json const& element : *value) {
    if (!element.is_number_integer()) throw wrong_type(key, "a list of integers");
    list.push_back(element.get<index_t>());
  }
  return list;
}

bool case_options::is_text(std::string const& key) const {
  json const* value = find(key);
  return value && value->is_string();
}

case_options case_options::object(std::string const& key) const {
  json const* value = find(key);
  if (value && !value->is_object()) throw wrong_type(key, "an object of options");
  return {value ? value : &no_options, path_ + key + ".", read_};
}

std::vector<case_options> case_options::list(std::string const& key) const {
  std::vector<case_options> all;
  json const* value = find(key);
  if (!value) return all;
  if (!value->is_array()) throw wrong_type(key, "a list");
  for (json const& element : *value) {
    if (!element.is_object()) throw wrong_type(key, "a list of objects");
    all.push_back({&element, path_ + key + "[" + std::to_string(all.size()) + "].", read_});
  }
  return all;
}

std::string case_options::unread() const {
  std::string names;
  collect_unread(*object_, path_, *read_, names);
  return names;
}

}  // namespace causaldpo::conformance
