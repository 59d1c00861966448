#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Holds each checker against a small tree that is right, and against the same tree broken in one place at a time; and
# the counting of results against logs of each kind.
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"

GOOD = {
    "meson.build": "# SPDX-License-Identifier: Apache-2.0\nproject('x', 'cpp',\n  version: '1.2.3')\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.3]\n",
    "README.md": "# x\n\nSee [the changes](CHANGELOG.md).\n\n```cpp\nint main() {}\n```\n",
    "examples/01_first.cpp": LICENCE + "// The first example.\nint main() {}\n",
    "include/causaldpo/version.hpp": LICENCE + "// The version.\n#pragma once\n#define CAUSALDPO_VERSION_MAJOR 1\n#define CAUSALDPO_VERSION_MINOR 2\n"
    "#define CAUSALDPO_VERSION_PATCH 3\nnamespace causaldpo {\n/// The version.\ninline constexpr char const* version = \"1.2.3\";\n}  // namespace causaldpo\n",
    "include/causaldpo/core/view.hpp": LICENCE + "// The view.\n#pragma once\n#include <vector>\n\nnamespace causaldpo {\n\n/// A view.\nstruct view {};\n\n"
    "/// Its size.\nint size(view v);\n\nnamespace detail {\nstruct inner {};\n}  // namespace detail\n}  // namespace causaldpo\n",
    "include/causaldpo/ops/sum.hpp": LICENCE + "// The sum.\n#pragma once\n#include \"causaldpo/core/view.hpp\"\n",
    "include/causaldpo/evaluation/ranks.hpp": LICENCE + "// Ranks.\n#pragma once\n#include \"causaldpo/ops/sum.hpp\"\n",
    "include/causaldpo/preference/loss.hpp": LICENCE + "// A loss.\n#pragma once\n#include \"causaldpo/ops/sum.hpp\"\n",
    "backends/one/include/causaldpo/backends/one.hpp": LICENCE + "// One.\n#pragma once\n#include <Eigen/Core>\n",
    "backends/two/include/causaldpo/backends/two.hpp": LICENCE + "// Two.\n#pragma once\n",
    "backends/host/include/causaldpo/backends/host/team.hpp": LICENCE + "// A team.\n#pragma once\n#include <omp.h>\n",
}

# (checker, file, old text, new text, a word of the message)
BROKEN = [
    ("layers", "include/causaldpo/core/view.hpp", "<vector>", "\"causaldpo/ops/sum.hpp\"", "core lies below ops"),
    ("layers", "include/causaldpo/ops/sum.hpp", "core/view", "preference/loss", "ops lies below preference"),
    ("layers", "include/causaldpo/core/view.hpp", "<vector>", "<Eigen/Core>", "backends do"),
    ("layers", "include/causaldpo/core/view.hpp", "<vector>", "<omp.h>", "backends do"),
    ("layers", "include/causaldpo/core/view.hpp", "<vector>", "<iostream>", "backends do"),
    ("layers", "include/causaldpo/core/view.hpp", "<vector>", "<ranges>", "backends do"),
    ("layers", "include/causaldpo/core/view.hpp", "#include <vector>", "#pragma omp simd", "OpenMP"),
    ("layers", "include/causaldpo/evaluation/ranks.hpp", "ops/sum", "preference/loss", "evaluation uses"),
    ("layers", "include/causaldpo/ops/sum.hpp", "core/view", "evaluation/ranks", "below evaluation"),
    ("layers", "include/causaldpo/ops/sum.hpp", "core/view", "backends/one", "any backend"),
    ("layers", "include/causaldpo/ops/sum.hpp", "core/view", "core/no_such", "does not exist"),
    ("layers", "include/causaldpo/ops/sum.hpp", "core/view", "version", None),
    ("layers", "backends/one/include/causaldpo/backends/one.hpp", "<Eigen/Core>", "\"causaldpo/backends/two.hpp\"", "one another"),
    ("layers", "backends/host/include/causaldpo/backends/host/team.hpp", "<omp.h>", "\"causaldpo/backends/two.hpp\"", "one another"),
    ("layers", "backends/one/include/causaldpo/backends/one.hpp", "<Eigen/Core>", "\"causaldpo/backends/host/team.hpp\"", None),
    ("headers", "include/causaldpo/core/view.hpp", "SPDX", "SPDY", "licence"),
    ("headers", "include/causaldpo/core/view.hpp", "// The view.\n", "\n", "second line"),
    ("headers", "include/causaldpo/core/view.hpp", "#pragma once\n", "", "#pragma once"),
    ("headers", "include/causaldpo/core/view.hpp", "\n\n/// A view.\n", "\n" * 250 + "/// A view.\n", "at most 250"),
    ("headers", "include/causaldpo/core/view.hpp", "/// A view.\n", "", "public name"),
    ("headers", "include/causaldpo/core/view.hpp", "/// Its size.\n", "", "public name"),
    ("headers", "examples/01_first.cpp", "// The first example.\n", "\n\n", "second line"),
    ("readme", "README.md", "int main() {}", "int main() { return 0; }", "stands in no"),
    ("readme", "README.md", "```cpp", "```", "shows no C++"),
    ("readme", "README.md", "(CHANGELOG.md)", "(CHANGES.md)", "leads nowhere"),
    ("version", "meson.build", "1.2.3", "1.2.4", "meson.build"),
    ("version", "include/causaldpo/version.hpp", "\"1.2.3\"", "\"1.3.3\"", "string says"),
    ("version", "include/causaldpo/version.hpp", "PATCH 3", "PATCH 4", "macros say"),
    ("version", "CHANGELOG.md", "[Unreleased]", "[Soon]", "Unreleased"),
    ("version", "CHANGELOG.md", "1.2.3", "1.2.2", "newest release"),
    ("paths", "README.md", "# x", "# x in /" + "home/me/x", "a path of one machine"),
    ("paths", "README.md", "# x", "# x in \"/" + "tmp/x\"", "a path of one machine"),
    ("paths", "README.md", "# x", "# x " + "y" * (1 << 20), "largest file"),
]


