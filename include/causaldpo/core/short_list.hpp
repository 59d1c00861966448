// SPDX-License-Identifier: Apache-2.0
// A list of at most N elements that lives inside the options it belongs to, so that options stay trivially copyable.
#pragma once

#include <initializer_list>
#include <sstream>
#include <type_traits>

#include "causaldpo/core/config.hpp"
#include "causaldpo/core/error.hpp"

namespace causaldpo {

/// Up to N elements: `{.ks = {5, 10, 20}}`. A longer list is an option_error.
template <class T, int N = 16>
class short_list {
 public:
  static constexpr int capacity = N;
  constexpr short_list() = default;
  constexpr short_list(std::initializer_list<T> items) {
    for (T const& x : items) push_back(x);
  }
  constexpr void push_back(T const& x) {
    if (size_ == N) throw_too_long();
    items_[size_++] = x;
  }
  CAUSALDPO_HD constexpr int size() const { return size_; }
  CAUSALDPO_HD constexpr bool empty() const { return size_ == 0; }
  CAUSALDPO_HD constexpr T const& operator[](int i) const { return items_[i]; }
  CAUSALDPO_HD constexpr T const* begin() const { return items_; }
  CAUSALDPO_HD constexpr T const* end() const { return items_ + size_; }

 private:
  [[noreturn]] static void throw_too_long() {
    std::ostringstream text;
    text << "short_list: a list of options has more than the " << N << " elements that it may have";
    throw option_error(text.str());
  }
  T items_[N] = {};
  int size_ = 0;
};

static_assert(std::is_trivially_copyable_v<short_list<double>>);

}  // namespace causaldpo
