#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon reads no JSON by Json::value: it throws where a type is another one, and a task that throws ends the daemon.

Fields reads what must be there, value_in what may be missing. The log's wire is read within one guard, LogMachine::message."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
READ = re.compile(r'(\.|->)value\("')
GUARDED = {"src/cluster/store/log_contact.cpp", "src/cluster/store/log_order.cpp", "src/cluster/store/log_machine_parts.cpp"}


def main():
    problems = []
    checked = 0
    for path in sorted((ROOT / "src").rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in {".h", ".cpp"} or name.startswith("src/cli/") or name in GUARDED:
            continue
        checked += 1
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if READ.search(line):
                problems.append(f"{name}:{number}: Json::value throws where the type is another one: value_in or Fields")
    for problem in problems:
        print(problem)
    print(f"{checked} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
