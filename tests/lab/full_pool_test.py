#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The storage pool of one node fills up to the last block under a guest that writes: of the node with the other copy, then of the one
that runs it. The guest goes on without a hold, with the largest gap between records; the copy that is left behind is opened by no word,
also after a reboot; room again, attached by its command, and a clean verify."""

import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from main_job import MainJob  # noqa: E402
from running_pair import RunningPair  # noqa: E402

POOL = "vg0/mcv-fast"
FILLER = "vg0/filler"
LONGEST_GAP = 30  # seconds, emulated: the kernel gives a disk up within milliseconds; 60 is what a pool that queues would cost


class SmallPool(MainJob):
    def storage_and_network(self):
        self.hvctl("A", "storage", "create", "fast", "--vg", "vg0", "--thin", "--size", "1G")
        self.hvctl("A", "drbd", "enable")
        self.hvctl("A", "network", "create", "lan", "--bridge", "br0")


class FullPool(RunningPair):
    job_type = SmallPool

    def fill(self, node):
        """Until nothing is left: what the guest writes to a block that was never written needs room."""
        self.lab.run(node, f"lvcreate --yes --type thin --virtualsize 4G --name filler --thinpool {POOL} && udevadm settle", timeout=120)
        self.lab.run(node, f"dd if=/dev/zero of=/dev/{FILLER} bs=1M oflag=direct status=none", check=False, timeout=1200)
        self.lab.expect(node, f"lvs --noheadings -o data_percent {POOL}", lambda text: float(text) > 99.9, 120, f"the pool of {node} is full")

    def empty(self, node):
        self.lab.run(node, f"lvremove --yes {FILLER}", timeout=120)

    def durable(self):
        return max((report.records for report in self.lab.collector.of("vm1")), default=0)

    def goes_on(self):
        before = self.durable()
        wait_until(lambda: self.durable() > before + 10, 120, "vm1 writes on")

    def states(self, node):
        volume = self.volume(node)
        return volume["disk"], volume["peer_disk"]

    def lose(self, node, since):
        """As both nodes show it, and what the guest noticed of it."""
        other = "B" if node == "A" else "A"
        # As many records as a block of the pool holds, and more.
        wait_until(lambda: self.states(node)[0] == "Diskless" and self.states(other)[1] == "Diskless", 600, f"DRBD gives the disk on {node} up")
        self.goes_on()
        self.assertFalse(self.is_held("A"))
        gap = self.largest_gap_heard(since)
        print(f"pool of {node} full, guest on A: largest gap between records {gap:.2f} s", file=sys.stderr, flush=True)
        self.assertLess(gap, LONGEST_GAP)
        for asked in ("A", "B"):
            info = self.said(asked, "info")
            self.assertIn(f"DRBD gave the disk of vm1-0 on {node} up", info)
            self.assertIn("hvctl drbd attach vm1", info)
            self.assertIn("fills up", info)
            self.lab.expect(asked, "journalctl -b -u mcvd -o cat --no-pager", lambda text: f"DRBD gave the disk of vm1-0 on {node} up" in text, 60)

    def attach(self, node):
        full = self.job.hvctl("A", "drbd", "attach", "vm1", check=False)
        self.assertNotEqual(0, full.returncode, "the pool is still full")
        self.assertIn("lvextend", full.stdout + full.stderr)
        self.assertEqual("Diskless", self.states(node)[0])
        self.empty(node)
        self.job.hvctl("B", "drbd", "attach", "vm1", timeout=1800)
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 600, "both copies are up to date")
        self.goes_on()
        for asked in ("A", "B"):
            wait_until(lambda asked=asked: "DRBD gave the disk" not in self.said(asked, "info"), 60, f"{asked} warns no more")
        self.job.verify("A")

    def test_1_the_pool_of_the_other_copy(self):
        since = time.monotonic()
        self.fill("B")
        self.lose("B", since)
        self.attach("B")

    def test_2_the_pool_under_the_guest(self):
        since = time.monotonic()
        self.fill("A")
        self.lose("A", since)
        self.attach("A")

    def test_3_what_was_left_behind_is_opened_by_no_word(self):
        since = time.monotonic()
        self.fill("B")
        self.lose("B", since)
        self.empty("B")
        # Both without power; the one with the older copy comes back alone.
        self.lab.kill("A")
        self.lab.kill("B")
        written = self.durable()
        self.lab.start("B")
        wait_until(lambda: self.states("B")[0] != "Diskless", 180, "the leg on B is attached")
        print(f"the leg that was left behind, after a reboot: {self.states('B')}", file=sys.stderr, flush=True)
        self.sees_no_other("B", "A")
        said = self.confirm_down("B", "A")
        self.assertIn("vm1-0 stays closed", said)
        self.refused("B", "disk-not-up-to-date", "vm", "start", "vm1")
        self.runs_no_guest("B")
        self.lab.start("A")
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 900, "A has everything, and B is copied from it")
        self.are_equal()
        self.job.hvctl("A", "vm", "start", "vm1")
        wait_until(lambda: self.durable() > written + 2, 600, "vm1 goes on after what it was told is there")
        self.job.verify("A")


if __name__ == "__main__":
    unittest.main()
