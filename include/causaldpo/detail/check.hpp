// SPDX-License-Identifier: Apache-2.0
// Checks of the front doors. They look at shapes and options only, never at data, and throw before anything is
// written.
#pragma once

#include <sstream>
#include <string>

#include "causaldpo/core/error.hpp"
#include "causaldpo/core/indices.hpp"
#include "causaldpo/core/view.hpp"

namespace causaldpo::detail {

/// "op: argument is [3] and must be [4] (why)".
[[noreturn]] inline void throw_shape(char const* op, char const* argument, std::string const& was, std::string const& must, char const* why) {
  std::ostringstream text;
  text << op << ": " << argument << " is " << was << " and must be " << must << " (" << why << ")";
  throw shape_error(text.str());
}

inline std::string shape_text(index_t n) {
  std::ostringstream text;
  text << '[' << n << ']';
  return text.str();
}
inline std::string shape_text(index_t r, index_t c) {
  std::ostringstream text;
  text << '[' << r << ", " << c << ']';
  return text.str();
}

/// A required vector (or index_view) of n elements.
template <class V>
void expect_size(char const* op, char const* argument, V const& v, index_t n, char const* why) {
  if (v.size() != n) throw_shape(op, argument, v.given() || v.size() ? shape_text(v.size()) : "left out", shape_text(n), why);
}
/// A vector that may be left out.
template <class V>
void expect_size_if_given(char const* op, char const* argument, V const& v, index_t n, char const* why) {
  if (v.given()) expect_size(op, argument, v, n, why);
}
/// A required matrix of r rows and c columns, with ld >= columns.
template <class M>
void expect_shape(char const* op, char const* argument, M const& m, index_t r, index_t c, char const* why) {
  if (m.rows() != r || m.cols() != c) {
    bool const absent = !m.given() && m.rows() == 0 && m.cols() == 0;
    throw_shape(op, argument, absent ? "left out" : shape_text(m.rows(), m.cols()), shape_text(r, c), why);
  }
  if (m.rows() > 1 && m.ld() < m.cols()) {
    std::ostringstream text;
    text << op << ": " << argument << " has leading dimension " << m.ld() << " and must have at least its " << m.cols() << " columns";
    throw shape_error(text.str());
  }
}
template <class M>
void expect_shape_if_given(char const* op, char const* argument, M const& m, index_t r, index_t c, char const* why) {
  if (m.given()) expect_shape(op, argument, m, r, c, why);
}

/// An option: "op: beta is -1 and must be finite and > 0".
template <class T>
void expect_option(char const* op, char const* option, bool ok, T const& was, char const* must) {
  if (ok) return;
  std::ostringstream text;
  text << op << ": " << option << " is " << was << " and must be " << must;
  throw option_error(text.str());
}
inline bool is_finite(double x) { return x - x == 0; }

}  // namespace causaldpo::detail
