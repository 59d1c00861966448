#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every test: installs what is missing, builds build/, unpacks the data sets, runs `meson test`, counts.
# usage: tests/run.sh [--quick]    --quick leaves out the suites `acceptance` (simulator), `data` (real data sets), `install`
#                                  (builds and installations of their own) and `kit` (the example of a whole backend),
#                                  does not build what only these need, and where it makes a new build/ leaves out the
#                                  backends xtensor and CUDA
#
# CAUSALDPO_DATA names a folder of data archives (NAME.tar.xz or NAME/NAME.tar.xz). With it a missing set is a failure;
# without it the tests that need real data are skipped. The last line counts test cases, golden cases and checks
# together (tests/tools/count_tests.py): `N passed, N failed, N skipped`. The exit status is 0 if nothing failed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/setup.sh"

quick=no
for argument in "$@"; do
  case $argument in
    --quick) quick=yes ;;
    -h | --help) sed -n '3,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "tests/run.sh: unknown argument $argument (known: --quick)" >&2; exit 2 ;;
  esac
done

# Unpacks every archive of CAUSALDPO_DATA into build/data, once for each version of an archive.
unpack_data() {
  local required=(ml-1m ml-100k movietweetings-100k amazon-musical-instruments coat yelp2018-ood)
  local data=$root/build/data name archive stamp missing=()
  mkdir -p "$data"
  for name in "${required[@]}"; do
    if [ ! -f "$CAUSALDPO_DATA/$name/$name.tar.xz" ] && [ ! -f "$CAUSALDPO_DATA/$name.tar.xz" ]; then missing+=("$name"); fi
  done
  for archive in "$CAUSALDPO_DATA"/*.tar.xz "$CAUSALDPO_DATA"/*/*.tar.xz; do
    [ -f "$archive" ] || continue
    name=$(basename "$archive" .tar.xz)
    stamp=$(sha256sum "$archive" | cut -d' ' -f1)
    if [ "$(cat "$data/.$name.unpacked" 2>/dev/null)" = "$stamp" ] && [ -d "$data/$name" ]; then continue; fi
    say "unpacking $name"
    rm -rf "${data:?}/$name" "$data/.unpacking"
    mkdir "$data/.unpacking"
    if ! tar -C "$data/.unpacking" -xJf "$archive" || ! mv "$data/.unpacking/$name" "$data/$name"; then
      missing+=("$name (a damaged archive)")
      rm -rf "$data/.unpacking"
      continue
    fi
    rmdir "$data/.unpacking"
    echo "$stamp" >"$data/.$name.unpacked"
  done
  for name in "${missing[@]}"; do echo "FAIL data set $name: CAUSALDPO_DATA does not hold it"; done
  data_missing=${#missing[@]}
}

started=$SECONDS data_missing=0 data_skipped=0 status=0
give_up() { # a step before the tests failed: say so in the form of a result
  echo "FAIL $1"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}
install_missing || give_up "installing what is missing"
if [ $quick = yes ]; then configure_tests -Dxtensor=disabled -Dcuda=disabled --
else configure_tests -- -Deigen=auto -Dxtensor=auto -Dcuda=auto
fi || give_up "configuring build/"
suites=()
if [ $quick = yes ]; then
  suites=(--no-suite acceptance --no-suite data --no-suite install --no-suite kit)
  say "quick: without the suites acceptance, data, install and kit"
elif [ -n "${CAUSALDPO_DATA:-}" ]; then
  CAUSALDPO_DATA=$(cd "$CAUSALDPO_DATA" && pwd) || give_up "finding the folder CAUSALDPO_DATA"
  unpack_data
  export CAUSALDPO_DATA CAUSALDPO_DATA_UNPACKED=$root/build/data
else
  say "skip real data: CAUSALDPO_DATA is not set"
  suites=(--no-suite data)
  data_skipped=1
fi

say "building"
if [ $quick = yes ]; then # what the chosen tests need
  python3 "$root/tests/tools/test_targets.py" "$root/build" "${suites[@]}" | xargs ninja -C "$root/build" -k0 || give_up "building"
else meson compile -C "$root/build" --ninja-args=-k0 || give_up "building" # -k0: one log names everything that does not compile
fi

say "testing"
meson test -C "$root/build" --no-rebuild --print-errorlogs --timeout-multiplier 3 "${suites[@]}" || status=$?
say "took $((SECONDS - started)) s"
python3 "$root/tests/tools/count_tests.py" "$root/build/meson-logs/testlog.json" --failed "$data_missing" --skipped "$data_skipped" || status=1
exit $status
