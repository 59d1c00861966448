#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the finished build into a scratch folder and compiles a program of plain C++ against libcausaldpo-cuda there,
# through pkg-config and through CMake. It must link everywhere; it runs where there is a device. usage: test_install_cuda.sh BUILD_FOLDER
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compiler=${CXX:-c++}
passed=0 failed=0

attempt() { # attempt NAME FUNCTION: a step of its own shell, so that a failure in it is counted and the rest still runs
  local status=0
  set +e; (set -e; "$2") >"$scratch/log" 2>&1; status=$?; set -e
  if [ $status -eq 0 ]; then passed=$((passed + 1)); echo "ok $1"
  else failed=$((failed + 1)); echo "FAIL $1"; cat "$scratch/log"; fi
}

install_build() { DESTDIR="$scratch/stage" meson install -C "$build" --no-rebuild --quiet; }
through_pkg_config() {
  local pc prefix
  pc=$(dirname "$(find "$scratch/stage" -name causaldpo-cuda.pc | head -n 1)")
  prefix=$(PKG_CONFIG_PATH=$pc pkg-config --variable=prefix causaldpo-cuda)
  flags() { PKG_CONFIG_PATH=$pc pkg-config --define-variable=prefix="$scratch/stage$prefix" "$@" causaldpo-cuda; }
  # shellcheck disable=SC2046
  "$compiler" $(flags --cflags) "$source_dir/tests/install/cuda_consumer.cpp" $(flags --libs) -o "$scratch/with_pkg_config"
  "$scratch/with_pkg_config"
}
through_cmake() {
  local prefix
  prefix=$(dirname "$(find "$scratch/stage" -path '*/share/cmake' -type d | head -n 1)")/..
  cmake -S "$source_dir/tests/install/cmake_cuda" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler"
  cmake --build "$scratch/cmake"
  "$scratch/cmake/consumer"
}

attempt "install with the compiled CUDA operations" install_build
attempt "plain C++ on the CUDA instances through pkg-config" through_pkg_config
skipped=0
if command -v cmake >/dev/null; then attempt "plain C++ on the CUDA instances through CMake" through_cmake
else skipped=1; echo "skip plain C++ on the CUDA instances through CMake: there is no cmake"; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
