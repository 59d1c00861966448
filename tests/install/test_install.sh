#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the library into a scratch folder and builds the same consumer against it through pkg-config, through
# CMake, and as a Meson subproject; runs each. Then runs part of the suite for a backend of a user's own. usage: test_install.sh [DEFAULT_BACKEND]
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
backend=${1:-auto}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compiler=${CXX:-c++}
passed=0 failed=0 skipped=0

attempt() { # attempt NAME FUNCTION: a step of its own shell, so that a failure in it is counted and the rest still runs
  local status=0
  set +e; (set -e; "$2") >"$scratch/log" 2>&1; status=$?; set -e
  if [ $status -eq 0 ]; then passed=$((passed + 1)); echo "ok $1"
  else failed=$((failed + 1)); echo "FAIL $1"; cat "$scratch/log"; fi
}

install_library() {
  meson setup "$scratch/build" "$source_dir" --prefix "$scratch/prefix" -Dtests=false -Dexamples=false -Dcuda=disabled -Ddefault_backend="$backend"
  meson install -C "$scratch/build"
}
through_pkg_config() {
  local pc
  pc=$(dirname "$(find "$scratch/prefix" -name causaldpo.pc | head -n 1)")
  export PKG_CONFIG_PATH="$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
  pkg-config --atleast-version=0.1 causaldpo
  if pkg-config --atleast-version=9 causaldpo; then return 1; fi
  [ "$(pkg-config --modversion causaldpo)" = "$(sed -n "s/^ *version: '\(.*\)',/\1/p" "$source_dir/meson.build")" ]
  # shellcheck disable=SC2046
  "$compiler" "$source_dir/tests/install/consumer.cpp" $(pkg-config --cflags --libs causaldpo) -o "$scratch/with_pkg_config"
  "$scratch/with_pkg_config" | tee "$scratch/ran"
  [ "$backend" = auto ] || grep -q "on $backend: 4" "$scratch/ran"
}
kit_for_a_backend() { # primitives with their own main, then the golden cases; the whole suite runs as an example
  local pc
  pc=$(dirname "$(find "$scratch/prefix" -name causaldpo-testing.pc | head -n 1)")
  export PKG_CONFIG_PATH="$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
  for part in 1 8; do
    # shellcheck disable=SC2046
    "$compiler" -O1 -DCAUSALDPO_SUITE_PART=$part -c "$source_dir/tests/install/own_backend.cpp" \
      $(pkg-config --cflags causaldpo-testing) -o "$scratch/part$part.o"
  done
  "$compiler" "$scratch"/part?.o -o "$scratch/own_backend"
  CAUSALDPO_GOLDEN=$(pkg-config --variable=golden causaldpo-testing) "$scratch/own_backend"
}
through_cmake() { # from another place than where it was installed: the package must be movable
  cp -r "$scratch/prefix" "$scratch/moved"
  cmake -S "$source_dir/tests/install/cmake" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$scratch/moved" -DCMAKE_CXX_COMPILER="$compiler"
  cmake --build "$scratch/cmake"
  "$scratch/cmake/consumer"
  "$scratch/cmake/kit"
}
as_subproject() {
  mkdir -p "$scratch/user/subprojects/causaldpo"
  cp "$source_dir/tests/install/subproject/meson.build" "$source_dir/tests/install/consumer.cpp" "$scratch/user/"
  cp -r "$source_dir"/{meson.build,meson_options.txt,include,backends} "$scratch/user/subprojects/causaldpo/"
  mkdir "$scratch/user/subprojects/causaldpo/tests"
  cp -r "$source_dir"/tests/{kit,algorithms,backends,conformance,golden,support} "$scratch/user/subprojects/causaldpo/tests/"
  meson setup "$scratch/user/build" "$scratch/user" -Dcausaldpo:default_backend="$backend" -Dcausaldpo:cuda=disabled
  meson compile -C "$scratch/user/build"
  "$scratch/user/build/consumer"
}

attempt "install" install_library
attempt "consumer through pkg-config" through_pkg_config
if command -v cmake >/dev/null; then attempt "consumer through CMake" through_cmake
else skipped=$((skipped + 1)); echo "skip consumer through CMake: cmake is not installed"; fi
attempt "consumer as a Meson subproject" as_subproject
if [ "$backend" = reference ]; then attempt "the kit for a backend of one's own" kit_for_a_backend; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
