#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Holds the conformance runner itself against cases that are wrong in one place, and against wrong calls.
# usage: test_runner.py CONFORMANCE GOLDEN_FOLDER
import copy
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUNNER, GOLDEN = sys.argv[1], Path(sys.argv[2])
CASE = json.loads((GOLDEN / "vrex_penalty__uniform.json").read_text())
CALL = ["--backend", "reference"]


def scalar(value, dtype="f64"):
    return {"shape": [], "dtype": dtype, "data": [value]}


def entry(case, path, value):
    *folders, last = path
    for key in folders:
        case = case[key]
    case[last] = value


# (what is changed, what it becomes, a part of the line that must be printed)
BROKEN = [
    (["expected", "value", "data", 0], CASE["expected"]["value"]["data"][0] * (1 + 1e-6), "FAIL x: value, largest error"),
    (["expected", "grad_losses", "data", 1], "nan", "FAIL x: grad_losses, largest error inf, allowed"),
    (["expected", "grad_losses", "data", 1], "-inf", "FAIL x: grad_losses, largest error inf, allowed"),
    (["expected", "value"], {"shape": [1], "dtype": "f64", "data": CASE["expected"]["value"]["data"]}, "FAIL x: value, shape [], expected shape [1]"),
    (["expected", "nothing"], scalar(0.0), "FAIL x: nothing, not returned"),
    (["expected", "value"], scalar(0, "i64"), "FAIL x: value, largest error"),
    (["options", "wrong"], 1, "FAIL x: unknown option wrong"),
    (["options", "prior"], "wrong", 'FAIL x: unknown option prior: "wrong"'),
    (["options", "prior"], 3, "FAIL x: option prior is 3 and must be a word"),
    (["options", "min_mass"], True, "FAIL x: option min_mass: true is not a number"),
    (["op"], "no_such_operation", "FAIL x: unknown operation no_such_operation"),
    (["inputs", "q", "data", 2], "nan", "FAIL x: the operation threw: vrex_penalty: q holds a NaN"),
    (["inputs", "per_example_losses"], {"shape": [1], "dtype": "f64", "data": [1.0]}, "FAIL x: the operation threw: vrex_penalty: q is"),
    (["inputs", "q", "shape"], [1, 1], "x.json: inputs.q has shape [1, 1] and"),
    (["inputs", "q", "dtype"], "f32", 'x.json: inputs.q: dtype is "f32"'),
    (["expected"], {}, 'x.json: "expected" holds nothing'),
    (["rtol_f64"], -1, "x.json: rtol_f64 must be finite and not negative"),
]


class Runner(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self.scratch.name)

    def tearDown(self):
        self.scratch.cleanup()

    def write(self, case, name="x"):
        case = dict(case, name=name)
        (self.folder / f"{name}.json").write_text(json.dumps(case))
        return self.folder / f"{name}.json"

    def run_with(self, *arguments):
        done = subprocess.run([RUNNER] + [str(a) for a in arguments], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def test_what_is_wrong_fails(self):
        for path, value, line in BROKEN:
            with self.subTest(path=path, value=value):
                case = copy.deepcopy(CASE)
                entry(case, path, value)
                status, out, _ = self.run_with(*CALL, self.write(case))
                self.assertEqual(status, 1, out)
                self.assertIn(line, out)
                self.assertEqual(out.splitlines()[-1], "0 passed, 1 failed, 0 skipped")

    def test_what_is_not_json_fails(self):
        for text in ["", "[]", json.dumps(CASE)[:-5], "\0\1"]:
            (self.folder / "x.json").write_text(text)
            self.assertEqual(self.run_with(*CALL, self.folder / "x.json")[0], 1)

    def test_a_good_case_passes_in_both_scalars(self):
        for scalar_name in ("f64", "f32"):
            status, out, _ = self.run_with(*CALL, "--scalar", scalar_name, self.write(CASE))
            self.assertEqual((status, out), (0, "ok x\n1 passed, 0 failed, 0 skipped\n"))

    def test_optional_and_additional_outputs(self):
        case = copy.deepcopy(CASE)
        case["expected"].pop("env_losses")  # put, not expected
        case["expected"]["entropy"] = scalar(1.0)  # optional, not put
        self.assertEqual(self.run_with(*CALL, self.write(case))[0], 0)

    def test_deferred_is_skipped(self):
        listed = self.folder / "deferred.txt"
        listed.write_text("# why\nother_*\n y*z  # this one\n")
        self.write(CASE, "xyz")
        self.write(CASE, "yaz")
        status, out, _ = self.run_with(*CALL, "--deferred", listed, self.folder)
        self.assertEqual((status, out), (0, "ok xyz\nskip yaz: deferred\n1 passed, 0 failed, 1 skipped\n"))
        self.assertEqual(self.run_with(*CALL, "--deferred", self.folder / "none.txt", self.folder)[0], 2)

    def test_operations_and_paths(self):
        self.write(CASE)
        self.write(dict(CASE, op="other"), "y")
        self.assertEqual(self.run_with(*CALL, self.folder)[0], 1)
        self.assertEqual(self.run_with(*CALL, "--op", "vrex_penalty", self.folder)[0], 0)
        status, out, _ = self.run_with(*CALL, "--op", "vrex_penalty", "--op", "missing", self.folder)
        self.assertEqual((status, out.splitlines()[-1]), (1, "1 passed, 1 failed, 0 skipped"))
        status, out, _ = self.run_with(*CALL, self.folder / "x.json", self.folder / "none.json")
        self.assertEqual((status, out.splitlines()[-1]), (1, "1 passed, 1 failed, 0 skipped"))
        (self.folder / "empty").mkdir()
        self.assertEqual(self.run_with(*CALL, self.folder / "empty")[0], 1)

    def test_wrong_calls(self):
        path = self.write(CASE)
        for arguments in [[], ["--scalar", "f16", path], ["--backend", "none", path], ["--wrong", path], ["--op"]]:
            with self.subTest(arguments=arguments):
                status, out, err = self.run_with(*arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertNotEqual(err, "")
        status, out, _ = self.run_with("--help")
        self.assertEqual(status, 0)
        self.assertIn("--scalar", out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
