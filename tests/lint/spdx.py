#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every source file begins with its licence, and no file names a place it was made in."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARK = "SPDX-License-Identifier: Apache-2.0"
SOURCES = {".h", ".cpp", ".def", ".py", ".sh", ".cmake", ".in", ".query"}
NAMES = {"CMakeLists.txt", "Vagrantfile", "Dockerfile"}
PREFIX = {".h": "// ", ".cpp": "// ", ".def": "// "}


def tracked():
    try:
        out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
                             capture_output=True, check=True).stdout
        return [ROOT / name for name in out.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        # A source archive has no git: everything but build trees.
        return [p for p in ROOT.rglob("*") if not any(part.startswith(("build", ".")) for part in p.relative_to(ROOT).parts)]


def main():
    problems = []
    checked = 0
    for path in tracked():
        if not path.is_file() or path.is_symlink():
            continue
        if path.suffix not in SOURCES and path.name not in NAMES:
            continue
        if "tests/data" in path.as_posix():
            continue  # recordings are kept as the tools wrote them
        checked += 1
        head = path.read_text(errors="replace").splitlines()[:3]
        wanted = PREFIX.get(path.suffix, "# ") + MARK
        first = head[1:2] if head and head[0].startswith("#!") else head[:1]
        if not first or MARK not in first[0]:
            problems.append(f"{path.relative_to(ROOT)}:1: must begin with '{wanted}'")
    for problem in problems:
        print(problem)
    print(f"{checked} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
