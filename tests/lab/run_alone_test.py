#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The policy run-alone: who loses the other node writes on, on one copy. What that may lose is announced, and nothing else is lost.

Only the last step loses records: they were written on one copy, that node was lost, and the older copy was accepted by name. When
the lost node comes back both copies are there, and a person gives up one.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from runs_alone import RunsAlone  # noqa: E402


class RunAlone(RunsAlone):
    def test_1_the_other_node_loses_power(self):
        self.assertIn("run-alone", self.said("B", "info"))
        self.job.stamp_records("A")
        before = self.job.writes_on("A", self.job.records("A"))
        self.lab.kill("B")
        self.runs_alone("A", before, "secondary's power cut")
        self.lab.expect("A", "journalctl -b -k --no-pager", lambda text: re.search(r"fence-peer .*exit code 5", text), 60, "the kernel was told that B is unreachable")
        # The policy is no authority.
        self.refused("A", "peer-unreachable", "network", "create", "other", "--bridge", "br0")
        self.refused("A", "no-authority", "cluster", "accept-copy", "vm1-0", "--yes")
        self.lab.start("B")
        self.comes_together()
        self.job.writes_on("A", self.job.records("A"))
        self.job.verify("A")

    def test_2_the_node_with_the_guest_loses_power(self):
        announced = self.job.records("A")
        self.lab.kill("A")
        wait_until(lambda: self.lab.run("B", ["hvctl", "info"], check=False).returncode == 22, 120, "B sees that A is away")
        self.refused("B", "peer-unreachable", "vm", "start", "vm1")
        self.refused("B", "no-authority", "cluster", "accept-copy", "vm1-0", "--yes")
        self.assertIn("vm1-0 stays closed: the policy run-alone let A go on", self.confirm_down("B", "A"))
        self.assertIn("hvctl cluster accept-copy vm1-0", self.refused("B", "disk-not-up-to-date", "vm", "start", "vm1"))
        self.assertEqual("", self.lab.text("B", "systemctl list-units --plain --no-legend 'mcv-vm-*'"))
        self.refused("B", "not-confirmed", "cluster", "accept-copy", "vm1-0")
        self.assertIn("A keeps its own record of vm1-0", self.said("B", "cluster", "accept-copy", "vm1-0", "--yes"))
        self.job.hvctl("B", "vm", "start", "vm1")
        written = self.job.writes_on("B", announced)
        self.assertGreater(written, announced, "A had no time to go on alone: nothing is missing")
        self.lab.start("A")
        self.comes_together()
        self.assertEqual("", self.lab.text("A", "systemctl list-units --plain --no-legend 'mcv-vm-*'"))
        self.job.writes_on("B", written)
        self.job.verify("B")

    def test_3_two_copies_are_kept_until_a_person_chooses(self):
        for link in ("cluster", "drbd"):
            self.lab.cut("A", link)
        wait_until(lambda: "vm1-0 runs alone since" in self.said("B", "info"), 120, "B goes on alone", interval=1)
        alone_at = self.job.records("B")
        lost = self.job.writes_on("B", alone_at)
        self.lab.kill("B")
        self.confirm_down("A", "B")
        self.job.hvctl("A", "cluster", "accept-copy", "vm1-0", "--yes")
        self.job.hvctl("A", "vm", "start", "vm1")
        wait_until(lambda: self.job.ask_partial("A", "vm", "info", "vm1")["state"] == "running", 120, "vm1 runs on the older copy")
        self.lab.heal()
        self.lab.start("B")
        for node in ("A", "B"):
            wait_until(lambda node=node: "vm1-0 has two copies" in self.said(node, "info"), 300, f"{node} says that there are two copies", interval=2)
        self.assertEqual("", self.lab.text("B", "systemctl list-units --plain --no-legend 'mcv-vm-*'"))
        self.assertNotEqual("connected", self.volume("A")["connection"].lower())
        # Nothing was discarded: what B wrote alone is on its disk.
        records = self.lab.text("B", "blockdev --flushbufs /dev/vg0/mcv-vm1-0 && /usr/share/mcv-lab/guest/records /dev/vg0/mcv-vm1-0 || true")
        self.assertGreaterEqual(int(re.search(r'"consecutive": *(\d+)', records).group(1)), lost)
        self.lab.run("B", re.search(r"on B: (drbdadm disconnect mcv-vm1-0; drbdadm connect --discard-my-data mcv-vm1-0)", self.said("B", "info")).group(1))
        self.comes_together()
        # The guest goes on past what was given up, for the auditor of the disks.
        wait_until(lambda: self.job.records("A") > lost + 2, 600, "vm1 writes on", interval=2)
        self.job.verify("A")


if __name__ == "__main__":
    unittest.main()
