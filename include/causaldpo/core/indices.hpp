// SPDX-License-Identifier: Apache-2.0
// A read-only vector of positions (items, targets, labels) in either of the two widths that hosts use.
#pragma once

#include "causaldpo/core/view.hpp"

namespace causaldpo {

/// `size()` positions of type std::int64_t or std::int32_t. The width is a run-time flag, so that an operation is
/// instantiated once for both. A default-constructed one means "not given".
template <class Space = host_space>
class index_view {
 public:
  using space = Space;
  index_view() = default;
  CAUSALDPO_HD constexpr index_view(view<std::int64_t const, 1, Space> v) : wide_(v.data()), size_(v.size()) {}
  CAUSALDPO_HD constexpr index_view(view<std::int32_t const, 1, Space> v) : narrow_(v.data()), size_(v.size()) {}
  template <class X>
    requires(detail::adaptable_to<X, view<std::int64_t const, 1, Space>>)
  constexpr index_view(X&& x) : index_view(view<std::int64_t const, 1, Space>(x)) {}
  template <class X>
    requires(detail::adaptable_to<X, view<std::int32_t const, 1, Space>>)
  constexpr index_view(X&& x) : index_view(view<std::int32_t const, 1, Space>(x)) {}

  CAUSALDPO_HD constexpr index_t size() const { return size_; }
  CAUSALDPO_HD constexpr bool given() const { return wide_ != nullptr || narrow_ != nullptr; }
  CAUSALDPO_HD constexpr index_t at(index_t i) const { return wide_ ? wide_[i] : static_cast<index_t>(narrow_[i]); }
  /// The positions of either width; null for the other.
  CAUSALDPO_HD constexpr std::int64_t const* wide() const { return wide_; }
  CAUSALDPO_HD constexpr std::int32_t const* narrow() const { return narrow_; }
  CAUSALDPO_HD constexpr index_view part(index_t first, index_t count) const {
    index_view p = *this;
    if (p.wide_) p.wide_ += first;
    if (p.narrow_) p.narrow_ += first;
    p.size_ = count;
    return p;
  }

 private:
  std::int64_t const* wide_ = nullptr;
  std::int32_t const* narrow_ = nullptr;
  index_t size_ = 0;
};

}  // namespace causaldpo
