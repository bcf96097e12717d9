#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A node left in order, the other one went on and is lost for good: what was copied before is opened by name, and the dead one removed.

What was written after the leave is lost with the node that had it, and every step on the way says so.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

CONSOLE = "/var/log/mcv/console/vm1.log"


class LostForGood(RunningPair):
    def test_1_the_leaver_alone_decides_by_one_typed_fact_and_opens_nothing(self):
        self.lab.run("B", "systemctl poweroff", check=False)
        self.lab.expect("A", "hvctl info", lambda text: "B left in order, since" in text, 180, "A shows that B left")
        wait_until(lambda: self.lab.run("B", "true", check=False, timeout=10).returncode == 255, 120, "B is off", interval=1)
        wait_until(lambda: "changes are stored on one node" in self.said("A", "info"), 60, "A decides alone")
        type(self).lost = self.job.writes_on("A", self.job.records("A"))
        self.lab.kill("A")
        self.lab.start("B")
        wait_until(lambda: "B left in order at" in self.said("B", "info"), 180, "B says why it starts nothing", interval=1)
        self.assertIn("hvctl cluster confirm-down A", self.said("B", "info"))
        self.runs_no_guest("B")
        self.assertIn("hvctl cluster confirm-down A", self.refused("B", "peer-unreachable", "vm", "start", "vm1"))
        self.refused("B", "no-authority", "cluster", "accept-copy", "vm1-0", "--yes")
        self.refused("B", "no-authority", "cluster", "remove-node", "--node", "A", "--dead", "--yes")
        self.refused("B", "not-confirmed", "cluster", "confirm-down", "A")
        self.assertIn("vm1-0 stays closed: A was let go on with it when this node left", self.confirm_down("B", "A"))
        self.assertIn("was confirmed down although it was let go on", self.said("B", "info"))
        self.runs_no_guest("B")
        self.assertIn("hvctl cluster accept-copy vm1-0", self.refused("B", "disk-not-up-to-date", "vm", "start", "vm1"))
        self.assertIn("hvctl cluster accept-copy", self.refused("B", "disk-not-up-to-date", "cluster", "remove-node", "--node", "A", "--dead", "--yes"))

    def test_2_its_copy_is_accepted_and_the_dead_node_removed(self):
        self.refused("B", "not-confirmed", "cluster", "accept-copy", "vm1-0")
        self.job.hvctl("B", "cluster", "accept-copy", "vm1-0", "--yes")
        # Before anything opened it: the removal must not make an older copy one that nothing opens.
        self.job.hvctl("B", "cluster", "remove-node", "--node", "A", "--dead", "--yes")
        info = self.job.ask("B", "info")
        self.assertEqual(("single", "single"), (info["cluster_state"], info["link"]), info)
        self.assertTrue(self.volume("B")["one_leg"])
        self.assertEqual("B", self.job.vm("B")["owner"])
        self.job.start("B")
        self.assertEqual(("UpToDate", "no"), (self.volume("B")["disk"], self.volume("B")["suspended"]))
        found = int(re.findall(r"found (\d+) records", self.lab.text("B", f"cat {CONSOLE}"))[-1])
        print(f"the guest on B found {found} records, {self.lost} were acknowledged on the node that is lost", file=sys.stderr, flush=True)
        self.assertLessEqual(found, self.lost)

    def test_3_one_leg_survives_a_power_cut(self):
        # Past what was given up, for the auditor of the disks.
        written = wait_until(lambda: self.job.records("B") > self.lost + 2 and self.job.records("B"), 600, "vm1 writes on", interval=2)
        self.lab.kill("B")
        self.lab.start("B")
        self.lab.expect("B", "hvctl drbd list", lambda text: "one leg" in text and "UpToDate" in text, 180, "the leg is attached again")
        self.job.start("B")
        found = int(re.findall(r"found (\d+) records", self.lab.text("B", f"cat {CONSOLE}"))[-1])
        self.assertGreaterEqual(found, written, f"record {written} was acknowledged on one leg, {found} were there")

    def test_4_the_lost_node_is_found_after_all_and_keeps_its_copy_apart(self):
        self.lab.start("A")
        wait_until(lambda: self.job.ask("A", "info")["link"] == "single" and self.job.ask("A", "info")["vms"]["total"] == 0, 180, "A was told, and is blank", interval=2)
        self.assertEqual(["vm1-0"], [copy["volume"] for copy in self.job.ask("A", "storage", "list-quarantined")["copies"]])
        self.runs_no_guest("A")
        self.job.writes_on("B", self.job.records("B"))


if __name__ == "__main__":
    unittest.main()
