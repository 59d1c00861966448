# SPDX-License-Identifier: Apache-2.0
# What tests/run.sh and examples/demo.sh share, to be sourced: install what is missing, configure the build folder.
# Needs `root`, the folder of the project.
# shellcheck shell=bash disable=SC2154

say() { printf '== %s\n' "$*"; }

# The Debian package of everything that is missing; nothing when all is there. `missing_packages program`: only what the
# recommender needs; the tests also need doctest, and build the xtensor backend.
missing_packages() {
  local compiler=${CXX:-c++}
  command -v "$compiler" >/dev/null || echo g++
  command -v meson >/dev/null || echo meson
  command -v ninja >/dev/null || echo ninja-build
  command -v python3 >/dev/null || echo python3
  command -v xz >/dev/null || echo xz-utils
  if command -v pkg-config >/dev/null; then
    pkg-config --exists eigen3 || echo libeigen3-dev
    pkg-config --exists nlohmann_json || echo nlohmann-json3-dev
    pkg-config --exists CLI11 || echo libcli11-dev
    pkg-config --exists libcrypto || echo libssl-dev
  else
    echo pkg-config libeigen3-dev nlohmann-json3-dev libcli11-dev libssl-dev
  fi
  if [ "${1:-}" = program ]; then return; fi
  if command -v pkg-config >/dev/null; then
    pkg-config --exists xtensor || echo libxtensor-dev
    pkg-config --exists xsimd || echo libxsimd-dev
    pkg-config --exists openblas || echo libopenblas-dev
  else
    echo libxtensor-dev libxsimd-dev libopenblas-dev
  fi
  echo '#include <xflens/cxxblas/typedefs.h>' | "$compiler" -x c++ -E - >/dev/null 2>&1 || echo libxtensor-blas-dev
  if command -v pkg-config >/dev/null && pkg-config --exists doctest; then :
  elif ! echo '#include <doctest/doctest.h>' | "$compiler" -x c++ -E - >/dev/null 2>&1; then echo doctest-dev
  fi
}

# Installs with apt what is missing; does not call apt, nor ask for sudo, when all is there. An argument as above.
install_missing() {
  local packages
  packages=$(missing_packages "$@" | xargs)
  if [ -z "$packages" ]; then return 0; fi
  if ! command -v apt-get >/dev/null; then
    echo "missing, and no apt-get to install them with (Debian's names): $packages" >&2
    return 1
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  say "installing $packages"
  "${as_root[@]}" apt-get update -qq || return 1
  # shellcheck disable=SC2086
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
}

# Configures build/ once, again after a failed or foreign configuration. Arguments: options of a new configuration.
configured() { [ -f "$root/build/build.ninja" ] && meson introspect --projectinfo "$root/build" >/dev/null 2>&1; }
configure() {
  if configured; then return 0; fi
  say "configuring build/"
  if [ -d "$root/build/meson-private" ]; then meson setup --wipe "$root/build" "$root" "$@"
  else meson setup "$root/build" "$root" "$@"
  fi
}
# Configures build/ for tests: again with these options where demo.sh left some out. `configure_tests OPTION... -- OPTION...`:
# options of a new build/, and of one that is there.
configure_tests() {
  local fresh=()
  while [ "$1" != -- ]; do fresh+=("$1"); shift; done
  shift
  if configured; then meson setup --reconfigure "$root/build" "$root" -Dtests=true -Dexamples=true "$@"
  else configure "${fresh[@]}"
  fi
}
