#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy (.clang-tidy) over files of a compilation database; which: see coroutines.py.

  clang_tidy.py BUILD_DIR [--all | FILE…]
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from compile_db import ROOT, arguments_of, chosen_entries

TOOL = os.environ.get("CLANG_TIDY", "clang-tidy-14")


def check(folder, entry):
    done = subprocess.run([TOOL, "-p", folder, "--quiet", entry["file"]], capture_output=True, text=True, cwd=ROOT)
    found = [line for line in done.stdout.splitlines() if ": error:" in line or ": warning:" in line]
    if done.returncode != 0 and not found:
        found = [f"{entry['file']}: {line}" for line in done.stderr.splitlines()[-3:]]
    return found


def main():
    chosen = chosen_entries(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        database = [{"directory": e["directory"], "file": e["file"], "arguments": arguments_of(e)} for e in chosen]
        (pathlib.Path(folder) / "compile_commands.json").write_text(json.dumps(database))
        findings = {line for found in pool.map(lambda entry: check(folder, entry), chosen) for line in found}
    for line in sorted(findings):
        print(line)
    print(f"{len(chosen)} files, {len(findings)} problems")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
