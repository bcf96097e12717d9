#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One node loses the other. Nothing starts twice, no acknowledged record is lost, and each state says what to do.

There is no fencing here: the node that stays holds its guests' writes until the other one is back, or lets it go on. That
it does when only the copies have lost each other.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

FILES = "/usr/share/mcv-lab/guest"


class PeerLoss(RunningPair):
    @classmethod
    def prepare(cls):
        cls.job.create_local("here", "B")

    def refused(self, node, codes, *words):
        said = super().refused(node, codes, *words)
        self.assertIn("safe:", said)
        return said

    def test_1_the_other_node_loses_power(self):
        before = self.job.records("A")
        self.lab.kill("B")
        wait_until(lambda: self.is_held("A"), 120, "A holds writes", interval=1)
        held_at = self.job.records("A")
        info = self.lab.run("A", ["hvctl", "info"], check=False)
        self.assertEqual(22, info.returncode, info.stdout)
        self.assertIn("vm1 on A: writes to vm1-0 are held", info.stdout)
        self.assertIn("next:", info.stdout)
        self.assertIn("writes held", self.lab.run("A", ["hvctl", "vm", "list"], check=False).stdout)
        self.refused("A", "peer-unreachable", "network", "create", "other", "--bridge", "br0")
        self.refused("A", "peer-unreachable", "migrate", "--node", "B", "vm1", "--wait-for-shutdown")
        # The helper has had its bound by now; held stays held.
        self.lab.expect("A", "journalctl -b -k --no-pager", lambda text: "fence-peer" in text and re.search(r"fence-peer .*exit code 1", text), 180, "the helper gives no answer and the kernel holds I/O")
        self.assertTrue(self.is_held("A"))
        self.assertLessEqual(self.job.records("A") - held_at, 1)
        self.lab.start("B")
        wait_until(lambda: self.is_redundant("A"), 300, "both copies are current again", interval=2)
        self.job.writes_on("A", max(before, held_at))

    def test_2_the_node_with_the_guest_loses_power(self):
        announced = self.job.records("A")
        self.lab.kill("A")
        # B promotes nothing and starts nothing, and says so.
        wait_until(lambda: self.lab.run("B", ["hvctl", "info"], check=False).returncode == 22, 120, "B sees that A is away")
        self.assertEqual(["Secondary"], [v["role"] for v in self.job.ask_partial("B", "drbd", "list")["volumes"]])
        self.refused("B", "peer-unreachable", "vm", "start", "vm1")
        self.assertEqual("", self.lab.text("B", "systemctl list-units --plain --no-legend 'mcv-vm-*'"))
        # What is not replicated needs nobody.
        self.job.start("B", "here")
        self.job.hvctl("B", "vm", "kill", "here")
        self.lab.start("A")
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 300, "both copies are current again", interval=2)
        self.assertEqual("stopped", self.job.vm("A")["state"])
        self.job.start("A")
        self.assertGreater(self.job.records("A"), announced, "the guest went on where it had said it was")

    def goes_on_by_consent(self):
        """A's guest writes on after the replication link was cut, without B's copy."""
        self.lab.cut("B", "drbd")
        wait_until(lambda: self.volume("A")["peer_disk"] == "Outdated" and not self.is_held("A"), 120, "A goes on by B's consent", interval=0.5)
        self.assertEqual(("Outdated", "Secondary"), (self.volume("B")["disk"], self.volume("B")["role"]))
        return self.job.writes_on("A", self.job.records("A"))

    def test_3_the_replication_link_alone_is_cut(self):
        self.job.stamp_records("A")
        self.job.writes_on("A", self.job.records("A"))
        self.goes_on_by_consent()
        gap = self.job.largest_gap("A")
        print(f"replication link cut: the largest gap between two acknowledged records was {gap:.1f} s", file=sys.stderr, flush=True)
        self.assertLess(gap, 30)
        self.lab.expect("A", "journalctl -b -k --no-pager", lambda text: re.search(r"fence-peer .*exit code 4", text), 30, "the kernel was told that B's copy is outdated")
        # Said on both nodes, and nothing opens the older copy.
        for node in ("A", "B"):
            self.assertIn("the copy of vm1-0 on B is older", self.said(node, "info"))
            self.assertIn("the copy of vm1-0 on B is older", self.said(node, "drbd", "list"))
            self.assertIn("not redundant: vm1-0 (older on B)", self.said(node, "vm", "list"))
        self.refused("A", "disk-not-up-to-date", "migrate", "--node", "B", "vm1", "--wait-for-shutdown")
        self.refused("B", "guest-running", "vm", "start", "vm1")
        self.lab.heal()
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 300, "both copies are current again", interval=2)
        for node in ("A", "B"):
            self.assertNotIn("older", self.said(node, "info"))
        self.job.writes_on("A", self.job.records("A"))
        self.job.verify("A")

    def test_4_corosync_alone_is_cut(self):
        before = self.job.records("A")
        self.lab.cut("B", "cluster")
        wait_until(lambda: self.lab.run("A", ["hvctl", "info"], check=False).returncode == 22, 120, "A sees that B does not answer")
        self.refused("A", "peer-unreachable", "network", "create", "other", "--bridge", "br0")
        self.job.writes_on("A", before)
        self.lab.heal()
        self.lab.expect("A", "hvctl info", lambda text: "connected" in text, 180, "the nodes share the configuration again")
        self.job.hvctl("A", "network", "create", "other", "--bridge", "br0")
        wait_until(lambda: self.job.ask("A", "info")["hash"] == self.job.ask("B", "info")["hash"], 30, "both configurations are equal")

    def test_5_a_reboot_of_the_idle_node(self):
        before = self.job.records("A")
        boot = "cat /proc/sys/kernel/random/boot_id"
        first_boot = self.lab.text("B", boot)
        self.lab.run("B", "systemctl reboot", check=False)
        wait_until(lambda: self.lab.text("B", boot) != first_boot, 600, "B has booted again", interval=2)
        wait_until(lambda: self.is_redundant("A"), 600, "both copies are current again", interval=2)
        self.job.writes_on("A", before)
        self.job.verify("A")

    def test_6_who_went_on_by_consent_is_lost_and_the_older_copy_is_accepted(self):
        """B's copy stays closed, to the kernel as well, until it is accepted by name. When A is back both copies are there."""
        self.goes_on_by_consent()
        at_consent = self.job.records("A")
        # So much that the guest on the older copy does not come so far.
        announced = wait_until(lambda: self.job.records("A") > at_consent + 60 and self.job.records("A"), 300, "A writes on alone", interval=2)
        self.lab.kill("A")
        self.sees_no_other("B", "A")
        self.refused("B", "peer-unreachable", "vm", "start", "vm1")
        self.assertIn("vm1-0 stays closed", self.confirm_down("B", "A"))
        self.assertIn("hvctl cluster accept-copy vm1-0", self.refused("B", "disk-not-up-to-date", "vm", "start", "vm1"))
        self.runs_no_guest("B")
        # The kernel does not open it either.
        self.assertNotEqual(0, self.lab.run("B", "drbdadm primary mcv-vm1-0", check=False).returncode)
        self.refused("B", "not-confirmed", "cluster", "accept-copy", "vm1-0")
        self.assertIn("A keeps its own record of vm1-0", self.said("B", "cluster", "accept-copy", "vm1-0", "--yes"))
        self.assertEqual("Outdated", self.volume("B")["disk"], "accepted is not opened")
        self.job.hvctl("B", "vm", "start", "vm1")
        self.lab.expect("B", "journalctl -b -u mcvd --no-pager", lambda text: "this older copy is opened, as a person accepted" in text, 60, "B opened it by force")
        self.job.writes_on("B", 0)
        self.job.hvctl("B", "vm", "kill", "vm1")
        console = self.lab.text("B", "cat /var/log/mcv/console/vm1.log")
        self.assertLess(int(re.findall(r"found (\d+) records", console)[-1]), announced, "the copy on B is the older one")
        self.assertLess(self.job.records("B"), announced)
        self.lab.heal()
        self.lab.start("A")
        for node in ("A", "B"):
            wait_until(lambda node=node: "vm1-0 has two copies" in self.said(node, "info"), 300, f"{node} says that there are two copies", interval=2)
            self.runs_no_guest(node)
        self.assertNotEqual("connected", self.volume("B")["connection"].lower())
        # Nothing was discarded: what A wrote by consent is on its disk.
        records = self.lab.run("A", f"blockdev --flushbufs /dev/vg0/mcv-vm1-0 && {FILES}/records /dev/vg0/mcv-vm1-0", check=False).stdout
        self.assertGreaterEqual(int(re.search(r'"consecutive": *(\d+)', records).group(1)), announced)
        # The person keeps A's.
        # The kernel may have ended its side of the connection already: there is nothing to disconnect then.
        self.lab.run("B", "drbdadm disconnect mcv-vm1-0; drbdadm connect --discard-my-data mcv-vm1-0")
        wait_until(lambda: self.is_redundant("A") and self.is_redundant("B"), 300, "both copies are current again", interval=2)
        self.are_equal()
        for node in ("A", "B"):
            self.assertNotIn("two copies", self.said(node, "info"))
        self.job.hvctl("B", "vm", "start", "vm1")
        self.job.writes_on("B", announced)
        self.assertGreaterEqual(int(re.findall(r"found (\d+) records", self.lab.text("B", "cat /var/log/mcv/console/vm1.log"))[-1]), announced, "no acknowledged record was lost")
        self.job.verify("B")


if __name__ == "__main__":
    unittest.main()
