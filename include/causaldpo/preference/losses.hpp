// SPDX-License-Identifier: Apache-2.0
// The losses that come with the library, as one option type, and what an operation asks of any loss.
#pragma once

#include <variant>

#include "causaldpo/preference/losses_listwise.hpp"
#include "causaldpo/preference/losses_margin.hpp"
#include "causaldpo/preference/losses_pairwise.hpp"

namespace causaldpo {
namespace loss {

/// The losses of the library as one option.
using any = std::variant<sigmoid, cpo, rosepo, robust, simpo, hinge, ipo, exo_pair, sdpo, dmpo, orpo, kto_pair, bco_pair,
                         nca_pair, apo_zero, apo_down, sppo_hard>;

}  // namespace loss

namespace detail {

/// A loss may declare `static constexpr bool reference_free = true`: it then never reads the reference.
template <class L>
inline constexpr bool loss_is_reference_free = false;
template <class L>
requires(L::reference_free) inline constexpr bool loss_is_reference_free<L> = true;

/// A loss may declare `static constexpr bool needs_smoothing = true`: the input `smoothing` must then be given.
template <class L>
inline constexpr bool loss_needs_smoothing = false;
template <class L>
requires(L::needs_smoothing) inline constexpr bool loss_needs_smoothing<L> = true;

/// Calls `f` with the loss itself: the alternative that a loss::any holds, or the user's own.
template <class L, class F>
void visit_loss_option(L const& loss_option, F&& f) {
  if constexpr (std::is_same_v<L, loss::any>)
    std::visit(f, loss_option);
  else
    f(loss_option);
}

/// A loss may have `check(operation)`, which throws option_error for parameters outside their domain.
template <class L>
void check_loss(char const* operation, L const& l) {
  if constexpr (requires { l.check(operation); }) l.check(operation);
}

}  // namespace detail
}  // namespace causaldpo
