#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A node is removed while a guest of the other one writes, and joins again.

The guest writes on throughout, no write is held, the remainder survives a reboot on one leg, what the leaver had is kept apart, and
everything is copied from the remainder when the node is back.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

HOLDS = "journalctl -b -k --no-pager | grep -c 'susp( 0 -> 1 )'"


class Remove(RunningPair):
    def holds(self):
        return int(self.lab.run("A", HOLDS, check=False).stdout.strip() or 0)

    def test_1_what_would_be_lost_is_refused(self):
        self.refused("B", "bad-request", "cluster", "remove-node", "--node", "B", "--yes")
        self.job.create_local("alone", "B")
        self.refused("A", "in-use", "cluster", "remove-node", "--node", "B", "--yes")
        self.refused("B", "guest-running", "cluster", "remove-node", "--node", "A", "--yes")
        self.job.hvctl("A", "vm", "delete", "alone", "--yes")
        self.refused("A", "peer-answers", "cluster", "remove-node", "--node", "B", "--dead", "--yes")
        self.job.are_together()

    def test_2_the_guest_writes_on_while_the_other_node_goes(self):
        pid = self.lab.text("A", "systemctl show -p MainPID --value mcv-vm-vm1.service")
        holds, before = self.holds(), self.job.records("A")
        self.job.stamp_records("A")
        self.job.hvctl("A", "cluster", "--remove-node", "--node", "B", "--yes")
        written = self.job.writes_on("A", before)
        self.job.writes_on("A", written)
        print(f"largest gap between acknowledged records while B was removed: {self.job.largest_gap('A'):.2f} s", file=sys.stderr)
        self.assertEqual(holds, self.holds(), "A held writes")
        self.assertEqual(pid, self.lab.text("A", "systemctl show -p MainPID --value mcv-vm-vm1.service"))
        volume = self.volume("A")
        self.assertTrue(volume["one_leg"], volume)
        self.assertEqual(("UpToDate", "no", "never"), (volume["disk"], volume["suspended"], volume["verdict"]["kind"]))
        self.assertIn("one leg", self.lab.text("A", "hvctl drbd list"))
        for node in ("A", "B"):
            info = self.job.ask(node, "info")
            self.assertEqual(("single", "single"), (info["cluster_state"], info["link"]), info)
            self.assertNotEqual("active", self.lab.run(node, "systemctl is-active corosync", check=False).stdout.strip())
            self.assertEqual("", self.lab.text(node, "ls /etc/corosync/corosync.conf /etc/corosync/authkey 2>/dev/null || true"))
        self.assertEqual(0, self.job.ask("B", "info")["vms"]["total"])
        # What B had: kept, under a name that nothing starts.
        copies = self.job.ask("B", "storage", "list-quarantined")["copies"]
        self.assertEqual(["vm1-0"], [copy["volume"] for copy in copies])
        self.assertEqual("", self.lab.text("B", "ls /etc/drbd.d/mcv-*.res 2>/dev/null || true"))
        self.assertNotIn("mcv-vm1-0", self.lab.text("B", "drbdsetup status"))
        self.assertNotRegex(self.lab.text("B", "lvs --noheadings -o lv_name vg0"), r"(?m)^\s*mcv-vm1-0")
        self.assertEqual("", self.lab.text("B", "lvs --noheadings -o lv_active vg0/" + copies[0]["name"]).replace("inactive", "").strip())
        options = ["--cpus", "1", "--memory", "128M", "--disk-size", "64M", "--storage-type", "drbd"]
        self.refused("A", "drbd-disabled", "vm", "create", "vm2", *options, "--kernel", "/usr/share/mcv-lab/guest/vmlinuz")

    def test_3_one_leg_survives_a_reboot(self):
        boot = "cat /proc/sys/kernel/random/boot_id"
        first, written = self.lab.text("A", boot), self.job.records("A")
        self.lab.kill("A")
        self.lab.start("A")
        self.assertNotEqual(first, self.lab.text("A", boot))
        self.lab.expect("A", "hvctl drbd list", lambda text: "one leg" in text and "UpToDate" in text, 180, "the leg is attached again")
        self.job.start()
        console = self.lab.text("A", "cat /var/log/mcv/console/vm1.log")
        found = int(re.findall(r"found (\d+) records", console)[-1])
        self.assertGreaterEqual(found, written, f"record {written} was acknowledged before the power cut, {found} were there")

    def test_4_the_removed_node_joins_again_and_is_copied_to(self):
        before = self.job.records("A")
        self.job.join()
        wait_until(lambda: (self.volume("A")["disk"], self.volume("A")["peer_disk"]) == ("UpToDate", "UpToDate"), 600, "the copy is complete", interval=2)
        self.job.writes_on("A", before)
        for node in ("A", "B"):
            self.assertFalse(self.volume(node)["one_leg"])
        self.assertIn("fencing resource-and-stonith;", self.lab.text("A", "cat /etc/drbd.d/mcv-vm1-0.res").replace("\t", " "))
        self.assertRegex(self.lab.text("A", "drbdsetup show mcv-vm1-0"), r"fencing\s+resource-and-stonith")
        # The direction, in the kernel's own words of this boot.
        said = self.lab.text("A", "journalctl -b -k --no-pager | grep -E 'drbd100.*(Began resync|Becoming sync)' | tail -n 2")
        self.assertIn("source", said.lower().replace("syncsource", "source"), said)
        self.job.verify("A")
        name = self.job.ask("B", "storage", "list-quarantined")["copies"][0]["name"]
        self.job.hvctl("B", "storage", "delete-quarantined", name, "--yes")
        self.assertEqual([], self.job.ask("B", "storage", "list-quarantined")["copies"])
        self.job.writes_on("A", self.job.records("A"))


if __name__ == "__main__":
    unittest.main()
