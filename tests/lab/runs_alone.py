# SPDX-License-Identifier: Apache-2.0
"""Where tests of the policy run-alone begin, and what they ask of a node that goes on alone."""

import sys

from harness import wait_until
from running_pair import RunningPair

LONGEST_GAP = 30  # seconds, under emulation


class RunsAlone(RunningPair):
    @classmethod
    def prepare(cls):
        cls.job.hvctl("A", "cluster", "update", "--peer-loss", "run-alone", "--yes")

    def are_redundant(self):
        for node in ("A", "B"):
            try:
                volume, vm = self.volume(node), self.job.ask_partial(node, "vm", "info", "vm1")
            except ValueError:  # its daemon is not up yet
                return False
            if (volume["disk"], volume["peer_disk"], volume["suspended"]) != ("UpToDate", "UpToDate", "no"):
                return False
            # Both daemons know that nobody is alone any more.
            if not vm["volumes"][0].get("redundant"):
                return False
        return True

    def comes_together(self):
        wait_until(self.are_redundant, 300, "both copies are equal again, and both daemons know", interval=2)
        wait_until(lambda: self.job.ask("A", "info")["hash"] == self.job.ask("B", "info")["hash"], 60, "both configurations are equal")
        for node in ("A", "B"):
            self.assertNotIn("alone", self.said(node, "info").replace("run-alone", ""))
            self.assertNotIn("two copies", self.said(node, "info"))

    def runs_alone(self, node, before, what):
        """The guest on `node` writes on without anybody's word, and every status says what that means."""
        wait_until(lambda: "vm1-0 runs alone since" in self.said(node, "info"), 120, f"{node} goes on alone", interval=1)
        self.assertEqual("no", self.volume(node)["suspended"])
        written = self.job.writes_on(node, max(before, self.job.records(node)))
        gap = self.job.largest_gap(node)
        print(f"{what}: the largest gap between two acknowledged records was {gap:.1f} s", file=sys.stderr, flush=True)
        self.assertLess(gap, LONGEST_GAP)
        self.assertIn("is lost if this node is", self.said(node, "info"))
        self.assertIn("not redundant: vm1-0", self.said(node, "vm", "list"))
        return written
