#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A node that comes back after 1,000 changes it missed, against one that missed none: seconds from contact to equal hashes.

B's power is cut, A is told so (confirm-down), 1,000 changes are made on A alone, B boots. In turns with it the same without a
change. What is measured is on A, by its journal: from the other daemon's hello (MCV_STATE=syncing) to one configuration
(MCV_STATE=together, which takes equal hashes of both); the boot of the machine and corosync's contact are told apart.

    tests/bench/rejoin.py [ROUNDS [CHANGES]]      about 8 minutes a round
"""

import json
import shlex
import statistics
import sys

from bench_lab import cluster
from harness import wait_until

# Nodes have python3-minimal: no json.
CHANGES = r'''
import socket, sys, time
link = socket.socket(socket.AF_UNIX); link.connect("/run/mcv/mcvd.sock"); rest = b""
began = time.monotonic()
for number in range(int(sys.argv[1])):
    body = b'{"cpus": %d}' % (1 + number % 2)
    link.sendall(b"PATCH /v1/vms/vm1 HTTP/1.1\r\nHost: mcvd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    while b"\r\n\r\n" not in rest: rest += link.recv(65536)
    head, rest = rest.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.split(b"\r\n")[0]: raise SystemExit(head.decode() + rest.decode())
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(rest) < length: rest += link.recv(65536)
    rest = rest[length:]
print(time.monotonic() - began)
'''


def journal(lab, cursor):
    """(seconds since A's boot, state) of each change of the contact since a cursor."""
    text = lab.text("A", f"journalctl -u mcvd -o json --after-cursor={shlex.quote(cursor)} MCV_KIND=configuration")
    entries = [json.loads(line) for line in text.splitlines()]
    return [(int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6, entry["MCV_STATE"]) for entry in entries]


def confirm_down(lab):
    """Typed again until the kernel and corosync have noticed."""
    wait_until(lambda: lab.run("A", ["hvctl", "-q", "cluster", "confirm-down", "B", "--yes"], check=False, timeout=120).returncode == 0, 180, "B is confirmed down", interval=2)


def round_of(lab, job, changes):
    """Seconds from contact to equal hashes."""
    lab.kill("B")
    confirm_down(lab)
    spent = float(lab.text("A", ["python3", "/root/changes.py", str(changes)], timeout=1800)) if changes else 0.0
    cursor = lab.text("A", "journalctl -u mcvd -n 1 --show-cursor | sed -n 's/^-- cursor: //p'")
    switched_on = float(lab.text("A", "cut -d' ' -f1 /proc/uptime"))
    lab.start("B")
    wait_until(lambda: all(job.ask(node, "info")["link"] == "together" for node in ("A", "B")), 300, "the nodes are together", interval=1)
    here, there = (job.ask(node, "info") for node in ("A", "B"))
    if here["hash"] != there["hash"]:
        raise SystemExit(f"the hashes differ: {here} and {there}")
    states = journal(lab, cursor)
    equal = max(at for at, state in states if state == "together")
    contact = max((at for at, state in states if state == "syncing" and at <= equal), default=None)
    if contact is None:
        raise SystemExit(f"the journal tells of no contact: {states}")
    print(f"missed {changes:5}: contact {contact - switched_on:6.1f} s after B's power, equal {equal - contact:6.3f} s later, at entry {here['index']}"
          + (f"; the changes took {spent:.1f} s ({1000 * spent / changes:.1f} ms each)" if changes else ""), flush=True)  # fmt: skip
    wait_until(lambda: all(v["disk"] == v["peer_disk"] == "UpToDate" for v in job.ask("A", "drbd", "list")["volumes"]), 300, "both copies are equal again", interval=1)
    return equal - contact


def measure(lab, job, rounds, changes):
    lab.write("A", "/root/changes.py", CHANGES)
    samples = {0: [], changes: []}
    for _ in range(rounds):
        for missed in samples:
            samples[missed].append(round_of(lab, job, missed))
    medians = {missed: statistics.median(values) for missed, values in samples.items()}
    for missed, values in samples.items():
        print(f"rejoin after {missed:5} missed changes: median {medians[missed]:.3f} s of {', '.join(f'{value:.3f}' for value in values)}")
    print(f"ratio {medians[changes] / medians[0]:.2f}")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    changes = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    lab, job = cluster()
    with lab:
        job.create()
        measure(lab, job, rounds, changes)


if __name__ == "__main__":
    main()
