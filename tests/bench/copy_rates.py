#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast a verify and a full resync are with the options mcv writes, against the best that were found by hand, and what either costs
a guest that writes.

First the volume of a stopped VM, 256 MiB: a verify and a resync with each set of options, in turns. Then the guest runs, with
mcv's options alone: its acknowledged writes a second while nothing else happens, during verifies, and during resyncs.

    tests/bench/copy_rates.py [ROUNDS]      about 12 minutes; the goals: at least 0.9 of the best by hand, and a guest that goes on
"""

import re
import statistics
import sys
import time

from bench_lab import cluster
from harness import wait_until

RESOURCE, DEVICE = "mcv-vm1-0", "256 MiB"
# The measured ones by hand: a fixed rate, and the controller with more in flight; neither yields to a guest (c-min-rate 0).
OPTIONS = {
    "mcv": None,
    "fixed rate": "--c-plan-ahead=0 --resync-rate=400M --c-min-rate=0",
    "controller": "--c-plan-ahead=20 --c-max-rate=400M --c-min-rate=0 --c-fill-target=1M",
}
# Timed on the node, so that no login is in it.
WATCH = "while grep -A1 'cs:' /proc/drbd | grep -qE 'cs:({states})'; do sleep 0.02; done"
VERIFY = "drbdadm verify {resource} && " + WATCH.format(states="Verify")
RESYNC = "drbdadm invalidate {resource} && " + WATCH.format(states="SyncTarget|WFBitMap|WFSync|PausedSync|StartingSync")


def timed(lab, node, command):
    said = lab.text(node, f"began=$(date +%s.%N); {command}; echo \"$began $(date +%s.%N)\"", timeout=900)
    began, ended = (float(word) for word in said.split()[-2:])
    return ended - began


def is_quiet(lab):
    """Nothing is copied or compared, and both copies are current: the next one is not refused."""
    wait_until(lambda: all(re.search(r"cs:Connected .*ds:UpToDate/UpToDate", lab.text(node, "cat /proc/drbd")) for node in ("A", "B")), 120, "both copies are current")


def use(lab, options):
    for node in ("A", "B"):
        lab.run(node, f"drbdsetup disk-options 100 {options}" if options else f"drbdadm adjust {RESOURCE}")


def minor(job):
    return job.ask("A", "drbd", "list")["volumes"][0]["minor"]


def at_rest(lab, rounds):
    samples = {(what, name): [] for name in OPTIONS for what in ("verify", "resync")}
    for _ in range(rounds):
        for name, options in OPTIONS.items():
            use(lab, options)
            is_quiet(lab)
            samples["verify", name].append(timed(lab, "A", VERIFY.format(resource=RESOURCE)))
            is_quiet(lab)
            samples["resync", name].append(timed(lab, "B", RESYNC.format(resource=RESOURCE)))
    use(lab, None)
    for what in ("verify", "resync"):
        medians = {name: statistics.median(samples[what, name]) for name in OPTIONS}
        for name, median in medians.items():
            print(f"{what} of {DEVICE}, {name:11} median {median:6.2f} s = {256 / median:5.1f} MiB/s   of {', '.join(f'{sample:.2f}' for sample in samples[what, name])}", flush=True)
        best = min(median for name, median in medians.items() if name != "mcv")
        print(f"{what}: ratio {best / medians['mcv']:.2f} of the best by hand   (goal: at least 0.90)", flush=True)


def rate(job, during, seconds=20.0):
    """Acknowledged records a second, for at least `seconds`; `during` is called over and over and returns when it ended."""
    first, began = job.records("A"), time.monotonic()
    while time.monotonic() - began < seconds:
        during()
    return (job.records("A") - first) / (time.monotonic() - began)


def beside_a_guest(lab, job, rounds):
    job.start()
    phases = {
        "nothing else": lambda: time.sleep(1),
        "a verify runs": lambda: (timed(lab, "A", VERIFY.format(resource=RESOURCE)), is_quiet(lab)),
        "a resync runs": lambda: (timed(lab, "B", RESYNC.format(resource=RESOURCE)), is_quiet(lab)),
    }
    samples = {name: [] for name in phases}
    for _ in range(rounds):
        for name, during in phases.items():
            is_quiet(lab)
            samples[name].append(rate(job, during))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, median in medians.items():
        print(f"acknowledged writes a second, {name:14} {median:6.1f}   ratio {median / medians['nothing else']:.2f}   of {', '.join(f'{sample:.1f}' for sample in samples[name])}", flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    lab, job = cluster()
    with lab:
        job.create()
        assert minor(job) == 100, minor(job)
        at_rest(lab, rounds)
        beside_a_guest(lab, job, rounds)


if __name__ == "__main__":
    main()
