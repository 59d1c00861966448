// SPDX-License-Identifier: Apache-2.0
// Memory of a CUDA device, and views of it. A view of device memory does not convert to one of host memory, and the host
// cannot index it: mixing the two is a compile error.
#pragma once

#include "causaldpo/core/view.hpp"

namespace causaldpo {

/// Memory that the device can read and write.
struct device_space {
  static constexpr bool host_accessible = false;
};

/// A device matrix over memory that the caller owns; `ld` is the distance between rows (default: dense).
template <class T>
constexpr view<T, 2, device_space> device_matrix(T* data, index_t rows, index_t cols) {
  return {data, rows, cols, cols};
}
template <class T>
constexpr view<T, 2, device_space> device_matrix(T* data, index_t rows, index_t cols, index_t ld) {
  return {data, rows, cols, ld};
}
/// A device vector over memory that the caller owns.
template <class T>
constexpr view<T, 1, device_space> device_vector(T* data, index_t size) {
  return {data, size};
}
/// A device vector of one element: where an operation puts a number.
template <class T>
constexpr view<T, 1, device_space> device_scalar(T* value) {
  return {value, 1};
}

}  // namespace causaldpo
