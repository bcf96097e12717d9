#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The policy run-alone, and links that are cut while both nodes live: one of them, the other, both; and a person who is wrong.

No record is lost here: who goes on by the other node's consent, or alone, has what the guest was told.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from runs_alone import LONGEST_GAP, RunsAlone  # noqa: E402


class RunAloneLinks(RunsAlone):
    def test_1_a_node_that_lives_is_not_confirmed_down(self):
        self.refused("B", "peer-answers", "cluster", "confirm-down", "A", "--yes")
        self.refused("A", "peer-answers", "cluster", "confirm-down", "B", "--yes")

    def test_2_the_replication_link_alone_is_cut(self):
        """The other daemon is there and lets go: the policy has nothing to say."""
        self.job.stamp_records("A")
        before = self.job.writes_on("A", self.job.records("A"))
        self.lab.cut("B", "drbd")
        wait_until(lambda: self.volume("A")["peer_disk"] == "Outdated" and not self.is_held("A"), 120, "A goes on by B's consent", interval=0.5)
        written = self.job.writes_on("A", max(before, self.job.records("A")))
        gap = self.job.largest_gap("A")
        print(f"run-alone, replication link cut: the largest gap between two acknowledged records was {gap:.1f} s", file=sys.stderr, flush=True)
        self.assertLess(gap, LONGEST_GAP)
        self.assertIn("the copy of vm1-0 on B is older", self.said("A", "info"))
        self.assertNotIn("runs alone since", self.said("A", "info"))
        self.lab.expect("A", "journalctl -b -k --no-pager", lambda text: re.search(r"fence-peer .*exit code 4", text), 30, "the kernel was told that B's copy is outdated")
        self.refused("B", "peer-answers", "cluster", "confirm-down", "A", "--yes")
        self.lab.heal()
        self.comes_together()
        self.job.writes_on("A", written)

    def test_3_the_cluster_link_alone_is_cut(self):
        """Both kernels are connected, so no copy is alone, and nobody is believed to be off."""
        before = self.job.records("A")
        self.lab.cut("B", "cluster")
        for node, other in (("A", "B"), ("B", "A")):
            self.sees_no_other(node, other)
            self.refused(node, "peer-answers", "cluster", "confirm-down", other, "--yes")
        self.refused("A", "peer-unreachable", "network", "create", "other", "--bridge", "br0")
        self.refused("B", ("peer-unreachable", "peer-answers"), "vm", "start", "vm1")
        self.assertNotIn("runs alone since", self.said("A", "info"))
        self.assertFalse(self.is_held("A"))
        before = self.job.writes_on("A", before)
        self.lab.heal()
        self.comes_together()
        self.job.writes_on("A", before)

    def test_4_every_link_is_cut(self):
        self.job.stamp_records("A")
        before = self.job.writes_on("A", self.job.records("A"))
        for link in ("cluster", "drbd"):
            self.lab.cut("B", link)
        written = self.runs_alone("A", before, "all links cut")
        self.refused("B", "peer-unreachable", "vm", "start", "vm1")
        self.lab.heal()
        self.comes_together()
        self.job.writes_on("A", written)
        self.job.verify("A")

    def test_5_a_person_is_wrong_while_every_link_is_cut(self):
        """A lives and writes on. What was typed on B opens nothing there: the policy let A go on, and no word covers that."""
        before = self.job.writes_on("A", self.job.records("A"))
        self.job.stamp_records("A")
        for link in ("cluster", "drbd"):
            self.lab.cut("B", link)
        self.assertIn("vm1-0 stays closed: the policy run-alone let A go on", self.confirm_down("B", "A"))
        self.assertIn("hvctl cluster accept-copy vm1-0", self.refused("B", "disk-not-up-to-date", "vm", "start", "vm1"))
        self.runs_no_guest("B")
        written = self.runs_alone("A", before, "all links cut, and A wrongly confirmed down")
        self.lab.heal()
        self.comes_together()
        self.assertEqual("A", self.job.ask("B", "vm", "info", "vm1")["owner"])
        self.runs_no_guest("B")
        self.job.writes_on("A", written)
        self.job.verify("A")


if __name__ == "__main__":
    unittest.main()
