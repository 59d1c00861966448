// SPDX-License-Identifier: Apache-2.0
// What an adapter sees of a case's inputs: views in the backend's space and scalar.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <set>

#include "causaldpo/concepts/backend.hpp"
#include "causaldpo/core/indices.hpp"
#include "conformance/options.hpp"

namespace causaldpo::conformance {

/// The inputs of one case for backend B and scalar T. An input that the case does not have is a default view, which
/// to the library means "not given". The memory lives as long as this object.
template <backend B, real_scalar T>
class case_inputs {
 public:
  using space = typename B::space;
  static_assert(space::host_accessible, "a backend with memory of its own copies the inputs there, here and in outputs.hpp");

  explicit case_inputs(golden_case const& c) : case_(c), options_(c.options) {}
  case_inputs(case_inputs const&) = delete;
  case_inputs& operator=(case_inputs const&) = delete;

  case_options const& options() const { return options_; }
  bool has(std::string const& name) const { return find(name) != nullptr; }
  /// The shape in the file; empty for a scalar, and for an input that is not there.
  extents shape(std::string const& name) const {
    tensor const* t = find(name);
    return t ? t->shape : extents{};
  }
  /// Extent `axis` of an input that must be there.
  index_t extent(std::string const& name, std::size_t axis) const {
    tensor const* t = find(name);
    if (!t || axis >= t->shape.size()) throw case_error("input " + name + " is missing or has too few dimensions");
    return t->shape[axis];
  }
  /// All elements in a row, whatever the shape.
  view<T const, 1, space> vector(std::string const& name) {
    tensor const* t = find(name);
    if (!t) return {};
    return {store(reals_, *t).data(), element_count(t->shape)};
  }
  /// Folded to a matrix: [n] is n x 1, [B,J,K] is B*J x K.
  view<T const, 2, space> matrix(std::string const& name) {
    tensor const* t = find(name);
    if (!t) return {};
    folded const f = fold_to_matrix(t->shape);
    return {store(reals_, *t).data(), f.rows, f.cols};
  }
  /// An i64 input of zeros and ones, folded like `matrix`.
  view<std::uint8_t const, 2, space> mask(std::string const& name) {
    tensor const* t = find(name);
    if (!t) return {};
    folded const f = fold_to_matrix(t->shape);
    return {store(masks_, integers_of(*t, name)).data(), f.rows, f.cols};
  }
  /// An i64 input, all elements in a row.
  index_view<space> indices(std::string const& name) {
    tensor const* t = find(name);
    if (!t) return {};
    return view<std::int64_t const, 1, space>{store(indices_, integers_of(*t, name)).data(), element_count(t->shape)};
  }

  /// True when an operation wrote into the memory of an input.
  bool changed() const { return differs(reals_) || differs(masks_) || differs(indices_); }
  /// The inputs that no adapter asked for, with commas.
  std::string unread() const {
    std::string names;
    for (auto const& entry : case_.inputs)
      if (!read_.count(entry.first)) names += (names.empty() ? "" : ", ") + entry.first;
    return names;
  }

 private:
  template <class E>
  struct buffer {
    std::vector<E> given, before;
  };
  template <class E>
  using buffers = std::deque<buffer<E>>;

  tensor const* find(std::string const& name) const {
    read_.insert(name);
    auto const found = case_.inputs.find(name);
    return found == case_.inputs.end() ? nullptr : &found->second;
  }
  static tensor const& integers_of(tensor const& t, std::string const& name) {
    if (!t.is_integer) throw case_error("input " + name + " must be i64");
    return t;
  }
  template <class E>
  static std::vector<E>& store(buffers<E>& all, tensor const& t) {
    std::vector<E> data;
    data.reserve(static_cast<std::size_t>(std::max<index_t>(element_count(t.shape), 1)));  // an empty input is still "given"
    for (double x : t.real) data.push_back(static_cast<E>(x));
    for (std::int64_t x : t.integer) data.push_back(static_cast<E>(x));
    all.push_back({std::move(data), {}});
    all.back().before = all.back().given;
    return all.back().given;
  }
  template <class E>
  static bool differs(buffers<E> const& all) {
    for (buffer<E> const& b : all)  // by bits: a NaN in a masked slot must stay that NaN
      if (!b.given.empty() && std::memcmp(b.given.data(), b.before.data(), b.given.size() * sizeof(E)) != 0) return true;
    return false;
  }

  golden_case const& case_;
  case_options options_;
  mutable std::set<std::string> read_;
  buffers<T> reals_;
  buffers<std::uint8_t> masks_;
  buffers<std::int64_t> indices_;
};

}  // namespace causaldpo::conformance