class Checkers(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp()).resolve()
        for name, text in GOOD.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")

    def tearDown(self):
        shutil.rmtree(self.root)

    def run_checker(self, name):
        done = subprocess.run([sys.executable, HERE / f"check_{name}.py", self.root], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_a_tree_that_is_right_passes(self):
        for name in ("layers", "headers", "readme", "version", "paths"):
            with self.subTest(checker=name):
                self.assertEqual(self.run_checker(name)[0], 0, self.run_checker(name)[1])

    def test_a_tree_that_is_broken_fails(self):
        for name, file, old, new, word in BROKEN:
            with self.subTest(checker=name, file=file, new=new[:40]):
                path, before = self.root / file, GOOD[file]
                self.assertIn(old, before)
                path.write_text(before.replace(old, new, 1), encoding="utf-8")
                status, text = self.run_checker(name)
                path.write_text(before, encoding="utf-8")
                if word is None:
                    self.assertEqual(status, 0, text)
                else:
                    self.assertEqual(status, 1, text)
                    self.assertIn(word, text)

    def test_an_empty_tree_fails(self):
        shutil.rmtree(self.root)
        self.root.mkdir()
        for name in ("layers", "headers", "readme", "version", "paths"):
            with self.subTest(checker=name):
                self.assertEqual(self.run_checker(name)[0], 1)

class Counting(unittest.TestCase):
    """count_tests.py on a log with one entry for each kind of program."""

    DOCTEST = "[doctest] test cases: 3 | {} passed | {} failed | 7 skipped\n[doctest] assertions: 9 | 9 passed | 0 failed |\n"

    def count(self, entries, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "testlog.json"
            log.write_text("".join(json.dumps({"name": "x", "stdout": out, "stderr": err, "result": result}) + "\n" for out, err, result in entries))
            done = subprocess.run([sys.executable, HERE / "count_tests.py", log] + list(arguments), capture_output=True, text=True)
            return done.returncode, done.stdout.strip()

    def test_each_kind(self):
        for entry, line in [((self.DOCTEST.format(3, 0), "", "OK"), "3 passed, 0 failed, 0 skipped"),
                            ((self.DOCTEST.format(2, 1), "", "FAIL"), "2 passed, 1 failed, 0 skipped"),
                            (("ok a\n5 passed, 0 failed, 2 skipped\n", "", "OK"), "5 passed, 0 failed, 2 skipped"),
                            (("", "Ran 4 tests in 0.1s\n\nOK (skipped=1)\n", "OK"), "3 passed, 0 failed, 1 skipped"),
                            (("", "Ran 4 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n", "FAIL"), "2 passed, 2 failed, 0 skipped"),
                            (("hello", "", "OK"), "1 passed, 0 failed, 0 skipped"),
                            (("", "", "SKIP"), "0 passed, 0 failed, 1 skipped"),
                            (("", "", "TIMEOUT"), "0 passed, 1 failed, 0 skipped"),
                            (("5 passed, 0 failed, 0 skipped\n", "", "FAIL"), "5 passed, 1 failed, 0 skipped")]:
            with self.subTest(entry=entry):
                status, text = self.count([entry])
                self.assertEqual((status, text), (int(", 0 failed" not in line), line))

    def test_sums_and_additions(self):
        entries = [("", "", "OK"), (self.DOCTEST.format(3, 0), "", "OK")]
        self.assertEqual(self.count(entries), (0, "4 passed, 0 failed, 0 skipped"))
        self.assertEqual(self.count(entries, "--failed", "2", "--skipped", "1"), (1, "4 passed, 2 failed, 1 skipped"))
        self.assertEqual(self.count([]), (1, "0 passed, 1 failed, 0 skipped"))


class Targets(unittest.TestCase):
    def test_only_what_the_chosen_tests_need(self):
        with tempfile.TemporaryDirectory() as folder:
            info = Path(folder) / "meson-info"
            info.mkdir()
            targets = [{"id": name, "filename": [f"/elsewhere/build/t/{name}"]} for name in ("a", "b", "c")]
            (info / "meson-info.json").write_text(json.dumps({"directories": {"build": "/elsewhere/build"}}))
            tests = [{"suite": ["x:unit"], "depends": ["b", "a"]}, {"suite": ["x:data", "x:unit"], "depends": ["c"]}]
            (info / "intro-targets.json").write_text(json.dumps(targets))
            (info / "intro-tests.json").write_text(json.dumps(tests))
            out = subprocess.run([sys.executable, HERE / "test_targets.py", folder, "--no-suite", "data"], capture_output=True, text=True, check=True)
            self.assertEqual(out.stdout.split(), ["t/a", "t/b"])


if __name__ == "__main__":
    unittest.main()
