#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One node is really powered off, and a person says so: its VM goes on here, and what comes back becomes the good secondary.

No acknowledged record is lost on the way, and nobody starts anything before the two facts were typed.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402


class TakeOver(RunningPair):
    def comes_back(self, returned, survivor, written):
        self.lab.start(returned)
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 300, "both copies are equal again", interval=2)
        self.lab.expect(survivor, "hvctl info", lambda text: "connected" in text, 180, "the nodes share the configuration again")
        self.are_equal()
        self.job.writes_on(survivor, written)
        self.job.verify(survivor)

    def test_1_a_node_that_lives_is_not_confirmed_down(self):
        self.refused("B", "peer-answers", "cluster", "confirm-down", "A", "--yes")
        self.lab.cut("B", "cluster")
        wait_until(lambda: self.lab.run("B", ["hvctl", "info"], check=False).returncode == 22, 120, "B sees that A does not answer")
        self.refused("B", "peer-answers", "cluster", "confirm-down", "A", "--yes")
        self.lab.heal()
        self.lab.expect("A", "hvctl info", lambda text: "connected" in text, 180, "the nodes share the configuration again")
        self.job.writes_on("A", self.job.records("A"))

    def test_2_the_node_with_the_guest_is_powered_off(self):
        announced = self.job.records("A")
        self.lab.kill("A")
        wait_until(lambda: self.lab.run("B", ["hvctl", "info"], check=False).returncode == 22, 120, "B sees that A is away")
        self.assertIn("hvctl cluster confirm-down A", self.refused("B", "peer-unreachable", "vm", "start", "vm1"))
        self.confirm_down("B", "A")
        self.refused("B", "authority-taken", "cluster", "confirm-down", "A", "--yes")
        self.job.hvctl("B", "vm", "start", "vm1")
        self.assertEqual("B", self.job.ask_partial("B", "vm", "info", "vm1")["owner"])
        written = self.job.writes_on("B", announced)
        self.assertGreater(written, announced, "the guest went on where it had said it was")
        # Shared changes are stored on this node alone, and the other one learns of them.
        self.job.hvctl("B", "vm", "update", "vm1", "--autostart", "on")
        self.comes_back("A", "B", written)
        self.assertEqual("", self.lab.text("A", "systemctl list-units --plain --no-legend 'mcv-vm-*'"))
        self.assertTrue(self.job.ask("A", "vm", "info", "vm1")["autostart"])

    def test_3_the_other_node_is_powered_off(self):
        self.lab.kill("A")
        wait_until(lambda: self.volume("B")["suspended"] != "no", 120, "B holds writes", interval=1)
        held_at = self.job.records("B")
        self.confirm_down("B", "A")
        written = self.job.writes_on("B", held_at)
        self.assertEqual("no", self.volume("B")["suspended"])
        self.comes_back("A", "B", written)

    def test_4_the_survivor_boots_alone(self):
        """It starts nothing by itself, nor when told to, before the facts were typed again."""
        announced = self.job.records("B")
        self.lab.kill("A")
        self.confirm_down("B", "A")
        written = self.job.writes_on("B", announced)
        self.lab.kill("B")
        self.lab.start("B")
        self.lab.expect("B", "hvctl info", lambda text: "nothing replicated starts by itself" in text, 180, "B says why it starts nothing")
        self.assertEqual("", self.lab.text("B", "systemctl list-units --plain --no-legend 'mcv-vm-*'"))
        wait_until(lambda: self.volume("B")["disk"] in ("UpToDate", "Consistent"), 120, "B's leg is up", interval=1)
        # By the kernel's word the copy is current or not known to be: closed either way.
        codes = ("no-authority", "disk-not-up-to-date")
        self.assertIn("hvctl cluster confirm-down A", self.refused("B", codes, "vm", "start", "vm1"))
        self.confirm_down("B", "A")
        self.job.hvctl("B", "vm", "start", "vm1")
        self.comes_back("A", "B", self.job.writes_on("B", written))


if __name__ == "__main__":
    unittest.main()
