# SPDX-License-Identifier: Apache-2.0
"""Nodes are rebooted and powered off in order, either of them: the other one writes on without a pause and needs nobody's word.

No acknowledged record is lost, nothing is confirmed by hand, and who left is back by itself. The same under either policy.
"""

import re
import sys
import time

from harness import wait_until
from running_pair import RunningPair

CONSOLE = "/var/log/mcv/console/vm1.log"
BOOT = "cat /proc/sys/kernel/random/boot_id"
# A hold is in the kernel's log, however short it was.
HOLDS = "journalctl -b -k --no-pager | grep -c 'susp( 0 -> 1 )'"


class Leaving(RunningPair):
    def are_one_again(self):
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 300, "both copies are equal again", interval=1)
        for node in ("A", "B"):
            self.lab.expect(node, "hvctl info", lambda text: "connected" in text and "left in order" not in text, 180, "the nodes share the configuration again")
        self.are_equal()

    def says_that_it_left(self, stays, leaver):
        info = self.lab.expect(stays, "hvctl info", lambda text: f"{leaver} left in order, since" in text, 180, f"{stays} shows that {leaver} left")
        self.assertNotIn("does not answer", info)
        # What is known to be away is no failure.
        self.assertEqual(0, self.lab.run(stays, ["hvctl", "node", "list"], check=False).returncode)
        wait_until(lambda: "changes are stored on one node" in self.lab.run(stays, ["hvctl", "info"], check=False).stdout, 60, f"{stays} decides alone")
        # Let go on, not gone on by itself.
        self.assertNotIn("runs alone since", self.said(stays, "info"))

    def holds(self, node):
        return self.lab.run(node, HOLDS, check=False).stdout

    def largest_gap_while(self, what, since):
        gap = self.largest_gap_heard(since)
        print(f"largest gap between acknowledged records, {what}: {gap:.2f} s", file=sys.stderr, flush=True)
        return gap

    def finds_all(self, node, announced, on):
        found = int(re.findall(r"found (\d+) records", self.lab.text(node, f"cat {CONSOLE}"))[-1])
        self.assertGreaterEqual(found, announced, f"record {announced} was acknowledged on {on}, {found} were there on {node}")

    def is_off(self, node):
        wait_until(lambda: self.lab.run(node, "true", check=False, timeout=10).returncode == 255, 120, f"{node} is off", interval=1)

    def test_2_the_idle_node_is_rebooted(self):
        first_boot, holds, before, since = self.lab.text("B", BOOT), self.holds("A"), self.job.records("A"), time.monotonic()
        self.lab.run("B", "systemctl reboot", check=False)
        self.says_that_it_left("A", "B")
        self.job.writes_on("A", before)
        wait_until(lambda: self.lab.text("B", BOOT) != first_boot, 600, "B has booted again", interval=2)
        self.are_one_again()
        self.largest_gap_while("the idle node is rebooted", since)
        self.assertEqual(holds, self.holds("A"), "A held writes")
        self.job.writes_on("A", self.job.records("A"))

    def test_3_the_node_with_the_guest_is_powered_off(self):
        since = time.monotonic()
        self.lab.run("A", "systemctl poweroff", check=False)
        self.says_that_it_left("B", "A")
        self.is_off("A")
        # Nobody confirmed anything.
        self.job.hvctl("B", "vm", "start", "vm1")
        self.assertEqual("B", self.job.ask_partial("B", "vm", "info", "vm1")["owner"])
        written = self.job.writes_on("B", 0)
        self.largest_gap_while("the guest's node is powered off and vm1 started on the other one", since)
        self.job.hvctl("B", "vm", "update", "vm1", "--autostart", "on")
        self.lab.start("A")
        self.are_one_again()
        # In order: the guest was asked to, and everything it was told before that is there.
        self.assertIn("powering off", self.lab.text("A", f"cat {CONSOLE}"))
        self.finds_all("B", self.job.records("A"), "A")
        self.runs_no_guest("A")
        self.assertTrue(self.job.ask("A", "vm", "info", "vm1")["autostart"])
        self.job.writes_on("B", written)

    def test_4_the_idle_node_is_powered_off(self):
        holds, before, since = self.holds("B"), self.job.records("B"), time.monotonic()
        self.lab.run("A", "systemctl poweroff", check=False)
        self.says_that_it_left("B", "A")
        self.is_off("A")
        before = self.job.writes_on("B", before)
        self.lab.start("A")
        self.are_one_again()
        self.largest_gap_while("the idle node is powered off and back", since)
        self.assertEqual(holds, self.holds("B"), "B held writes")
        self.job.writes_on("B", before)

    def test_5_the_node_with_the_guest_is_rebooted(self):
        """Nobody takes its VM over meanwhile: it is started again where it was, with everything it was told."""
        first_boot, holds, since = self.lab.text("B", BOOT), self.holds("A"), time.monotonic()
        self.lab.run("B", "systemctl reboot", check=False)
        self.says_that_it_left("A", "B")
        self.runs_no_guest("A")
        wait_until(lambda: self.lab.text("B", BOOT) != first_boot, 600, "B has booted again", interval=2)
        announced = max(int(n) for n in re.findall(r"record (\d+)", self.lab.text("B", f"cat {CONSOLE}").partition("powering off")[0]))
        self.are_one_again()
        self.assertEqual("B", self.job.ask("A", "vm", "info", "vm1")["owner"])
        self.job.start("B")
        self.finds_all("B", announced, "B")
        self.largest_gap_while("the guest's node is rebooted and vm1 started there again", since)
        self.assertEqual(holds, self.holds("A"), "A held writes")
        self.runs_no_guest("A")
        self.job.verify("B")
