#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the simulation bites: builds it from a copy of the sources with one deliberate bug at a time, and runs it until a
schedule fails. A bug that no schedule finds is a hole in the auditor or in the schedules.

    tests/sim/mutations.py [--schedules N] [--build DIR] [NAME...]      about 20 minutes for all on 2 cores
    tests/sim/mutations.py --check-apply                                only whether every patch still applies (seconds)

Exit code 0 when each one was caught and the unchanged sources pass the same schedules.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
PATCHES = TOP / "tests" / "sim" / "mutations"


class Mutation:
    """One patch. Its head says what the bug is and which kinds of schedules are to find it."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        head = path.read_text().split("\ndiff ", 1)[0].splitlines()
        self.text = head[1]
        self.kinds = next(line.split()[1:] for line in head if line.startswith("kinds: "))

    def apply(self, tree, *options):
        return subprocess.run(["patch", "-p1", "--quiet", "--force", *options, "-i", str(self.path)], cwd=tree, capture_output=True, text=True, check=False)


def copy_sources(destination):
    """Tracked files only, with their times: an incremental build builds what a patch touched."""
    names = subprocess.run(["git", "-C", str(TOP), "ls-files", "-z"], capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, names):
        source, target = TOP / os.fsdecode(name), destination / os.fsdecode(name)
        if not source.exists():
            continue
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def build(tree):
    target = tree / "build"
    if not (target / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "dev", "-B", str(target)], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", str(target), "mcv_sim"], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout[-3000:]


def simulate(tree, kind, schedules):
    """(failed schedules, the first violation or "", seconds)"""
    began = time.monotonic()
    words = [str(tree / "build" / "tests" / "sim" / "mcv_sim"), "--kind", kind, "--seed", "1", "--schedules", str(schedules), "--stop-after", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    if done.returncode == 0:
        return 0, "", took
    seed = re.search(r"^FAILED \S+ seed (\d+)", done.stdout, re.MULTILINE)
    violation = re.search(r"^  (?!  )(?!replay)(.+)$", done.stdout, re.MULTILINE)
    where = f"seed {seed.group(1)}: " if seed else f"exit code {done.returncode}: "
    return 1, where + (violation.group(1) if violation else done.stderr.strip()[-200:]), took


def check_apply(mutations):
    bad = 0
    for mutation in mutations:
        done = mutation.apply(TOP, "--dry-run")
        if done.returncode != 0:
            bad += 1
            print(f"{mutation.path.relative_to(TOP)} does not apply any more:\n{done.stdout}{done.stderr}")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--schedules", type=int, default=300, help="of each kind at most (300)")
    parser.add_argument("--build", help="where to build; kept for the next time")
    parser.add_argument("--check-apply", action="store_true")
    options = parser.parse_args()
    mutations = [Mutation(path) for path in sorted(PATCHES.glob("*.patch"))]
    unknown = set(options.names) - {mutation.name for mutation in mutations}
    if unknown:
        parser.error(f"no mutation is called {', '.join(sorted(unknown))}")
    if options.check_apply:
        return check_apply(mutations)
    chosen = [mutation for mutation in mutations if not options.names or mutation.name in options.names]

    tree = pathlib.Path(options.build or tempfile.mkdtemp(prefix="mcv-mutations-"))
    copy_sources(tree)
    built, log = build(tree)
    if not built:
        print(log)
        return 1
    missed = 0
    for kind in sorted({kind for mutation in chosen for kind in mutation.kinds}):
        failed, violation, took = simulate(tree, kind, min(options.schedules, 60))
        print(f"{'unchanged':24} {kind:6} {'FAILS: ' + violation if failed else 'passes'}   ({took:.0f} s)", flush=True)
        missed += failed
    for mutation in chosen:
        applied = mutation.apply(tree)
        built, log = build(tree) if applied.returncode == 0 else (False, applied.stdout)
        caught = None
        if built:
            for kind in mutation.kinds:
                failed, violation, took = simulate(tree, kind, options.schedules)
                if failed:
                    caught = f"caught by {kind}, {violation}   ({took:.0f} s)"
                    break
        mutation.apply(tree, "--reverse")
        for leftover in [*tree.glob("src/**/*.orig"), *tree.glob("src/**/*.rej")]:
            leftover.unlink()
        missed += 0 if caught else 1
        print(f"{mutation.name:24} {caught or ('NOT CAUGHT' if built else 'DOES NOT BUILD: ' + log)}", flush=True)
    if not options.build:
        shutil.rmtree(tree)
    print(f"{len(chosen)} bugs, {missed} not caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
