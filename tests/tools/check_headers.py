#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks the form of the sources: a licence line and a sentence at the top of each, headers of at most 250 lines (bodies
# of tests may be longer) with `#pragma once`, and a comment on every public name of the library.
import re
import sys

from project import finish, project_files, public_headers, read_lines, root_of

LONGEST_HEADER = 250
SPDX = "SPDX-License-Identifier: Apache-2.0"
NEEDS_LICENCE = re.compile(r"\.(hpp|cpp|h|cu|cuh|py|sh|in)$|meson\.build$|^\.ci/run$")
DECLARATION = re.compile(r"^(template\b|struct\b|class\b|enum\b|concept\b|using\b|inline\b|constexpr\b|\[\[|[a-z][\w:<>, ]* [a-z_]\w*\()")
NEEDS_NO_COMMENT = re.compile(
    r"^(using namespace\b|template <>|"
    r"(template <.*> ?)?(struct|class) [\w:]+;|"  # a forward declaration
    r"template <.*> ?(inline constexpr bool|struct|class) [\w:]+<|"  # a specialisation
    r"template <.*> ?void override_for\()")  # what a backend replaces: found by the library, never called by name


def licence_problem(lines, licence_is_enough):
    top = [line for line in lines[:3] if not line.startswith("#!")]
    if not top or SPDX not in top[0]:
        return "the first line must be the licence: " + SPDX
    if not licence_is_enough and len(lines) > 3 and not (len(top) > 1 and re.match(r"^(//|#) \S", top[1])):
        return "the second line must be a comment that says what lives here"
    return None


def undocumented(lines):
    """The declarations in namespace causaldpo itself (not in detail, not in op) that no comment precedes. One comment
    serves the declarations that follow it without an empty line. Specialisations and forward declarations need none."""
    spaces, documented, previous = [], False, ""
    for number, line in enumerate(lines, 1):
        opened = re.match(r"^(?:inline )?namespace ([\w:]+) ?\{", line)
        if opened and not line.rstrip().endswith("}"):
            spaces.append(opened.group(1))
        elif re.match(r"^\}\s*// namespace", line) and spaces:
            spaces.pop()
        elif spaces == ["causaldpo"]:
            following = lines[number] if number < len(lines) else ""
            if line.startswith("//"):
                documented = True
            elif not line.strip():
                documented = False
            elif DECLARATION.match(line) and not previous.startswith("template") and not documented:
                whole = line + " " + following if line.startswith("template") and line.rstrip().endswith(">") else line
                if not NEEDS_NO_COMMENT.match(whole):
                    yield number, line
        previous = line


def check(root):
    problems, checked = [], 0
    public = set(public_headers(root))
    for path in project_files(root):
        relative = str(path.relative_to(root))
        if not NEEDS_LICENCE.search(relative):
            continue
        checked += 1
        lines = read_lines(path)
        sentence = licence_problem(lines, relative.endswith("meson.build"))
        if sentence:
            problems.append((path, 1, sentence))
        if path.suffix == ".hpp":
            if len(lines) > LONGEST_HEADER and not relative.startswith("tests/"):
                problems.append((path, len(lines), f"a header has at most {LONGEST_HEADER} lines"))
            if not any(line.startswith("#pragma once") for line in lines):
                problems.append((path, 1, "a header needs #pragma once"))
        if path in public:
            for number, line in undocumented(lines):
                problems.append((path, number, f"a public name needs a comment before it: {line[:60]}"))
    return checked, problems


if __name__ == "__main__":
    base = root_of(sys.argv[1:])
    sys.exit(finish(*check(base), base))
