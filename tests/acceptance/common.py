# SPDX-License-Identifier: Apache-2.0
# What the acceptance tests share: run the program, collect checks, close with a count.
import json
import re
import subprocess
import sys
import time
from pathlib import Path

passed = failed = skipped = 0


def check(ok, what):
    """Counts and prints one check."""
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
    print(("ok " if ok else "FAIL ") + what, flush=True)
    return ok


def skip(what):
    global skipped
    skipped += 1
    print("skip " + what, flush=True)


def finish():
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)


def run(program, *arguments, expect_failure=False):
    """Output and errors of the program; an unexpected exit status is a failed check."""
    started = time.monotonic()
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if (done.returncode != 0) != expect_failure:
        check(False, f"{' '.join(map(str, arguments))}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        if not expect_failure:
            finish()
    return done.stdout, done.stderr, time.monotonic() - started


def backends_of(program):
    """The backends in the program, and which it uses unless told."""
    backends = re.search(r"backends (.*) \(default (\w+)\)", run(program, "--version")[0])
    return backends.group(1).split(", "), backends.group(2)


def evaluate(program, model, data, folder, *arguments):
    """The JSON that `evaluate` writes."""
    report = Path(folder) / "report.json"
    run(program, "evaluate", "--model", model, "--data", data, "--json", report, *arguments)
    return json.loads(report.read_text())
