#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the lab's own tools without machines: the network process, the records tool, the collector, the auditor."""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Collector, wait_until  # noqa: E402
from harness.audit import double_runs, lost_records  # noqa: E402
from harness.collector import Report  # noqa: E402
from harness.guest import highest_record  # noqa: E402
from harness.lab import TOP  # noqa: E402


def build(source, program, *flags):
    subprocess.run(["gcc", "-std=c17", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror", *flags, "-o", program, source], check=True)


class Network(unittest.TestCase):
    """Ports are plain sockets here where a lab has QEMU."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="mcv-hub-")
        self.addCleanup(scratch.cleanup)
        self.path = pathlib.Path(scratch.name)
        (self.path / "net").mkdir()
        self.cards = {}
        ports = []
        for node in ("A", "B", "collector"):
            (self.path / node).mkdir()
            for link in ("cluster", "lan"):
                ports.append(f"{link}:{node}:unix:net/{node}.{link}:{node}/{link}")
                if node != "collector":
                    self.cards[node, link] = self.card(node, link)
        build(TOP / "vagrant" / "lab" / "hub.c", self.path / "hub")
        self.hub = subprocess.Popen(["./hub", "run", "hub.sock", *ports], cwd=self.path)
        self.addCleanup(self.end_hub)
        wait_until((self.path / "hub.sock").exists, 20, "network process listens")

    def end_hub(self):
        self.hub.terminate()
        self.assertEqual(0, self.hub.wait(10))

    def card(self, node, link):
        ours = self.path / node / link
        ours.unlink(missing_ok=True)
        card = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(card.close)
        card.bind(str(ours))
        card.settimeout(10)
        return card

    def send(self, node, link, data):
        self.cards[node, link].sendto(data, str(self.path / "net" / f"{node}.{link}"))

    def control(self, *words, fails=False):
        result = subprocess.run(["./hub", "ctl", "hub.sock", *words], cwd=self.path, capture_output=True, text=True)
        self.assertEqual(fails, result.returncode != 0, result.stderr)
        return result.stdout

    def assert_passes(self, source, target, link="cluster"):
        self.send(source, link, b"frame")
        self.assertEqual(b"frame", self.cards[target, link].recv(100))

    def assert_lost(self, source, target, link="cluster"):
        received, dropped = self.received(target, link), self.dropped(source, target, link)
        self.send(source, link, b"lost")
        wait_until(lambda: self.dropped(source, target, link) > dropped, 10, "frame was dropped")
        self.assertEqual(received, self.received(target, link))

    def line(self, node, link):
        return next(line for line in self.control("status").splitlines() if line.split()[:2] == [node, link])

    def received(self, node, link):
        return int(self.line(node, link).split("received=")[1].split()[0])

    def dropped(self, source, target, link):
        return sum(int(self.line(node, link).split("dropped=")[1].split()[0]) for node in (source, target))

    def test_links_are_apart(self):
        self.assert_passes("A", "B")
        self.assert_passes("B", "A")
        self.assertEqual(0, self.received("B", "lan"))

    def test_cut_and_heal(self):
        self.control("cut", "A", "cluster")
        self.assert_lost("A", "B")
        self.assert_lost("B", "A")
        self.assert_passes("A", "B", "lan")
        self.control("heal", "A", "cluster")
        self.assert_passes("A", "B")
        self.assert_passes("B", "A")

    def test_one_way(self):
        self.control("cut", "A", "cluster", "out")
        self.assert_lost("A", "B")
        self.assert_passes("B", "A")
        self.control("reset")
        self.control("cut", "A", "all", "in")
        self.assert_passes("A", "B")
        self.assertIn("cut-in", self.line("A", "lan"))

    def test_slow_keeps_order(self):
        self.control("slow", "A", "cluster", "200")
        began = time.monotonic()
        for number in range(50):
            self.send("A", "cluster", b"%d" % number)
        got = [int(self.cards["B", "cluster"].recv(100)) for _ in range(50)]
        self.assertEqual(list(range(50)), got)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_waits_for_a_slow_machine(self):
        for number in range(300):  # far more than a socket takes: the network process holds the rest
            self.send("A", "cluster", b"%d" % number)
        got = [int(self.cards["B", "cluster"].recv(100)) for _ in range(300)]
        self.assertEqual(list(range(300)), got)

    def test_machine_dies_and_comes_back(self):
        self.assert_passes("A", "B")
        self.cards["B", "cluster"].close()
        self.send("A", "cluster", b"to nobody")
        wait_until(lambda: self.dropped("A", "B", "cluster"), 10, "frame was dropped")
        self.cards["B", "cluster"] = self.card("B", "cluster")
        self.assert_passes("B", "A")
        self.assert_passes("A", "B")

    def test_refuses_nonsense(self):
        for words in (["cut", "C", "cluster"], ["cut", "A", "nolink"], ["cut", "A", "cluster", "up"], ["slow", "A", "cluster"],
                      ["slow", "A", "cluster", "-1"], ["dance", "A", "cluster"], ["cut"]):  # fmt: skip
            self.control(*words, fails=True)

    def test_collector(self):
        class Here:
            directory = self.path

        with_collector = Collector(Here)
        self.addCleanup(with_collector.close)
        mac = bytes.fromhex("525400010203")
        arp = b"\xff" * 6 + mac + bytes.fromhex("0806 0001 0800 06 04 0001") + mac + bytes([10, 77, 3, 50]) + b"\0" * 6 + bytes([10, 77, 3, 1])
        self.send("A", "lan", arp)
        reply = self.cards["A", "lan"].recv(200)
        self.assertEqual((mac, bytes([10, 77, 3, 1])), (reply[:6], reply[28:32]))
        payload = b"mcv-guest vm1 boot-1 7 41"
        udp = (1234).to_bytes(2, "big") + (9999).to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
        ip = bytes.fromhex("4500 0000 0000 0000 40 11 0000") + bytes([10, 77, 3, 50]) + bytes([10, 77, 3, 1])
        self.send("A", "lan", reply[6:12] + mac + b"\x08\x00" + ip + udp)
        wait_until(lambda: with_collector.of("vm1"), 10, "the report arrived")
        report = with_collector.of("vm1")[0]
        self.assertEqual(("boot-1", 7, 41, "52:54:00:01:02:03"), (report.boot, report.counter, report.records, report.mac))


class Records(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="mcv-records-")
        cls.addClassCleanup(scratch.cleanup)
        cls.path = pathlib.Path(scratch.name)
        build(TOP / "tests" / "lab" / "guest" / "records.c", cls.path / "records")

    def record(self, number, boot):
        body = b"MCVREC01" + number.to_bytes(8, "little") + bytes([boot]) * 16 + b"\0" * 8 + b"vm1".ljust(32, b"\0")
        body = body.ljust(508, b"\0")
        return body + zlib.crc32(body).to_bytes(4, "little")

    def read(self, sectors):
        disk = self.path / "disk"
        disk.write_bytes(b"".join(sectors) + b"\0" * 4096)
        result = subprocess.run([self.path / "records", disk], capture_output=True, text=True)
        return result.returncode, json.loads(result.stdout)

    def test_two_boots(self):
        code, found = self.read([self.record(n, 1 if n < 4 else 2) for n in range(1, 8)])
        self.assertEqual((0, 7, 0, False, 2), (code, found["consecutive"], found["beyond"], found["mixed"], len(found["boots"])))
        self.assertEqual([], lost_records("vm1", 7, found))
        self.assertTrue(lost_records("vm1", 8, found))

    def test_hole(self):
        code, found = self.read([self.record(n, 1) if n != 3 else b"\xff" * 512 for n in range(1, 8)])
        self.assertEqual((1, 2, 4), (code, found["consecutive"], found["beyond"]))
        self.assertTrue(lost_records("vm1", 2, found))

    def test_two_at_once(self):
        code, found = self.read([self.record(n, 1 + n % 2) for n in range(1, 8)])
        self.assertEqual((1, True), (code, found["mixed"]))

    def test_empty(self):
        self.assertEqual((0, 0), (lambda code, found: (code, found["consecutive"]))(*self.read([])))


class Audit(unittest.TestCase):
    def reports(self, boots):
        return [Report(float(n), "vm1", boot, n, 0, "") for n, boot in enumerate(boots)]

    def test_double_runs(self):
        self.assertEqual([], double_runs(self.reports("aaabbbccc")))
        self.assertEqual(1, len(double_runs(self.reports("aaabab"[:5]))))
        self.assertTrue(double_runs(self.reports("abab")))

    def test_highest_record(self):
        self.assertEqual(12, highest_record("found 3 records\r\nrecord 11\r\nrecord 12\r\nrecord 1"))
        self.assertEqual(0, highest_record("no record 5"))


if __name__ == "__main__":
    unittest.main()
