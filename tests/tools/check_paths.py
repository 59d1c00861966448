#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks that no file holds a path of one machine (a home, a scratch folder) and that no file is over one mebibyte.
import re
import sys

from project import finish, project_files, root_of

MACHINE_PATH = re.compile(rb"(?:^|[^A-Za-z0-9_.$})*])/(?:work|farm|root|home|tmp|mnt)(?:/|\b)")
LARGEST = 1 << 20


def check(root):
    problems, checked = [], 0
    for path in project_files(root):
        checked += 1
        data = path.read_bytes()
        if len(data) > LARGEST:
            problems.append((path, 0, f"{len(data)} bytes; the largest file allowed has {LARGEST}"))
        if path.name == "check_paths.py" or b"\0" in data[:4096]:
            continue
        for number, line in enumerate(data.splitlines(), 1):
            if MACHINE_PATH.search(line):
                problems.append((path, number, f"a path of one machine: {line.strip()[:80].decode(errors='replace')}"))
    return checked, problems


if __name__ == "__main__":
    base = root_of(sys.argv[1:])
    sys.exit(finish(*check(base), base))
