#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The policy freeze, and every link between the nodes is cut while both live: what is held waits, and one false word loses nothing.

The guest's node is cut off from the guest LAN as well: a guest whose writes are held goes on talking, and whoever hears two of
them cannot know that one of them writes nothing.
"""

import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

LINKS = ("cluster", "drbd", "lan")


class Partition(RunningPair):
    def is_cut_off(self, node):
        for link in LINKS:
            self.lab.cut(node, link)

    def holds_from_now(self, node):
        wait_until(lambda: self.is_held(node), 120, f"{node} holds writes", interval=1)
        return self.job.records(node)

    def test_1_what_is_held_waits_for_the_links(self):
        since = time.monotonic()
        self.is_cut_off("A")
        held_at = self.holds_from_now("A")
        for node, other in (("A", "B"), ("B", "A")):
            self.sees_no_other(node, other)
        self.refused("B", "peer-unreachable", "vm", "start", "vm1")
        self.refused("A", "peer-unreachable", "network", "create", "other", "--bridge", "br0")
        self.assertIn("writes to vm1-0 are held", self.said("A", "info"))
        self.assertTrue(self.is_held("A"))
        self.assertLessEqual(self.job.records("A"), held_at + 1)
        self.runs_no_guest("B")
        self.lab.heal()
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 300, "both copies are current again", interval=2)
        self.job.writes_on("A", held_at)
        self.are_equal()
        print(f"freeze, all links cut and healed: the largest gap between two acknowledged records was {self.largest_gap_heard(since):.1f} s", file=sys.stderr, flush=True)
        self.job.verify("A")

    def test_2_a_node_that_lives_is_confirmed_down(self):
        """B goes on with what A's guest was told last; A's guest can write no more, and is ended when A learns of it."""
        self.is_cut_off("A")
        held_at = self.holds_from_now("A")
        self.confirm_down("B", "A")
        self.job.hvctl("B", "vm", "start", "vm1")
        written = self.job.writes_on("B", held_at)
        found = int(re.findall(r"found (\d+) records", self.lab.text("B", "cat /var/log/mcv/console/vm1.log"))[-1])
        self.assertGreaterEqual(found, held_at, f"record {held_at} was acknowledged on A, {found} were there on B")
        self.assertTrue(self.is_held("A"))
        # A write that was on its way when the link was cut may be told as done by nobody.
        self.assertLessEqual(self.job.records("A"), found)
        boot = "cat /proc/sys/kernel/random/boot_id"
        first_boot = self.lab.text("A", boot)
        for link in ("cluster", "drbd"):
            self.lab.heal("A", link)

        def is_ended():
            return self.lab.text("A", "systemctl list-units --plain --no-legend 'mcv-vm-*'") == ""

        wait_until(is_ended, 400, "A ends its guest, or itself where the guest cannot be ended", interval=2)
        was_reset = self.lab.text("A", boot) != first_boot
        print(f"the guest on A was ended{' by a reset of A' if was_reset else ''}", file=sys.stderr, flush=True)
        self.assertLessEqual(self.job.records("A"), found)
        self.lab.heal()
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 400, "both copies are equal again", interval=2)
        self.are_equal()
        self.assertEqual("B", self.job.ask("A", "vm", "info", "vm1")["owner"])
        self.job.writes_on("B", written)
        self.job.verify("B")


if __name__ == "__main__":
    unittest.main()
