#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mistakes that must not compile, each with the advice that its message must contain, and programs beside them that
# must compile, so that a case cannot fail for another reason.
# usage: compile_fail.sh COMPILER... (run anywhere; prints `N passed, N failed, N skipped`)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
compiler=("${@:-c++}")
eigen=$(pkg-config --cflags eigen3 2>/dev/null || echo -I/usr/include/eigen3)
xtensor=$(pkg-config --cflags xtensor xsimd 2>/dev/null)
flags=(-std=c++20 -fsyntax-only -I"$root/include" -I"$root/tests")
for backend in reference host eigen xtensor; do flags+=(-I"$root/backends/$backend/include"); done
found() { # found FLAGS HEADER...: whether the headers are there
  local library_flags=$1
  printf '#include <%s>\n' "${@:2}" | "${compiler[@]}" -std=c++20 -fsyntax-only $library_flags -x c++ - 2>/dev/null
}
have=" "
found "$eigen" Eigen/Core && have+="eigen "
found "$xtensor" xtensor/xtensor.hpp xsimd/xsimd.hpp xflens/cxxblas/typedefs.h && have+="xtensor "
passed=0 failed=0 skipped=0

# check NAME compiles|fails PATTERN [eigen|xtensor]: compiles the program on standard input. PATTERN: what the message says.
check() {
  local name=$1 wanted=$2 pattern=$3 library=${4:-} source message
  source=$(cat)
  if [ -n "$library" ] && [[ $have != *" $library "* ]]; then
    echo "skip $name: $library was not found"
    skipped=$((skipped + 1))
    return
  fi
  message=$(printf '%s\n' "$source" | "${compiler[@]}" "${flags[@]}" ${library:+${!library} -fopenmp} -x c++ - 2>&1)
  local code=$?
  if [ "$wanted" = compiles ] && [ $code = 0 ] || { [ "$wanted" = fails ] && [ $code != 0 ] && grep -qE -- "$pattern" <<<"$message"; }; then
    echo "ok $name"
    passed=$((passed + 1))
  else
    echo "FAIL $name: wanted: $wanted, with: $pattern; exit code $code, and the compiler said:"
    head -20 <<<"$message"
    failed=$((failed + 1))
  fi
}

