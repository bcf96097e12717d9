#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An acknowledged change of the shared configuration, against what it cannot do without: two fsyncs and a round trip.

A client on A sends the changes over the socket of mcvd, one after the other, each answered when both nodes hold it durably. The
same client measures, in turns with it, an fsync of an appended page beside the store on each node, and a TCP round trip over
the cluster link. The nodes' disks are QEMU's with cache=writeback: an fsync is one.

    tests/bench/change.py [CHANGES]      about 4 minutes; the goal is a ratio of at most 3
"""

import ast
import os
import statistics
import sys

from bench_lab import cluster

# Nodes have python3-minimal: no json.
CLIENT = r'''
import os, socket, sys, time
rounds = int(sys.argv[1])
class Mcvd:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX); self.socket.connect("/run/mcv/mcvd.sock"); self.rest = b""
    def patch(self, path, body):
        text = body.encode()
        self.socket.sendall(b"PATCH %s HTTP/1.1\r\nHost: mcvd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(text)) + text)
        while b"\r\n\r\n" not in self.rest: self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        if b" 200 " not in head.split(b"\r\n")[0]: raise SystemExit(head.decode() + self.rest.decode())
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(self.rest) < length: self.more()
        self.rest = self.rest[length:]
    def more(self):
        got = self.socket.recv(65536)
        if not got: raise SystemExit("mcvd hung up")
        self.rest += got
def timed(action):
    began = time.monotonic(); action(); return (time.monotonic() - began) * 1000
page = b"x" * 4096
file = os.open("/var/lib/mcv/bench.tmp", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
def flush(): os.write(file, page); os.fsync(file)
link = socket.create_connection((sys.argv[2], 5099), 20); link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def round_trip(): link.sendall(b"p"); link.recv(1)
mcvd = Mcvd()
result = {"change": [], "fsync": [], "round trip": []}
for number in range(rounds):
    result["change"].append(timed(lambda: mcvd.patch("/v1/vms/vm1", '{"cpus": %d}' % (1 + number % 2))))
    result["fsync"].append(timed(flush))
    result["round trip"].append(timed(round_trip))
os.unlink("/var/lib/mcv/bench.tmp")
print(result)
'''

ECHO = r'''
import socket
server = socket.create_server(("", 5099))
peer, _ = server.accept(); peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while (data := peer.recv(1)): peer.sendall(data)
'''


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    os.environ.setdefault("LAB_CACHE", "writeback")
    lab, job = cluster()
    with lab:
        job.create()
        measure(lab, rounds)


def measure(lab, rounds):
    lab.write("A", "/root/change.py", CLIENT)
    lab.write("B", "/root/echo.py", ECHO)
    with lab.spawn("B", "python3 /root/echo.py") as echo:
        lab.expect("B", "ss -ltn", lambda text: ":5099" in text, 30)
        result = ast.literal_eval(lab.text("A", ["python3", "/root/change.py", str(rounds), "10.77.0.12"], timeout=600))
        echo.terminate()
    medians = {name: statistics.median(values) for name, values in result.items()}
    for name, values in result.items():
        print(f"{name:12} median {medians[name]:7.2f} ms   90th percentile {statistics.quantiles(values, n=10)[-1]:7.2f} ms   of {len(values)}")
    floor = 2 * medians["fsync"] + medians["round trip"]
    print(f"two fsyncs and a round trip {floor:.2f} ms, ratio {medians['change'] / floor:.2f}   (goal: at most 3)")


if __name__ == "__main__":
    main()
