#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks that meson.build, version.hpp (its macros and its string) and the newest release in CHANGELOG.md agree.
import re
import sys

from project import finish, root_of


def only(pattern, text, what):
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise ValueError(f"{what} was not found")
    return found.group(1)


def check(root):
    header, build, changes = root / "include/causaldpo/version.hpp", root / "meson.build", root / "CHANGELOG.md"
    problems = []
    try:
        text = header.read_text(encoding="utf-8")
        macros = ".".join(only(rf"#define CAUSALDPO_VERSION_{part} (\d+)$", text, f"CAUSALDPO_VERSION_{part}") for part in ("MAJOR", "MINOR", "PATCH"))
        string = only(r'version = "([^"]+)"', text, "the version string")
        meson = only(r"^\s*version: '([^']+)'", build.read_text(encoding="utf-8"), "the project's version")
        if string != macros:
            problems.append((header, 1, f"the string says {string} and the macros say {macros}"))
        if meson != macros:
            problems.append((build, 1, f"says {meson} and version.hpp says {macros}"))
        log = changes.read_text(encoding="utf-8")
        released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", log, re.MULTILINE)
        if "## [Unreleased]" not in log:
            problems.append((changes, 1, "needs a section [Unreleased]"))
        if released and released[0] != macros:
            problems.append((changes, 1, f"the newest release is {released[0]} and version.hpp says {macros}"))
    except (OSError, ValueError) as error:
        problems.append((root, 0, str(error)))
    return 3, problems


if __name__ == "__main__":
    base = root_of(sys.argv[1:])
    sys.exit(finish(*check(base), base))
