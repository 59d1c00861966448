#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A build in which every optional library is switched off still has the reference backend as its default, says of each
# other backend that it is off, and works: an example and the core tests run, a test and a golden case adapter compile.
# The whole of its tests is built by continuous integration. usage: without_optional.sh (prints `N passed, N failed, N skipped`)
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

attempt() { # attempt NAME COMMAND...
  local name=$1
  shift
  if "$@" >"$scratch/log" 2>&1; then passed=$((passed + 1)); echo "ok $name"
  else failed=$((failed + 1)); echo "FAIL $name"; tail -n 40 "$scratch/log"; fi
}
configure() {
  meson setup "$scratch/build" "$root" --auto-features=disabled -Dnative=false -Doptimization=0 >"$scratch/summary"
}
reports_backends() {
  local backend
  grep -Eq '^ *default backend *: reference$' "$scratch/summary" || { cat "$scratch/summary"; return 1; }
  for backend in "$root"/backends/*/; do
    backend=$(basename "$backend")
    [ "$backend" = host ] && continue  # what backends for processors share, no backend
    if [ "$backend" = reference ]; then grep -Eq "^ *reference *: on, " "$scratch/summary"
    else grep -Eq "^ *$backend *: off, " "$scratch/summary"
    fi || { echo "the summary does not say whether $backend is on, and why:"; cat "$scratch/summary"; return 1; }
  done
}
built() { ninja -C "$scratch/build" examples/01_training_step tests/test_core; }
compiles() {
  ninja -C "$scratch/build" tests/libsuite_reference_6.a tests/conformance/libconformance_reference.a
}
no_other_backend() { # nothing in the build looks at an optional library
  ! grep -Eiq -- '-isystem[^ ]*eigen|-fopenmp|openblas|_xtensor|cudart|nvcc' "$scratch/build/build.ninja"
}

leaves_out() { # leaves_out BACKEND: without it alone, the build configures and the summary says so
  meson setup "$scratch/without_$1" "$root" "-D$1=disabled" -Dtests=false >"$scratch/summary_$1" || return 1
  grep -Eq "^ *$1 *: off, disabled by the options" "$scratch/summary_$1" && grep -Eq '^ *reference *: on, ' "$scratch/summary_$1"
}
builds_without_the_default() { ninja -C "$scratch/without_eigen" examples/01_training_step && "$scratch/without_eigen/examples/01_training_step"; }

attempt "configure with everything off" configure
attempt "the summary says what is off and why" reports_backends
attempt "no flag of an optional library" no_other_backend
attempt "an example and the core tests build" built
attempt "test bodies and adapters on the reference backend compile" compiles
attempt "the example runs" "$scratch/build/examples/01_training_step"
attempt "the core tests pass" "$scratch/build/tests/test_core"
for backend in eigen xtensor cuda; do attempt "without $backend alone" leaves_out "$backend"; done
attempt "the example runs on what is the default without Eigen" builds_without_the_default
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
