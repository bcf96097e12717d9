#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs lab tests one after another; the first that fails ends it.

    tests/lab/run.py tests/lab/main_job_test.py...

A test is run a second time only when the kernel of an emulated node crashed or hung under it (harness/crash.py, hang.py): QEMU's
emulation of nested SVM is not perfect (vagrant/README.md), and such a crash says nothing about mcv. It is told loudly, with the
kernel's words.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness.crash import crash_line  # noqa: E402


def kernel_crash(evidence):
    """What a node's kernel said when it crashed, or what is known of a node that hung, or None."""
    for hung in sorted(evidence.rglob("*.hung")):
        return f"{hung.stem} {hung.read_text().strip()}"
    for console in sorted(evidence.rglob("*.console")):
        line = crash_line(console.read_text(errors="replace"))
        if line:
            return f"{console.stem}: {line}"
    return None


def run(test):
    """(exit code, crash of a node's kernel or None)"""
    evidence = pathlib.Path(tempfile.mkdtemp(prefix="mcv-lab-evidence-"))
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-B", test, "-v", "-f"], env={**os.environ, "LAB_EVIDENCE": str(evidence)}, check=False)
    print(f"{test}: exit {done.returncode} after {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode, kernel_crash(evidence)


def main():
    for test in sys.argv[1:]:
        code, crash = run(test)
        if code != 0 and crash:
            print(f"THE EMULATED NODE CRASHED, not mcv: {crash}\n{test} runs once more", flush=True)
            code, crash = run(test)
        if code != 0:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
