#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Prints what a build must make so that the tests outside some suites can run: the files of their targets, a line each.
# usage: test_targets.py BUILD [--no-suite NAME]...
import argparse
import json
import os
import sys


def needed(tests, targets, left_out):
    """Files of the targets on which tests outside the suites `left_out` depend."""
    files = {target["id"]: target["filename"] for target in targets}
    found = set()
    for test in tests:
        if left_out.isdisjoint(suite.split(":")[-1] for suite in test["suite"]):
            found.update(file for target in test["depends"] for file in files.get(target, []))
    return sorted(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--no-suite", action="append", default=[])
    arguments = parser.parse_args()
    info = os.path.join(arguments.build, "meson-info")
    with open(os.path.join(info, "intro-tests.json"), encoding="utf-8") as stream:
        tests = json.load(stream)
    with open(os.path.join(info, "intro-targets.json"), encoding="utf-8") as stream:
        targets = json.load(stream)
    with open(os.path.join(info, "meson-info.json"), encoding="utf-8") as stream:
        build = json.load(stream)["directories"]["build"]  # as the files of targets name it
    for file in needed(tests, targets, set(arguments.no_suite)):
        print(os.path.relpath(file, build))
    return 0


if __name__ == "__main__":
    sys.exit(main())
