#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks that change what they are, and disks that are deleted while a node is away, on real LVM and DRBD.

A local disk becomes replicated where it is and local again, with every record of its guest. A VM that is deleted while the other node
has no power is gone from that node when it is back; the copy of another one that was written to there by hand meanwhile is kept.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

# By hand, with DRBD's own commands, on a node whose mcvd does not run: this copy goes its own way.
WRITE_APART = "drbdadm up {0} && drbdadm primary --force {0} && dd if=/dev/urandom of=/dev/drbd{1} bs=4096 count=1 seek=9 oflag=direct status=none && drbdadm secondary {0} && drbdadm down {0}"


class VolumeLife(RunningPair):
    # --- what is seen ---
    def volumes_of(self, node, name):
        """Logical volumes with the VM's name."""
        names = self.lab.text(node, "lvs --noheadings -o lv_name vg0").split()
        return sorted(volume for volume in names if volume.startswith(f"mcv-{name}-"))

    def disk_of(self, node, name):
        return next(volume for volume in self.job.ask_partial(node, "drbd", "list")["volumes"] if volume["vm"] == name)

    def orphans(self, node):
        return [(one["node"], one["name"], one["kind"]) for one in self.job.ask_partial(node, "storage", "list-orphans")["orphans"]]

    def is_redundant_again(self):
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 600, "both copies are up to date")

    def stop(self, node, name):
        self.job.hvctl(node, "vm", "kill", name)
        wait_until(lambda: self.job.vm(node, name)["state"] == "stopped", 120, f"{name} is stopped")

    # --- replicated or local ---
    def test_1_a_local_disk_becomes_replicated_where_it_is(self):
        self.job.create_local("plain")
        self.job.start(name="plain")
        self.refused("A", "guest-running", "vm", "update", "plain", "--storage-type", "drbd")
        self.stop("A", "plain")
        written = self.job.records("A", "plain")
        self.job.hvctl("A", "vm", "update", "plain", "--storage-type", "drbd", timeout=1800)
        # At once, while the other copy is being filled.
        self.job.start(name="plain")
        self.assertGreater(self.job.records("A", "plain"), written)
        self.job.hvctl("A", "resync", "--follow", "plain", timeout=1800)
        for node in ("A", "B"):
            wait_until(lambda node=node: (self.disk_of(node, "plain")["disk"], self.disk_of(node, "plain")["peer_disk"]) == ("UpToDate", "UpToDate"), 300, f"plain is redundant on {node}")
        self.assertEqual(0, self.job.hvctl("B", "verify", "plain", timeout=1800).returncode)

    def test_2_it_is_opened_on_the_other_node_with_all_that_was_written(self):
        self.stop("A", "plain")
        written = self.job.records("A", "plain")
        self.job.hvctl("A", "migrate", "--node", "B", "plain", timeout=900)
        self.job.hvctl("B", "vm", "start", "plain")
        # The guest counts on from what it reads on its disk.
        self.assertGreater(self.job.writes_on("B", written, "plain"), written)

    def test_3_and_local_again(self):
        self.stop("B", "plain")
        written = self.job.records("B", "plain")
        self.job.hvctl("A", "vm", "update", "plain", "--storage-type", "local", timeout=900)
        self.assertEqual([], self.volumes_of("A", "plain"))
        self.assertEqual(["mcv-plain-0"], self.volumes_of("B", "plain"))
        self.assertNotIn("mcv-plain-0", self.lab.text("B", "drbdsetup status"))
        self.job.hvctl("B", "vm", "start", "plain")
        self.assertGreater(self.job.writes_on("B", written, "plain"), written)
        self.stop("B", "plain")
        self.job.hvctl("B", "vm", "delete", "plain", "--yes")

    # --- deleted while the other node is away ---
    def test_4_what_was_deleted_meanwhile_goes_when_the_node_is_back(self):
        for name in ("gone", "apart"):
            self.job.create(name)
            self.job.start(name=name)
            self.stop("A", name)
        minor = self.disk_of("B", "apart")["minor"]
        self.lab.run("B", "systemctl disable mcvd && sync")  # a power cut follows
        self.lab.kill("B")
        self.sees_no_other("A", "B")
        self.confirm_down("A", "B")
        for name in ("gone", "apart"):
            self.job.hvctl("A", "vm", "delete", name, "--yes")
            self.assertEqual([], self.volumes_of("A", name))
            self.assertIn(f"{name}-0 was deleted while B was away", self.said("A", "info"))
        self.assertEqual([("B", "mcv-apart-0", "pending"), ("B", "mcv-gone-0", "pending")], sorted(self.orphans("A")))
        after_boot, self.lab.after_boot = self.lab.after_boot, None  # mcvd is not there to bring up the bridge
        self.lab.start("B")
        self.lab.after_boot = after_boot
        self.assertEqual(["mcv-gone-0", "mcv-gone-0.md"], self.volumes_of("B", "gone"))
        self.lab.run("B", WRITE_APART.format("mcv-apart-0", minor))
        self.lab.run("B", "systemctl enable --now mcvd")
        wait_until(lambda: not self.volumes_of("B", "gone"), 300, "B removes what was deleted")
        self.assertNotIn("mcv-gone-0.res", self.lab.text("B", "ls /etc/drbd.d"))
        self.what_was_written_to_apart_is_kept_and_told()
        self.names_are_free("gone", "apart")

    def names_are_free(self, *names):
        for name in names:
            self.job.create(name)
            self.job.hvctl("B", "vm", "delete", name, "--yes")

    def what_was_written_to_apart_is_kept_and_told(self):
        kept = [("B", "mcv-apart-0", "pending")]
        for node in ("A", "B"):
            wait_until(lambda node=node: self.orphans(node) == kept, 300, f"{node} lists the copy that is kept")
            self.assertIn("written to apart", self.said(node, "storage", "list-orphans"))
        self.assertEqual(["mcv-apart-0", "mcv-apart-0.md"], self.volumes_of("B", "apart"))
        self.assertNotIn("mcv-apart-0", self.lab.text("B", "drbdsetup status"), "kept, and out of replication")
        self.refused("A", "in-use", "vm", "create", "apart", "--cpus", "1", "--memory", "128M", "--disk-size", "16M")
        self.job.hvctl("A", "storage", "delete-orphan", "mcv-apart-0", "--node", "B", "--yes")
        for node in ("A", "B"):
            self.assertEqual([], self.orphans(node))
        self.assertEqual([], self.volumes_of("B", "apart"))

    def test_5_the_guest_beside_it_wrote_on(self):
        self.job.writes_on("A", self.job.records("A"))
        self.is_redundant_again()
        self.are_equal()
        self.job.verify("A")


if __name__ == "__main__":
    unittest.main()
