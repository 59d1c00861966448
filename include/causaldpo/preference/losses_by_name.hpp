// SPDX-License-Identifier: Apache-2.0
// Losses by name, for programs that read the name from a command line or a file.
#pragma once

#include <optional>
#include <string_view>

#include "causaldpo/preference/losses.hpp"

namespace causaldpo::loss {

/// Every parameter that a loss of the library has; what is left out keeps the loss's own default, and a loss ignores
/// the parameters that it does not have.
struct parameters {
  std::optional<double> label_smoothing{};
  std::optional<double> gamma{};
  std::optional<double> kl{};
  std::optional<double> desirable_weight{};
  std::optional<double> undesirable_weight{};
  std::optional<double> bco_delta{};
};

namespace detail_by_name {

template <class L>
L with(L l, parameters const& p) {
  if constexpr (requires { l.label_smoothing; }) l.label_smoothing = p.label_smoothing.value_or(l.label_smoothing);
  if constexpr (requires { l.gamma; }) l.gamma = p.gamma.value_or(l.gamma);
  if constexpr (requires { l.kl; }) {
    l.kl = p.kl.value_or(l.kl);
    l.desirable_weight = p.desirable_weight.value_or(l.desirable_weight);
    l.undesirable_weight = p.undesirable_weight.value_or(l.undesirable_weight);
  }
  if constexpr (requires { l.bco_delta; }) l.bco_delta = p.bco_delta.value_or(l.bco_delta);
  return l;
}

/// Tries the alternatives from number I on.
template <std::size_t I = 0, class F>
void visit_from(std::string_view name, parameters const& p, F&& f) {
  if constexpr (I < std::variant_size_v<any>) {
    using candidate = std::variant_alternative_t<I, any>;
    if (name == candidate::name())
      f(with(candidate{}, p));
    else
      visit_from<I + 1>(name, p, f);
  } else {
    std::ostringstream text;
    text << "loss: the name is " << name << " and must be one of";
    [&]<std::size_t... Is>(std::index_sequence<Is...>) { ((text << ' ' << std::variant_alternative_t<Is, any>::name()), ...); }
    (std::make_index_sequence<std::variant_size_v<any>>{});
    throw option_error(text.str());
  }
}

}  // namespace detail_by_name

/// Calls `f` with the loss of that name ("sigmoid", "sdpo", ...); option_error with the list of names if there is none.
template <class F>
void visit_loss(std::string_view name, parameters const& p, F&& f) {
  detail_by_name::visit_from(name, p, f);
}

/// The loss of that name as the option of preference_loss: `{.loss = loss::by_name("simpo", {.gamma = 0.3})}`.
inline any by_name(std::string_view name, parameters const& p = {}) {
  any found;
  visit_loss(name, p, [&](auto const& l) { found = l; });
  return found;
}

}  // namespace causaldpo::loss
