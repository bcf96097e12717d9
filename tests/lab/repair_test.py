#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What changes behind DRBD's back, on either copy, with the VM running and off: found, counted, gated, repaired by one command, and what
was overwritten still there until a clean verify."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

LV = "/dev/vg0/mcv-vm1-0"
BLOCK = 30000  # of 4 KiB; the guest's records are far below


class Repair(RunningPair):
    def block(self, node, device=LV):
        """What is on the leg itself, past every cache."""
        return self.lab.text(node, f"dd if={device} bs=4096 count=1 skip={BLOCK} iflag=direct status=none | sha256sum").split()[0]

    def corrupt(self, node):
        """Returns what that block was on the other copy, and what it is here now."""
        good = self.block("B" if node == "A" else "A")
        self.lab.run(node, f"dd if=/dev/urandom of={LV} bs=4096 count=1 seek={BLOCK} oflag=direct conv=notrunc status=none")
        bad = self.block(node)
        self.assertNotEqual(good, bad)
        return good, bad

    def found(self):
        result = self.job.hvctl("A", "verify", "vm1", check=False, timeout=1800)
        self.assertEqual(20, result.returncode, result.stdout + result.stderr)
        for node in ("A", "B"):
            self.assertEqual("mismatch", self.volume(node)["verdict"]["kind"])

    def gated(self, *words):
        text = self.refused("A", "verify-gate", *words)
        self.assertIn("hvctl resync vm1", text)
        self.assertIn("hvctl verify vm1", text)

    def snapshot(self):
        [snapshot] = self.job.ask("A", "storage", "list-snapshots")["snapshots"]
        return snapshot

    def in_snapshot(self):
        """The block as the repair found it."""
        snapshot = self.snapshot()
        path = f"{snapshot['volume_group']}/{snapshot['name']}"
        self.lab.run(snapshot["node"], f"lvchange --activate y --ignoreactivationskip {path} && udevadm settle")
        try:
            return snapshot["node"], self.block(snapshot["node"], f"/dev/{path}")
        finally:
            self.lab.run(snapshot["node"], f"lvchange --activate n {path}")

    def repaired(self, good, bad, target):
        self.assertEqual((good, good), (self.block("A"), self.block("B")))
        self.assertEqual((target, bad), self.in_snapshot())

    def proven(self):
        self.job.verify("B")
        wait_until(lambda: not self.job.ask("B", "storage", "list-snapshots")["snapshots"], 60, "the clean verify deletes the snapshot")

    def test_1_a_running_guest_and_the_other_copy(self):
        good, bad = self.corrupt("B")
        self.found()
        self.gated("migrate", "--node", "B", "vm1", "--wait-for-shutdown")
        shown = self.said("B", "resync", "vm1", "--dry-run")
        self.assertIn("vm1-0: 4 KiB (1 block) are copied from A to B (it is Primary on A)", shown)
        self.assertEqual(bad, self.block("B"), "a dry run copies nothing")
        before = self.job.records("A")
        self.job.hvctl("B", "resync", "vm1")
        self.job.writes_on("A", before)
        self.assertTrue(self.is_redundant("A"))
        self.repaired(good, bad, "B")
        self.gated("migrate", "--node", "B", "vm1", "--wait-for-shutdown")
        self.proven()

    def test_2_the_copy_a_guest_works_on_is_not_overwritten(self):
        good, bad = self.corrupt("A")
        self.found()
        self.refused("A", "peer-is-primary", "resync", "--source", "B", "vm1", "--yes")
        self.assertEqual((bad, good), (self.block("A"), self.block("B")))
        self.job.hvctl("A", "vm", "reset", "vm1")  # in place: allowed, with an alarm
        self.lab.expect("A", "journalctl -b -u mcvd -o cat --no-pager", lambda text: "alarm: vm1 is restarted in place" in text, 30)
        self.job.hvctl("A", "vm", "stop", "vm1")
        self.gated("vm", "start", "vm1")
        # A was its last Primary: B's side is taken only by a word.
        self.refused("A", "not-confirmed", "resync", "--source", "B", "vm1")
        self.assertEqual(bad, self.block("A"))
        self.job.hvctl("A", "resync", "--source", "B", "vm1", "--yes")
        self.repaired(good, bad, "A")
        self.assertEqual("Secondary", self.volume("A")["role"])
        self.assertEqual("Secondary", self.volume("B")["role"])
        self.proven()
        self.job.start("A")

    def test_3_a_guest_that_is_off(self):
        self.job.hvctl("A", "vm", "stop", "vm1")
        good, bad = self.corrupt("B")
        self.found()
        self.gated("vm", "start", "vm1")
        self.job.hvctl("A", "resync", "vm1")
        self.repaired(good, bad, "B")
        self.proven()

    def test_4_everything_is_copied_although_the_target_loses_power(self):
        self.job.start("A")
        good, bad = self.corrupt("B")  # no verify saw it: nothing is marked
        self.refused("A", "bad-request", "resync", "vm1")
        self.job.hvctl("A", "resync", "--full", "--no-wait", "vm1")
        copying = ("SyncSource", "PausedSync")
        wait_until(lambda: self.volume("A")["replication"] in copying or self.block("B") == good, 120, "the copy has begun")
        before = self.job.records("A")
        self.lab.kill("B")
        self.lab.start("B")
        self.are_equal()
        self.job.hvctl("A", "resync", "--follow", "vm1", timeout=1800)
        self.assertTrue(self.is_redundant("A"))
        self.job.writes_on("A", before)
        self.repaired(good, bad, "B")
        self.proven()

    def test_5_a_thick_pool(self):
        self.job.hvctl("A", "storage", "create", "slow", "--vg", "vg0")
        options = ["--cpus", "1", "--memory", "128M", "--disk-size", "64M", "--storage-type", "drbd", "--storage", "slow", "--network", "lan"]
        self.job.hvctl("A", "vm", "create", "vm2", *options, "--kernel", "/usr/share/mcv-lab/guest/vmlinuz", "--initramfs", "/usr/share/mcv-lab/guest/initramfs")
        for node in ("A", "B"):
            self.lab.run(node, "test -b /dev/vg0/mcv-vm2-0")
        self.lab.run("B", "dd if=/dev/urandom of=/dev/vg0/mcv-vm2-0 bs=4096 count=2 seek=100 oflag=direct conv=notrunc status=none")
        self.assertEqual(20, self.job.hvctl("A", "verify", "vm2", check=False, timeout=1800).returncode)
        # It was never started: nobody wrote last, so somebody has to say.
        self.refused("A", "not-confirmed", "resync", "vm2")
        self.job.hvctl("A", "resync", "--source", "A", "vm2", "--yes")
        snapshot = self.snapshot()
        self.assertEqual(("vm2-0", "B"), (snapshot["volume"], snapshot["node"]))
        self.assertIn("mcv.snapshot", self.lab.text("B", f"lvs --noheadings -o lv_tags vg0/{snapshot['name']}"))
        self.job.hvctl("A", "verify", "vm2", timeout=1800)
        wait_until(lambda: not self.job.ask("A", "storage", "list-snapshots")["snapshots"], 60, "the clean verify deletes the snapshot")
        self.job.hvctl("A", "vm", "delete", "vm2", "--yes")
        self.job.hvctl("A", "storage", "delete", "slow", "--yes")


if __name__ == "__main__":
    unittest.main()
