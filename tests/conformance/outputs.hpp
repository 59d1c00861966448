// SPDX-License-Identifier: Apache-2.0
// Where an adapter lets an operation put its results: memory filled with NaN (integers: the smallest one), so that
// what was not written does not pass.
#pragma once

#include <deque>
#include <limits>
#include <map>

#include "causaldpo/concepts/backend.hpp"
#include "conformance/case.hpp"

namespace causaldpo::conformance {

/// The results of one case for backend B and scalar T. An output that the case does not expect is not compared.
template <backend B, real_scalar T>
class case_outputs {
 public:
  using space = typename B::space;

  explicit case_outputs(golden_case const& c) : case_(c) {}
  case_outputs(case_outputs const&) = delete;
  case_outputs& operator=(case_outputs const&) = delete;

  /// Whether the case expects this output: for results that exist only under some options.
  bool expects(std::string const& name) const { return case_.expected.count(name) > 0; }

  view<T, 1, space> scalar(std::string const& name) { return {put_reals(name, {}), 1}; }
  view<T, 1, space> vector(std::string const& name, index_t n) { return {put_reals(name, {n}), n}; }
  view<T, 2, space> matrix(std::string const& name, index_t rows, index_t cols) {
    return {put_reals(name, {rows, cols}), rows, cols};
  }
  /// Any shape, seen as a matrix: [n] is n x 1, [B,J,K] is B*J x K. `out.tensor("grad_x", in.shape("x"))`.
  view<T, 2, space> tensor(std::string const& name, extents const& shape) {
    folded const f = fold_to_matrix(shape);
    return {put_reals(name, shape), f.rows, f.cols};
  }
  view<std::int64_t, 1, space> integer(std::string const& name) { return {put_integers(name, {}), 1}; }
  view<std::int64_t, 1, space> integers(std::string const& name, index_t n) { return {put_integers(name, {n}), n}; }

  /// Everything that was put, as tensors of a file, after the backend has finished.
  std::map<std::string, conformance::tensor> collect() const {
    std::map<std::string, conformance::tensor> all;
    for (auto const& o : real_) all[o.name] = {o.shape, false, std::vector<double>(o.data.begin(), o.data.end()), {}};
    for (auto const& o : integer_) all[o.name] = {o.shape, true, {}, o.data};
    return all;
  }

 private:
  template <class E>
  struct buffer {
    std::string name;
    extents shape;
    std::vector<E> data;
  };
  template <class E>
  static E* add(std::deque<buffer<E>>& all, std::string const& name, extents shape, E fill) {
    std::size_t const n = static_cast<std::size_t>(element_count(shape));
    all.push_back({name, std::move(shape), {}});
    all.back().data.reserve(n + 1);  // an empty output is still "given"
    all.back().data.assign(n, fill);
    return all.back().data.data();
  }
  T* put_reals(std::string const& name, extents shape) {
    return add(real_, name, std::move(shape), std::numeric_limits<T>::quiet_NaN());
  }
  std::int64_t* put_integers(std::string const& name, extents shape) {
    return add(integer_, name, std::move(shape), std::numeric_limits<std::int64_t>::min());
  }

  golden_case const& case_;
  std::deque<buffer<T>> real_;
  std::deque<buffer<std::int64_t>> integer_;
};

}  // namespace causaldpo::conformance
