# SPDX-License-Identifier: Apache-2.0
# What the checkers share: walking the source tree, and reporting what was found as file:line: sentence.
import os
import re
import subprocess
import sys
from pathlib import Path

ROOMS = ["core", "ops", "logprob", "preference", "environment", "adjustment", "invariance", "objective"]
TEXT_SUFFIXES = {".hpp", ".cpp", ".h", ".in", ".py", ".sh", ".md", ".txt", ".build", ".yml", ".yaml", ".json", ".cmake", ""}


def root_of(arguments):
    """The tree to check: the first argument, or the one that this file belongs to."""
    return Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]


def project_files(root):
    """Every file under version control; without git, every file outside build folders and hidden ones."""
    try:
        top = subprocess.run(["git", "-C", str(root), "rev-parse", "--show-toplevel"], capture_output=True, text=True).stdout.strip()
        if top and Path(top).resolve() == root.resolve():
            listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
            return sorted(root / name for name in listed.split("\0") if name and (root / name).is_file())
    except (OSError, subprocess.CalledProcessError):
        pass
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith("build") and f not in (".git", "__pycache__", ".cache", ".offline")]
        found += [Path(folder) / name for name in files]
    return sorted(found)


def public_headers(root):
    """The headers that are installed: of the library and of its backends."""
    folders = [root / "include"] + sorted((root / "backends").glob("*/include"))
    return [header for folder in folders for header in sorted(folder.rglob("*.hpp"))]


def read_lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def finish(checked, problems, root):
    """Prints the problems and the counts; returns the exit status. Finding nothing to check is a problem too."""
    if checked == 0:
        problems.append((root, 0, "nothing to check was found"))
    for path, line, sentence in problems:
        shown = path.relative_to(root) if path != root and root in path.parents else path
        print(f"{shown}:{line}: {sentence}")
    bad = len({path for path, _, _ in problems})
    print(f"{checked - min(bad, checked)} passed, {bad} failed, 0 skipped", file=sys.stdout)
    return 1 if problems else 0


def strip_comments(line):
    return re.sub(r"//.*", "", line)
