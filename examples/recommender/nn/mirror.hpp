// SPDX-License-Identifier: Apache-2.0
// Host data as a backend sees it: the host's own memory where the backend works there, else a copy in the backend's memory.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "causaldpo/detail/check.hpp"
#include "nn/types.hpp"

namespace recommender {

/// Whether a backend works in the host's memory: then nothing is carried anywhere.
template <class B>
inline constexpr bool in_host_memory = std::same_as<typename B::space, causaldpo::host_space>;

/// Copies of what is on its way to a backend. A backend may read the host's memory until it has been waited for, and a batch is
/// overwritten by the next one before that; so it travels from here. Only a full outbox waits, which is once in many steps.
class outbox {
 public:
  /// A copy of `from` that stays as it is for as long as the backend may read it.
  template <causaldpo::backend B, class T>
  causaldpo::view<T const, 1> keep(B& be, causaldpo::view<T const, 1> from) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::size_t const bytes = static_cast<std::size_t>(from.size()) * sizeof(T);
    if (used_ + bytes > kept_.size()) {
      if (used_ > 0) be.synchronize();
      used_ = 0;
      if (bytes > kept_.size()) kept_.resize(std::max(bytes, least));
    }
    std::byte* const to = kept_.data() + used_;
    if (bytes > 0) std::memcpy(to, from.data(), bytes);
    used_ += (bytes + alignment - 1) / alignment * alignment;
    return {reinterpret_cast<T const*>(to), from.size()};
  }

 private:
  static constexpr std::size_t least = std::size_t{4} << 20, alignment = 16;
  std::vector<std::byte> kept_;
  std::size_t used_ = 0;
};

/// A host vector of E (T, or T const for what is only read) in the backend's memory. What lies in the host's memory anyway is
/// seen where it lies, neither copied nor allocated, and must then stay while the mirror is used.
template <causaldpo::backend B, class E>
class mirror {
  using T = std::remove_const_t<E>;
  using S = typename B::space;

 public:
  /// Room for vectors of at most `capacity` elements.
  mirror(B& be, index_t capacity) : capacity_(capacity) {
    if constexpr (!in_host_memory<B>) memory_.emplace(be.template allocate<T>(capacity));
  }
  /// Room for one vector, which is placed at once.
  mirror(B& be, std::type_identity_t<causaldpo::view<E, 1>> host) : mirror(be, host.size()) { place(be, host); }

  /// Shows `host` to the backend. It must stay unchanged until the backend is next waited for.
  void place(B& be, std::type_identity_t<causaldpo::view<E, 1>> host) {
    lend(host);
    if constexpr (!in_host_memory<B>) be.copy(placed(), causaldpo::view<T const, 1>(host));
  }
  /// The same for a vector that changes before; elsewhere than in the host's memory it may do so at once.
  void place(B& be, std::type_identity_t<causaldpo::view<E, 1>> host, outbox& out) {
    lend(host);
    if constexpr (!in_host_memory<B>) be.copy(placed(), out.keep(be, causaldpo::view<T const, 1>(host)));
  }
  /// Room for results that `fetch` is to bring to `host`; its content is not carried over.
  void lend(std::type_identity_t<causaldpo::view<E, 1>> host) {
    if constexpr (in_host_memory<B>) {
      view_ = host;
    } else {
      if (host.size() > capacity_)
        causaldpo::detail::throw_shape("mirror", "host", causaldpo::detail::shape_text(host.size()),
                                       "at most " + causaldpo::detail::shape_text(capacity_), "what there is room for");
      view_ = {memory_->data(), host.size()};
    }
  }
  causaldpo::view<E, 1, S> view() const { return view_; }
  /// Brings what the backend made of the vector back into it and waits for the backend.
  void fetch(B& be, std::type_identity_t<causaldpo::view<T, 1>> host) requires(!std::is_const_v<E>) {
    if constexpr (!in_host_memory<B>) be.copy(host, causaldpo::view<T const, 1, S>(view_));
    be.synchronize();
  }

 private:
  causaldpo::view<T, 1, S> placed() const { return {memory_->data(), view_.size()}; }

  index_t capacity_;
  std::optional<scratch_of<B, T>> memory_;
  causaldpo::view<E, 1, S> view_;
};

}  // namespace recommender
