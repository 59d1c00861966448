#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Holds check_alone.py against headers that do not compile alone and headers that do not link twice.
# usage: test_check_alone.py COMPILER...
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parent / "check_alone.py"
COMPILER = sys.argv[1:]


class CheckAlone(unittest.TestCase):
    def run_on(self, headers):
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root) / "include" / "causaldpo"
            folder.mkdir(parents=True)
            for name, text in headers.items():
                (folder / name).write_text("#pragma once\n" + text)
            done = subprocess.run([sys.executable, CHECK, "--root", root, "--"] + COMPILER, capture_output=True, text=True)
            return done.returncode, done.stdout

    def test_good(self):
        self.assertEqual(self.run_on({"a.hpp": "struct a {};\n", "b.hpp": '#include "causaldpo/a.hpp"\ninline a make() { return {}; }\n'})[0], 0)

    def test_what_is_refused(self):
        for headers, word in [({"a.hpp": "struct a {};\n", "b.hpp": "inline a make() { return {}; }\n"}, "b.hpp does not compile alone"),
                              ({"a.hpp": "inline int narrow(double x) { int i = x; return i; }\n"}, "a.hpp does not compile alone"),
                              ({"a.hpp": "int twice() { return 2; }\n"}, "do not link"),
                              ({}, "no header")]:
            with self.subTest(word=word):
                status, text = self.run_on(headers)
                self.assertEqual(status, 1)
                self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
