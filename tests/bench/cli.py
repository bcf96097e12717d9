#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line and an idle daemon, natively: a real mcvd on this machine, in namespaces and directories of its own.

Prints the start of hvctl, `vm list` with 1,000 VMs against it, the times of 100 clients that list at once while an operation runs,
and what an idle mcvd takes. As root, after `tests/run.sh package`:

    tests/bench/cli.py [BUILD-DIRECTORY [VMS]]
"""

import concurrent.futures
import statistics
import subprocess
import time

from native import Native, resident, run_natively

def milliseconds(words):
    began = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def told(name, samples, goal=""):
    samples = sorted(samples)
    middle, late = statistics.median(samples), samples[int(len(samples) * 0.99) - 1]
    print(f"{name:44} median {middle:7.2f} ms   p99 {late:7.2f} ms   ({len(samples)} runs) {goal}", flush=True)
    return middle


def in_turns(rounds, *commands):
    """Samples of each, taken in turns, so that what disturbs one disturbs all."""
    samples = [[] for _ in commands]
    for _ in range(rounds):
        for command, mine in zip(commands, samples):
            mine.append(milliseconds(command))
    return samples


def idle(node, seconds, name):
    began = resident(node.daemon.pid)[1]
    time.sleep(seconds)  # what is measured is the time itself
    mib, used = resident(node.daemon.pid)
    print(f"mcvd idle, {name:33} {mib:.1f} MiB resident (goal 40), {(used - began) / seconds * 100:.2f} % of a core (goal 0.5)", flush=True)


def measure(build, vms, where):
    node = Native(build, where)
    try:
        node.hvctl("node", "init")
        node.hvctl("storage", "create", "disks", "--dir", str(where / "disks"))
        idle(node, 30, "no VMs:")
        for first in range(0, vms, 50):
            node.hvctl("vm", "create", *[f"vm{number}" for number in range(first, min(first + 50, vms))], "--storage-type", "local", "--disk-size", "4M", "--kernel", "/etc/hostname")
        version, listing = in_turns(50, [str(node.program), "--version"], node.words("vm", "list"))
        start = told("hvctl --version", version, "goal: under 10 ms")
        ratio = told(f"hvctl vm list, {vms} VMs", listing) / start
        print(f"{'':44} ratio {ratio:.2f} (goal 3)", flush=True)
        samples = []
        with concurrent.futures.ThreadPoolExecutor(101) as pool:
            work = pool.submit(node.hvctl, "vm", "create", *[f"more{number}" for number in range(20)], "--storage-type", "local", "--disk-size", "4M", "--kernel", "/etc/hostname")
            clients = [pool.submit(in_turns, 5, node.words("vm", "list", "-q")) for _ in range(100)]
            for client in clients:
                samples += client.result()[0]
            work.result()
        told("100 clients list while VMs are made", samples)
        idle(node, 60, f"{vms} VMs:")
    finally:
        node.end()


if __name__ == "__main__":
    run_natively(__file__, measure, 1000)
