#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The root file system of a node fills up to the last byte: changes are refused on both nodes, the guest goes on, the daemon
comes back after a restart, and with space again everything works as before."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from main_job import VM_OPTIONS, cmdline  # noqa: E402
from running_pair import RunningPair  # noqa: E402

# Root may take the blocks that ext4 keeps for it: every block is gone afterwards, in ever smaller pieces.
FILL = "for size in 16M 1M 64K 4K 1K; do dd if=/dev/zero of=/fill.$size bs=$size status=none; done; sync"
EMPTY = "rm -f /fill.*; sync"


class FullDisk(RunningPair):
    def durable(self):
        return max((report.records for report in self.lab.collector.of("vm1")), default=0)

    def guest_goes_on(self):
        """As heard outside the nodes: its console's log has no room either."""
        before = self.durable()
        wait_until(lambda: self.durable() > before + 10, 120, "vm1 writes on")

    def position(self, node):
        info = self.job.ask_partial(node, "info")
        return info["generation"], info["index"], info["hash"]

    def test_1_changes_are_refused_and_the_guest_goes_on(self):
        vmm = self.lab.text("A", "systemctl show -p MainPID --value mcv-vm-vm1.service")
        self.are_equal()
        before = self.position("B")
        self.lab.run("A", FILL + " 2>/dev/null", check=False, timeout=600)
        # ext4 counts blocks as free that it gives to nobody.
        more = self.lab.run("A", "dd if=/dev/zero of=/fill.more bs=4K count=1", check=False)
        self.assertIn("No space left on device", more.stderr)
        for node in ("A", "B"):
            said = self.refused(node, "disk-full", "vm", "update", "vm1", "--autostart", "on")
            self.assertIn("df -h", said)
            self.assertFalse(self.job.ask_partial(node, "vm", "info", "vm1")["autostart"])
        self.refused("A", "disk-full", "vm", "create", "vm2", *VM_OPTIONS, "--cmdline", cmdline("vm2"))
        self.assertNotIn("vm2", self.lab.text("A", "lvs --noheadings -o lv_name"))
        self.guest_goes_on()
        self.lab.run("A", "systemctl restart mcvd")
        self.lab.expect("A", "hvctl vm list", lambda text: "running" in text, 120, "mcvd is back on a full disk")
        self.guest_goes_on()
        self.lab.expect("A", "hvctl info", lambda text: "connected" in text, 120, "the nodes share the configuration")
        self.assertEqual(before, self.position("A"))
        self.assertEqual(before, self.position("B"))
        self.assertEqual(vmm, self.lab.text("A", "systemctl show -p MainPID --value mcv-vm-vm1.service"))

    def test_2_with_space_again_everything_works(self):
        self.lab.run("A", EMPTY)
        self.job.hvctl("B", "vm", "update", "vm1", "--autostart", "on")
        self.are_equal()
        for node in ("A", "B"):
            self.assertTrue(self.job.vm(node)["autostart"])
        self.guest_goes_on()
        self.job.migrate()
        self.job.verify()


if __name__ == "__main__":
    unittest.main()
