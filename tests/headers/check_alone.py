#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks that every public header compiles when it is the only thing included, and that a program of two translation
# units which both include all of them links (no function of a header lacks `inline`).
# usage: check_alone.py [--backend NAME]... [--flag FLAG]... -- COMPILER...
import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STRICT = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]


def names_of(folder):
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.hpp"))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=ROOT, type=Path)
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--flag", action="append", default=[])
    parser.add_argument("compiler", nargs="+")
    arguments = parser.parse_args()
    folders = [arguments.root / "include"] + [arguments.root / "backends" / name / "include" for name in arguments.backend]
    headers = [name for folder in folders for name in names_of(folder)]
    include = [f"-I{folder}" for folder in folders]
    default = ["-DCAUSALDPO_DEFAULT_BACKEND_REFERENCE=1"]
    command = arguments.compiler + STRICT + include + arguments.flag + default

    def alone(header):
        done = subprocess.run(command + ["-fsyntax-only", "-x", "c++", "-"], input=f'#include "{header}"\n#include "{header}"\n',
                              capture_output=True, text=True)
        return header, done.returncode, done.stderr

    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for header, status, text in pool.map(alone, headers):
            if status != 0:
                failed += 1
                print(f"FAIL {header} does not compile alone:\n{text}")
    checked = len(headers)
    if checked and not failed:
        checked += 1
        with tempfile.TemporaryDirectory() as scratch:
            unit = "".join(f'#include "{header}"\n' for header in headers)
            (Path(scratch) / "one.cpp").write_text(unit + "int other();\nint main() { return other(); }\n")
            (Path(scratch) / "two.cpp").write_text(unit + "int other();\nint other() { return 0; }\n")
            linked = subprocess.run(command + ["-O0", "one.cpp", "two.cpp", "-o", "program"], cwd=scratch, capture_output=True, text=True)
            if linked.returncode != 0:
                failed += 1
                print(f"FAIL two translation units with every header do not link:\n{linked.stderr}")
    if checked == 0:
        failed = 1
        print("FAIL no header was found")
    print(f"{checked - min(failed, checked)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
