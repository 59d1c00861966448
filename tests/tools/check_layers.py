#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks that a room of the library includes only rooms below it, that the library names no backend and no library
# of another's, and that a backend includes no other: only what backends/host holds for those on the host's threads.
import re
import sys

from project import ROOMS, finish, public_headers, read_lines, root_of

LEVEL = {room: level for level, room in enumerate(ROOMS)}
LEVEL.update({"concepts": 0, "detail": 0})
SHARED = "host"  # backends/host is no backend: it may be included by each of them and includes none
FOUNDATION = {"core", "concepts", "detail"}
EVALUATION_SEES = FOUNDATION | {"ops", "evaluation"}
FORBIDDEN = re.compile(r"^(Eigen/|unsupported/Eigen|omp\.h|xtensor|xt[al]*/|cuda|cublas|iostream$|ranges$|format$|source_location$)")
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')


def room_of(relative):
    """The room of "causaldpo/<room>/file.hpp", or None for the headers at the top."""
    parts = relative.split("/")
    return parts[1] if len(parts) > 2 else None


def library_problem(room, included):
    """Why a header of `room` may not include `included`; None if it may."""
    if FORBIDDEN.match(included):
        return f"the library includes no {included}: backends do"
    if not included.startswith("causaldpo/"):
        return None
    other = room_of(included)
    if other == "backends":
        return f"a room does not know any backend ({included})"
    if other is None:
        return None if included == "causaldpo/version.hpp" else f"{included} lies above every room"
    if other not in LEVEL and other != "evaluation":
        return f"{included} is in no known room"
    if room == "evaluation":
        return None if other in EVALUATION_SEES else f"evaluation uses {', '.join(sorted(EVALUATION_SEES))} only, not {included}"
    if other == "evaluation":
        return f"{room} lies below evaluation ({included})"
    return f"{room} lies below {other} ({included})" if LEVEL[other] > LEVEL[room] else None


def check(root):
    problems, checked = [], 0
    for header in public_headers(root):
        checked += 1
        home, relative = str(header.relative_to(root)).split("/include/", 1) if "/include/" in str(header.relative_to(root)) else (
            "include", str(header.relative_to(root / "include")))
        room = room_of(relative)
        for number, line in enumerate(read_lines(header), 1):
            if home == "include" and re.match(r"\s*#\s*pragma\s+omp", line):
                problems.append((header, number, "OpenMP belongs to a backend"))
            match = INCLUDE.match(line)
            if not match:
                continue
            included, sentence = match.group(1), None
            if home == "include" and room is not None:
                sentence = "is in no known room" if room not in LEVEL and room != "evaluation" else library_problem(room, included)
            elif home == "include" and relative == "causaldpo/default_backend.hpp":
                sentence = None
            elif home == "include" and (FORBIDDEN.match(included) or included.startswith("causaldpo/backends/")):
                sentence = f"the library includes no {included}"
            elif home.startswith("backends/"):
                neighbour = re.match(r"causaldpo/backends/(\w+)", included)
                if neighbour and neighbour.group(1) not in (home.split("/")[1], SHARED):
                    sentence = f"backends do not include one another ({included})"
            if sentence is None and included.startswith("causaldpo/"):
                homes = [root / "include"] + sorted((root / "backends").glob("*/include"))
                if not any((folder / included).is_file() for folder in homes):
                    sentence = f"{included} does not exist"
            if sentence:
                problems.append((header, number, sentence))
    return checked, problems


if __name__ == "__main__":
    base = root_of(sys.argv[1:])
    sys.exit(finish(*check(base), base))
