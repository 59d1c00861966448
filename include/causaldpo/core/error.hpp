// SPDX-License-Identifier: Apache-2.0
// The exceptions of the library. All derive from `causaldpo::error`, and every message names the operation, the
// argument, what it was and what it must be. Shapes and options are checked before anything is written.
#pragma once

#include <stdexcept>
#include <string>

namespace causaldpo {

/// Base of everything the library throws.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Extents of two arguments do not fit together. Nothing has been written.
class shape_error : public error {
 public:
  using error::error;
};

/// An option is outside its domain, or needs an argument that was left out. Nothing has been written.
class option_error : public error {
 public:
  using error::error;
};

/// An input that is used holds a NaN, an index outside its range, or a value outside its domain. The outputs are
/// unspecified, the inputs are untouched.
class value_error : public error {
 public:
  using error::error;
};

/// The backend's own library failed (out of memory, a device error). `code` is the native error number.
class backend_error : public error {
 public:
  backend_error(std::string const& message, int native_code) : error(message), code(native_code) {}
  int code;
};

}  // namespace causaldpo
