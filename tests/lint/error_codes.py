#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each error code has a section in docs/operations.md, and each section a code.

A section is a heading that contains the code in backquotes: ### `verify-gate`
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "src/cluster/core/error_codes.def"
MANUAL = ROOT / "docs/operations.md"
KINDS = re.compile(r"^\s*(\w+),\s*///<", re.M)


def main():
    rows = re.findall(r'^MCV_ERROR\(\s*(\w+)\s*,\s*"([^"]+)"\s*,\s*(\w+)\s*\)', TABLE.read_text(), re.M)
    problems = []
    identifiers, codes = [r[0] for r in rows], [r[1] for r in rows]
    for what, values in (("identifier", identifiers), ("code", codes)):
        for value in sorted({v for v in values if values.count(v) > 1}):
            problems.append(f"{TABLE.relative_to(ROOT)}: {what} {value} twice")
    for code in codes:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", code):
            problems.append(f"{TABLE.relative_to(ROOT)}: {code} is not lower case with dashes")
    if not MANUAL.is_file():
        if "--require-manual" in sys.argv:
            problems.append(f"{MANUAL.relative_to(ROOT)} is missing")
        else:
            print(f"{MANUAL.relative_to(ROOT)} is not there yet: only the table was checked")
    else:
        sections = set()
        for heading in re.findall(r"^#{2,4}\s+(.*)$", MANUAL.read_text(), re.M):
            sections |= set(re.findall(r"`([a-z][a-z0-9-]*)`", heading))
        known = set(codes)
        for code in codes:
            if code not in sections:
                problems.append(f"{MANUAL.relative_to(ROOT)}: no section for `{code}`")
        # Headings may quote other things; what looks like a retired code is listed for a person only when it is alone.
        for heading in re.findall(r"^#{2,4}\s+`([a-z][a-z0-9-]*)`\s*$", MANUAL.read_text(), re.M):
            if heading not in known:
                problems.append(f"{MANUAL.relative_to(ROOT)}: `{heading}` is not a code of the table")
    for problem in problems:
        print(problem)
    print(f"{len(codes)} codes, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
