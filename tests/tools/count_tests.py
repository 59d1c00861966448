#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Sums a Meson test log into one line, `N passed, N failed, N skipped`: test cases of doctest and of unittest, and what
# the programs that print such a line themselves counted; any other test counts as one. A program that failed without
# counting a failure (a crash, a time limit) adds one.
# usage: count_tests.py TESTLOG.json [--failed N] [--skipped N]   (N: to be added)
import argparse
import json
import re
import sys

DOCTEST = re.compile(r"^\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped", re.MULTILINE)
OWN_COUNT = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in [\d.]+s\n+(OK|FAILED)(?: \(([^)]*)\))?", re.MULTILINE)
GOOD = {"OK", "EXPECTEDFAIL"}


def count(test):
    """(passed, failed, skipped) of one entry of the log."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", test.get("stdout", "") + "\n" + test.get("stderr", ""))
    if test["result"] == "SKIP":
        return 0, 0, 1
    counted = None
    if doctest := DOCTEST.findall(text):
        counted = tuple(int(n) for n in doctest[-1][1:])
        counted = counted[:2] + (0,)  # doctest calls "skipped" what a filter left out
    elif own := OWN_COUNT.findall(text):
        counted = tuple(int(n) for n in own[-1])
    elif unit := UNITTEST.findall(text):
        parts = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", unit[-1][2])}
        failed, skipped = parts.get("failures", 0) + parts.get("errors", 0), parts.get("skipped", 0)
        counted = (max(int(unit[-1][0]) - failed - skipped, 0), failed, skipped)
    if test["result"] in GOOD:
        return counted or (1, 0, 0)
    passed, failed, skipped = counted or (0, 0, 0)
    return passed, max(failed, 1), skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--failed", type=int, default=0)
    parser.add_argument("--skipped", type=int, default=0)
    arguments = parser.parse_args()
    with open(arguments.log, encoding="utf-8") as stream:
        tests = [json.loads(line) for line in stream if line.strip()]
    totals = [0, arguments.failed, arguments.skipped]
    for test in tests:
        totals = [total + n for total, n in zip(totals, count(test))]
    if not tests:
        totals[1] += 1
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
