#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nodes are rebooted and powered off in order: the other one writes on without a pause and needs nobody's word.

No acknowledged record is lost, nothing is confirmed by hand, and who left is back by itself.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

CONSOLE = "/var/log/mcv/console/vm1.log"
# What the guest was told is on both disks, and when this was seen: "UPTIME NUMBER" a line.
WATCH = f"while sleep 0.1; do read up rest </proc/uptime; echo $up $(tail -c 400 {CONSOLE} | grep -ao 'record [0-9]*' | tail -n 1); done >/run/watch.log"
# A hold is in the kernel's log, however short it was.
HOLDS = "journalctl -b -k --no-pager | grep -c 'susp( 0 -> 1 )'"


def largest_gap(log):
    """Seconds between two looks at which the highest record had grown."""
    seen = [(float(up), int(number)) for up, number in re.findall(r"^([0-9.]+) record ([0-9]+)$", log, re.MULTILINE)]
    grown = [seen[0][0]] + [now for (_, before), (now, number) in zip(seen, seen[1:]) if number > before]
    return max(later - earlier for earlier, later in zip(grown, grown[1:] + [seen[-1][0]]))


class Leave(RunningPair):
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

    def test_1_stopping_or_asking_is_no_leave(self):
        refused = self.lab.run("B", ["hvctl", "node", "leave"], check=False)
        self.assertNotEqual(0, refused.returncode, refused.stdout)
        self.assertIn("[not-confirmed]", refused.stderr)
        self.lab.run("B", "systemctl restart mcvd")
        self.lab.run("B", "systemctl stop mcv-leave && systemctl start mcv-leave")
        self.lab.expect("A", "hvctl info", lambda text: "connected" in text, 60, "the nodes share the configuration")
        self.assertNotIn("left in order", self.lab.run("A", ["hvctl", "info"], check=False).stdout)

    def test_2_the_idle_node_is_rebooted(self):
        boot = "cat /proc/sys/kernel/random/boot_id"
        first_boot = self.lab.text("B", boot)
        holds = self.lab.run("A", HOLDS, check=False).stdout
        before = self.job.records("A")
        self.lab.run("A", ["systemd-run", "--unit=watch", "sh", "-c", WATCH])
        self.lab.run("B", "systemctl reboot", check=False)
        self.says_that_it_left("A", "B")
        self.job.writes_on("A", before)
        wait_until(lambda: self.lab.text("B", boot) != first_boot, 600, "B has booted again", interval=2)
        self.are_one_again()
        self.lab.run("A", "systemctl stop watch")
        gap = largest_gap(self.lab.text("A", "cat /run/watch.log"))
        print(f"largest gap between acknowledged records while B was rebooted: {gap:.2f} s", file=sys.stderr)
        self.assertEqual(holds, self.lab.run("A", HOLDS, check=False).stdout, "A held writes")
        self.job.writes_on("A", self.job.records("A"))

    def test_3_the_node_with_the_guest_is_powered_off(self):
        self.lab.run("A", "systemctl poweroff", check=False)
        self.says_that_it_left("B", "A")
        wait_until(lambda: self.lab.run("A", "true", check=False, timeout=10).returncode == 255, 120, "A is off", interval=1)
        # Nobody confirmed anything.
        self.job.hvctl("B", "vm", "start", "vm1")
        self.assertEqual("B", self.job.ask_partial("B", "vm", "info", "vm1")["owner"])
        written = self.job.writes_on("B", 0)
        self.job.hvctl("B", "vm", "update", "vm1", "--autostart", "on")
        self.lab.start("A")
        self.are_one_again()
        # In order: the guest was asked to, and everything it was told before that is there.
        console = self.lab.text("A", f"cat {CONSOLE}")
        self.assertIn("powering off", console)
        announced = self.job.records("A")
        found = int(re.findall(r"found (\d+) records", self.lab.text("B", f"cat {CONSOLE}"))[-1])
        self.assertGreaterEqual(found, announced, f"record {announced} was acknowledged on A, {found} were there on B")
        self.assertEqual("", self.lab.text("A", "systemctl list-units --plain --no-legend 'mcv-vm-*'"))
        self.assertTrue(self.job.ask("A", "vm", "info", "vm1")["autostart"])
        self.job.writes_on("B", written)


if __name__ == "__main__":
    unittest.main()
