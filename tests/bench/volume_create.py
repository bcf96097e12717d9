#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Creating a replicated thin volume must not depend on its size: 10 GiB against 100 MiB, taken in turns in one lab.

    tests/bench/volume_create.py [ROUNDS]      about 8 minutes; the goal is a ratio of at most 1.3
"""

import sys

from bench_lab import cluster, seconds, told

SIZES = {"100 MiB": "100M", "10 GiB": "10G"}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    lab, job = cluster()
    with lab:
        samples = {name: [] for name in SIZES}
        for number in range(rounds):
            for name, size in SIZES.items():
                vm = f"vm{number}-{size.lower()}"
                create = ["hvctl", "-q", "vm", "create", vm, "--cpus", "1", "--memory", "64M", "--disk-size", size, "--storage-type", "drbd", "--kernel", "/usr/share/mcv-lab/guest/vmlinuz"]
                samples[name].append(seconds(lambda words=create: lab.run("A", words)))
                lab.run("A", ["hvctl", "-q", "vm", "delete", vm, "--yes"])
        medians = {name: told(f"create a {name} volume", samples[name]) for name in SIZES}
    print(f"ratio {medians['10 GiB'] / medians['100 MiB']:.2f}   (goal: at most 1.3)")


if __name__ == "__main__":
    main()
