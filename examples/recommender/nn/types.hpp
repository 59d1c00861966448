// SPDX-License-Identifier: Apache-2.0
// Names that every layer uses: the library's views under a backend, and the constness of what goes in and out.
#pragma once

#include <type_traits>
#include <utility>

#include "causaldpo/concepts/backend.hpp"

namespace recommender {

using causaldpo::index_t;

/// Arguments of a layer. They are not deduced: call `layer<T>(backend, ...)`, and a view of T converts to one of const T.
template <class T, class B>
using in_matrix = std::type_identity_t<causaldpo::view<T const, 2, typename B::space>>;
template <class T, class B>
using in_vector = std::type_identity_t<causaldpo::view<T const, 1, typename B::space>>;
template <class T, class B>
using out_matrix = std::type_identity_t<causaldpo::view<T, 2, typename B::space>>;
template <class T, class B>
using out_vector = std::type_identity_t<causaldpo::view<T, 1, typename B::space>>;

/// What a backend's `allocate<T>` returns.
template <class B, class T>
using scratch_of = decltype(std::declval<B&>().template allocate<T>(0));

}  // namespace recommender
