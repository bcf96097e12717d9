#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real mcvd under clients that mean harm, natively (as cli.py): does it serve the others, and does anything stay behind?

Rounds of idle connections, half-sent requests, readers that do not read, and bodies that are hostile or huge. While each kind holds
nearly every connection a good client has to be answered; beyond the limit everybody has to hear why. Descriptors and memory are
compared after ROUNDS and after twice as many. Exit code 1 when something of that does not hold. As root:

    tests/bench/connections.py [BUILD-DIRECTORY [ROUNDS]]
"""

import json
import os
import socket
import time

from native import TOP, Native, resident, run_natively

LIMIT = 512  # connections, as native.CONFIG says
SPARE = 16  # left for good clients
ANSWER_BOUND = 1.0  # seconds of processor time that the daemon spends on others before it answers a good client: so a busy machine changes nothing
GROWTH_BOUND = 1.10  # resident memory after twice the rounds
GOOD = b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LIST = b"GET /v1/vms HTTP/1.1\r\nHost: x\r\n\r\n"


def request(method, target, body, headers=b""):
    return b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s" % (method.encode(), target.encode(), headers, len(body), body)


HOSTILE_BODIES = [
    b"null", b"[]", b"{", b'{"a":', b"\xff\xfe", b"\0" * 1000, b"[" * 50_000, b'{"a":' * 50_000, b"[" * 60 + b"]" * 60, b'{"name":"' + b"x" * 900_000 + b'"}',
    b'{"name":"vm1","name":"vm2"}', b"{" + b",".join(b'"k%d":1' % number for number in range(50_000)) + b"}", b'{"name":"\\ud800"}', b'{"cpus":1e999}',
]
HOSTILE_WIRE = [
    b"\0" * 4096, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /v1/vms HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n" + b"x" * 1_048_577,
    b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000,
    b"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /v1/vms/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
]


class Attack:
    """Connections to one socket; `failures` are the sentences of the report."""

    def __init__(self, node):
        self.path, self.pid = str(node.socket), node.daemon.pid
        self.at_rest = self.descriptors()
        self.open, self.failures, self.slowest, self.refused = [], [], 0.0, 0

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(120)
        client.connect(self.path)
        return client

    def ask(self, data):
        """All that comes back; what cannot be sent any more is the daemon's answer too."""
        with self.connect() as client:
            answer = b""
            try:
                client.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                while piece := client.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
            return answer

    def expect(self, holds, text):
        if not holds:
            self.failures.append(text)
            print(f"FAILED: {text}", flush=True)

    def good_client(self, among):
        began = resident(self.pid)[1]
        answer = self.ask(GOOD)
        took = resident(self.pid)[1] - began
        self.slowest = max(self.slowest, took)
        self.expect(answer.startswith(b"HTTP/1.1 200"), f"a good client among {among} hears {answer[:80]!r}")
        self.expect(took < ANSWER_BOUND, f"a good client among {among} waits for {took:.1f} s of others' work")

    def hold(self, count, data=b""):
        for _ in range(count):
            client = self.connect()
            self.open.append(client)
            if data:
                client.sendall(data)

    def let_go(self):
        for client in self.open:
            client.close()
        self.open.clear()

    def beyond_the_limit(self):
        """Everybody who is one too many hears so, in the documented words."""
        self.settled()
        self.hold(LIMIT)
        self.expect(self.reaches(lambda: self.descriptors() >= self.at_rest + LIMIT), f"{self.descriptors() - self.at_rest} of {LIMIT} connections were taken")
        answers = [self.ask(GOOD) for _ in range(64)]
        heard = sum(answer.startswith(b"HTTP/1.1 503") and b'"code":"busy"' in answer for answer in answers)
        self.expect(heard == len(answers), f"beyond {LIMIT} connections {heard} of {len(answers)} heard that it was busy")
        self.refused += heard

    def silent(self, name, data):
        self.hold(LIMIT - SPARE, data)
        self.good_client(name)
        self.let_go()

    def never_reads(self):
        """Answers pile up in the kernel's buffer, then with the daemon, for as long as its deadline."""
        for _ in range(LIMIT - SPARE):
            client = self.connect()
            client.setblocking(False)
            self.open.append(client)
            try:
                for _ in range(12):
                    client.send(LIST)
            except BlockingIOError:
                pass
        self.good_client("readers that do not read")
        self.let_go()

    def hostile(self, routes):
        for data in HOSTILE_WIRE:
            answer = self.ask(data)
            self.expect(answer == b"" or answer[9:10] == b"4", f"{data[:40]!r} is answered {answer[:60]!r}")
        for number, (method, target) in enumerate(routes):
            body = HOSTILE_BODIES[number % len(HOSTILE_BODIES)]
            answer = self.ask(request(method, target, body))
            self.expect(answer[9:10] == b"4", f"{method} {target} with {body[:30]!r} is answered {answer[:60]!r}")
        self.good_client("hostile bodies")

    def round(self, routes):
        self.silent("idle connections", b"")
        self.silent("half-sent requests", b"POST /v1/vms HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 50_000)
        self.silent("half-sent headers", b"GET /v1/vms HTTP/1.1\r\nHost:")
        self.never_reads()
        self.beyond_the_limit()
        self.let_go()
        self.hostile(routes)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @staticmethod
    def reaches(condition):
        until = time.monotonic() + 60
        while not condition() and time.monotonic() < until:
            time.sleep(0.05)
        return condition()

    def settled(self):
        """MiB resident once the daemon has noticed that everybody left."""
        self.expect(self.reaches(lambda: self.descriptors() <= self.at_rest), f"{self.descriptors() - self.at_rest} descriptors were left behind")
        return resident(self.pid)[0]


def routes_with_bodies():
    document = json.loads((TOP / "config/openapi.json").read_text())
    named = ((method.upper(), path) for path, methods in document["paths"].items() for method, operation in methods.items() if "requestBody" in operation)
    return [(method, "/".join("nothing" if part.startswith("{") else part for part in path.split("/"))) for method, path in named]


def measure(build, rounds, where):
    node = Native(build, where)
    try:
        node.hvctl("node", "init")
        node.hvctl("storage", "create", "disks", "--dir", str(where / "disks"))
        node.hvctl("vm", "create", *[f"vm{number}" for number in range(50)], "--storage-type", "local", "--disk-size", "4M", "--kernel", "/etc/hostname")
        attack, routes = Attack(node), routes_with_bodies()
        attack.good_client("nobody")
        seen = []
        for half in range(2):
            for _ in range(rounds):
                attack.round(routes)
            seen.append(attack.settled())
            print(f"after {(half + 1) * rounds:3} rounds: {attack.descriptors()} descriptors (at first {attack.at_rest}), {seen[-1]:.1f} MiB resident", flush=True)
        ratio = seen[1] / seen[0]
        print(f"resident after {2 * rounds} rounds to that after {rounds}: {ratio:.3f} (bound {GROWTH_BOUND}); a good client waited for {attack.slowest * 1000:.0f} ms of work at most; {attack.refused} refusals heard")
        attack.expect(ratio <= GROWTH_BOUND, f"memory grows: {seen[0]:.1f} to {seen[1]:.1f} MiB")
        return 1 if attack.failures else 0
    finally:
        node.end()


if __name__ == "__main__":
    run_natively(__file__, measure, 10)