eigen_program='#include "causaldpo/backends/eigen.hpp"
#include "causaldpo/invariance/vrex_penalty.hpp"
using namespace causaldpo;
using row_major = Eigen::Matrix<double, -1, -1, Eigen::RowMajor>;
void f(eigen_backend& be, double& value, row_major& m, Eigen::MatrixXd& c, Eigen::VectorXd& losses) {
  '
xtensor_program='#include "causaldpo/backends/xtensor.hpp"
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#include "causaldpo/invariance/vrex_penalty.hpp"
using namespace causaldpo;
void f(xtensor_backend& be, double& value, xt::xtensor<double, 2>& m, xt::xtensor<double, 2> const& fixed,
       xt::xtensor<double, 2, xt::layout_type::column_major>& c, xt::xtensor<double, 3>& cube, xt::xtensor<double, 1>& losses) {
  (void)fixed; (void)c; (void)cube;
  '
reference_program='#include "causaldpo/backends/reference.hpp"
#include "causaldpo/invariance/vrex_penalty.hpp"
#include "support/archetype_backend.hpp"
using namespace causaldpo;
using device_space = test::archetype_space;
using device_backend = test::archetype_backend;
struct incomplete_backend : reference_backend { void reduce_cols(); };
struct drifted_backend : reference_backend {};
'
drifted='namespace causaldpo {
template <> inline constexpr bool overrides<op::vrex_penalty, drifted_backend> = true;
template <class T> void override_for(op::vrex_penalty, drifted_backend&, detail::vrex_args<T, host_space> const&) {}
}
'
body='void f(reference_backend& be, incomplete_backend& incomplete, drifted_backend& drifted, device_backend& device, double& value,
       std::vector<double>& losses, std::vector<double> const& fixed, view<double const, 2> q, view<double, 1, device_space> there,
       view<double const, 2, device_space> q_there) {
  (void)be; (void)incomplete; (void)drifted; (void)device; (void)value; (void)losses; (void)fixed; (void)q; (void)there; (void)q_there;
  '

# Backends that are wrong in one place, and the sentence that check_backend prints for each.
backend_program='#include "causaldpo/concepts/check_backend.hpp"
#include "causaldpo/backends/reference.hpp"
using namespace causaldpo;
'
checked='
static_assert(check_backend<my_backend>());'

check "row-major Eigen matrices" compiles "" eigen <<<"$eigen_program vrex_penalty(be, losses, m, {.value = scalar(&value)}); }"
check "a column-major matrix" fails "column-major \(Eigen's default\).*Eigen::RowMajor" eigen <<<"$eigen_program vrex_penalty(be, losses, c, {.value = scalar(&value)}); }"
check "a column-major output" fails "column-major \(Eigen's default\).*causaldpo never copies" eigen <<<"$eigen_program vrex_penalty(be, losses, m, {.grad_q = c}); }"
check "a column of a row-major matrix" fails "has an inner stride.*copy it into a vector" eigen <<<"$eigen_program vrex_penalty(be, m.col(0), m, {.value = scalar(&value)}); }"
check "an Eigen expression" fails "an Eigen expression is not memory" eigen <<<"$eigen_program vrex_penalty(be, losses, m + m, {.value = scalar(&value)}); }"

check "row-major xtensor tensors" compiles "" xtensor <<<"$xtensor_program vrex_penalty(be, losses, m, {.value = scalar(&value)}); }"
check "a column-major xtensor" fails "this xtensor object is column-major.*xtensor's default; causaldpo never copies" xtensor <<<"$xtensor_program vrex_penalty(be, losses, c, {.value = scalar(&value)}); }"
check "a column-major xtensor output" fails "this xtensor object is column-major.*xt::layout_type::row_major" xtensor <<<"$xtensor_program vrex_penalty(be, losses, m, {.grad_q = c}); }"
check "three dimensions" fails "a view has one dimension or two.*x.reshape" xtensor <<<"$xtensor_program vrex_penalty(be, losses, cube, {.value = scalar(&value)}); }"
check "an xtensor expression" fails "an xtensor expression is not memory; evaluate it" xtensor <<<"$xtensor_program vrex_penalty(be, losses, view<double const, 2>(m + m), {.value = scalar(&value)}); }"
check "an xtensor view of kept rows" fails "an xtensor expression is not memory; evaluate it" xtensor <<<"$xtensor_program vrex_penalty(be, losses, view<double const, 2>(xt::view(m, xt::keep(0, 2), xt::all())), {.value = scalar(&value)}); }"
check "an xtensor that is const as an output" fails "could not convert|no (viable|known|matching) (conversion|function)" xtensor <<<"$xtensor_program vrex_penalty(be, losses, m, {.grad_q = fixed}); }"
check "an xtensor vector for a matrix" fails "matrix_like|no matching function" xtensor <<<"$xtensor_program vrex_penalty(be, losses, losses, {.value = scalar(&value)}); }"

check "vectors on the reference backend" compiles "" <<<"$reference_program$body vrex_penalty(be, losses, q, {.value = scalar(&value)}); }"
check "device memory on a device backend" compiles "" <<<"$reference_program$body vrex_penalty(device, there, q_there, {.grad_losses = there}); }"
check "a host output on a device backend" fails "(could not convert|no (viable|known) conversion).*losses|no matching function.*vrex_penalty" <<<"$reference_program$body vrex_penalty(device, there, q_there, {.grad_losses = losses}); }"
check "a host input on a device backend" fails "could not convert|no (viable|known|matching) (conversion|function|constructor)" <<<"$reference_program$body vrex_penalty(device, losses, q_there, {.grad_losses = there}); }"
check "reading device memory on the host" fails "host_accessible|no match for call" <<<"$reference_program$body value = there(0); }"
check "an output that is const" fails "could not convert|no (viable|known|matching) (conversion|function)" <<<"$reference_program$body vrex_penalty(be, losses, q, {.grad_losses = fixed}); }"
check "a vector of bool" fails "vector_like|no matching function" <<<"$reference_program$body std::vector<bool> bits; vrex_penalty(be, bits, q, {.value = scalar(&value)}); }"
check "a backend without reduce_cols" fails "has_reduce" <<<"$reference_program$body vrex_penalty(incomplete, losses, q, {.value = scalar(&value)}); }"
check "an override whose signature has drifted" fails "no matching function for call to .*override_for" <<<"$reference_program$drifted$body vrex_penalty(drifted, losses, q, {.value = scalar(&value)}); }"
check "check_backend on a complete backend" compiles "" <<<"${backend_program}struct my_backend : reference_backend {};$checked"
check "check_backend without reduce_cols" fails "causaldpo backend: needs .reduce_cols\(index_t rows, index_t cols, Map map" <<<"${backend_program}struct my_backend : reference_backend { void reduce_cols() = delete; };$checked"
check "check_backend with a gemm of other parameters" fails "causaldpo backend: needs .gemm\(transpose ta, transpose tb" <<<"${backend_program}struct my_backend : reference_backend { void gemm(bool, bool, double, double const*, double const*, double, double*) {} };$checked"
check "check_backend with a std::vector for scratch" fails "what .allocate<T>\(n\). returns needs .T\* data\(\) const" <<<"${backend_program}struct my_backend : reference_backend { template <class T> std::vector<T> allocate(index_t n) { return std::vector<T>(static_cast<std::size_t>(n)); } };$checked"
check "check_backend without lanes" fails "must hand a lane in place of the last index" <<<"${backend_program}struct my_backend : reference_backend { template <class F> requires(!wants_lanes<F>) void launch(index_t, F) {} };$checked"
check "check_backend with the watch of an older version" fails "needs .nan_watch open_watch\(watched_operation const&\)" <<<"${backend_program}struct my_backend : reference_backend { nan_watch open_watch() { return {}; } };$checked"
check "check_backend without a space" fails "causaldpo backend: needs .using space = " <<<"${backend_program}struct my_backend {};$checked"
check "no backend chosen" fails "define CAUSALDPO_DEFAULT_BACKEND_EIGEN, _XTENSOR or _REFERENCE" <<<'#include "causaldpo/default_backend.hpp"'

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
