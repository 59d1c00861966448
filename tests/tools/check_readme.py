#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks that every C++ snippet of the README stands, line for line, in an example that the build compiles, and that
# every relative link in a Markdown file leads to a file.
import re
import sys

from project import finish, project_files, read_lines, root_of


def snippets(lines):
    """(line number, lines) of each ```cpp block."""
    block = None
    for number, line in enumerate(lines, 1):
        if block is None and line.strip() == "```cpp":
            block = (number, [])
        elif block is not None and line.strip() == "```":
            yield block
            block = None
        elif block is not None:
            block[1].append(line.rstrip())


def stands_in(block, lines):
    return any(lines[i:i + len(block)] == block for i in range(len(lines) - len(block) + 1))


def link_problems(path, root):
    fenced = False
    for number, line in enumerate(read_lines(path), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"^(https?:|mailto:|#)", target):
                continue
            if not (path.parent / target.split("#")[0]).exists():
                yield path, number, f"the link to {target} leads nowhere"


def check(root):
    problems, checked = [], 0
    readme = root / "README.md"
    if not readme.is_file():
        return 1, [(root, 0, "there is no README.md")]
    examples = {path: [line.rstrip() for line in read_lines(path)] for path in sorted((root / "examples").glob("*.cpp"))}
    for number, block in snippets(read_lines(readme)):
        checked += 1
        if not any(stands_in(block, lines) for lines in examples.values()):
            problems.append((readme, number, "this snippet stands in no examples/*.cpp"))
    if checked == 0:
        problems.append((readme, 1, "the README shows no C++ (```cpp)"))
    for path in project_files(root):
        if path.suffix == ".md":
            checked += 1
            problems += link_problems(path, root)
    return checked, problems


if __name__ == "__main__":
    base = root_of(sys.argv[1:])
    sys.exit(finish(*check(base), base))
