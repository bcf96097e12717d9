# SPDX-License-Identifier: Apache-2.0
"""Pools, copies and repairs: what is left, what is lost, what is copied."""
import json
import os
import unittest

from fake_mcvd import Answer, operation, started
from hvctl_case import GIB, Case
from terminal import Pty


class Storage(Case):
    def test_copies_in_quarantine_are_listed_and_deleted_by_name(self):
        copy = {"name": "mcvq-A-17-vm1-0", "volume": "vm1-0", "volume_group": "vg0", "removal": "A-17", "size": GIB}
        deleted = Answer(body={"result": {"text": "gone"}, "durability": "single node"})
        self.serve({"GET /v1/quarantine": Answer(body={"node": "B", "copies": [copy]}), "DELETE /v1/quarantine/mcvq-A-17-vm1-0": deleted})
        self.assertEqual(self.run_hvctl("storage", "list-quarantined").stdout.splitlines()[1].split(), ["mcvq-A-17-vm1-0", "vm1-0", "1", "GiB", "vg0", "A-17"])
        self.assertIn("not-confirmed", self.run_hvctl("storage", "delete-quarantined", copy["name"], expect=11).stderr)
        self.assertEqual(self.fake.bodies("DELETE", "/v1/quarantine/mcvq-A-17-vm1-0"), [])
        self.run_hvctl("storage", "delete-quarantined", copy["name"], "--yes")
        self.assertEqual(len(self.fake.bodies("DELETE", "/v1/quarantine/mcvq-A-17-vm1-0")), 1)

    def test_orphans_are_shown_with_their_command_and_deleted_by_name(self):
        orphan = {"node": "B", "name": "mcv-gone-0", "kind": "volume", "why": "no volume of that name is in the configuration", "since": None, "size": GIB,
                  "parts": ["vg0/mcv-gone-0"], "in_use": [], "next": "hvctl storage delete-orphan mcv-gone-0 --node B"}
        self.serve({"GET /v1/orphans": Answer(body={"orphans": [orphan], "unsure": [{"node": "B", "why": "A does not say what it does"}], "silent": ["A"]}),
                    "DELETE /v1/orphans/B/mcv-gone-0": started(operation_id="B-1"), "GET /v1/operations/B-1/events": Answer(events=[operation("succeeded", operation_id="B-1")])})
        shown = self.run_hvctl("storage", "list-orphans", expect=22)
        self.assertIn("mcv-gone-0", shown.stdout)
        self.assertIn("hvctl storage delete-orphan mcv-gone-0 --node B", shown.stdout + shown.stderr)
        self.assertIn("A does not answer", shown.stdout + shown.stderr)
        self.assertIn("not-confirmed", self.run_hvctl("storage", "delete-orphan", "mcv-gone-0", "--node", "B", expect=11).stderr)
        self.assertIn("bad-request", self.run_hvctl("storage", "delete-orphan", "mcv-gone-0", "--yes", expect=2).stderr)
        self.run_hvctl("storage", "delete-orphan", "mcv-gone-0", "--node", "B", "--yes")
        self.assertEqual(len(self.fake.bodies("DELETE", "/v1/orphans/B/mcv-gone-0")), 1)

    def repair(self, advised=True, full=False):
        """vm1-0 from A to B, and both of its operations."""
        volume = {"volume": "vm1-0", "source": "A", "target": "B", "advised": advised, "reason": "A was its last Primary", "marked_kib": 8, "full": full, "size": GIB}
        shown = Answer(body={"resync": {"vm": "vm1", "volumes": [volume]}})
        if self.fake:
            self.fake.close()
            os.unlink(self.socket)
        self.serve({"POST /v1/vms/vm1/resync": [shown, started(operation_id="A-1")], "POST /v1/vms/vm1/resync/follow": started(operation_id="A-2"),
                    "GET /v1/operations/A-1/events": Answer(events=[operation("succeeded", operation_id="A-1")]),
                    "GET /v1/operations/A-2/events": Answer(events=[operation("running", percent=40, text="copying vm1-0", operation_id="A-2"), operation("succeeded", operation_id="A-2")])})

    def test_a_repair_says_first_what_is_copied_and_why_and_waits_for_the_copy(self):
        self.repair()
        done = self.run_hvctl("resync", "vm1")
        self.assertTrue(done.stdout.startswith("vm1-0: 8 KiB (2 blocks) are copied from A to B (A was its last Primary).\n"), done.stdout)
        self.assertIn("kept as a snapshot until the next clean verify", done.stdout)
        self.assertIn("next: hvctl verify vm1", done.stdout)
        self.assertIn("40 %  copying vm1-0", done.stderr)
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/resync"), [{"full": False, "check_only": True}, {"full": False, "check_only": False}])
        self.repair(full=True)
        asked = json.loads(self.run_hvctl("resync", "vm1", "--full", "--disk", "vm1-0", "-o", "json").stdout)
        self.assertEqual(("A-1", "A-2"), (asked["operation"]["id"], asked["copy"]["id"]))
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/resync")[-1], {"full": True, "check_only": False, "volumes": ["vm1-0"]})

    def test_a_lost_disk_is_attached_and_its_copy_waited_for(self):
        self.serve({"POST /v1/vms/vm1/attach": started(operation_id="A-1"), "POST /v1/vms/vm1/resync/follow": started(operation_id="A-2"),
                    "GET /v1/operations/A-1/events": Answer(events=[operation("succeeded", operation_id="A-1")]),
                    "GET /v1/operations/A-2/events": Answer(events=[operation("running", percent=40, text="copying vm1-0", operation_id="A-2"), operation("succeeded", operation_id="A-2")])})
        done = self.run_hvctl("drbd", "attach", "vm1", "--disk", "vm1-0")
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/attach"), [{"volumes": ["vm1-0"]}])
        self.assertIn("40 %  copying vm1-0", done.stderr)
        self.assertIn("The copies of vm1 are up to date.", done.stdout)

    def test_a_source_that_no_record_names_is_typed(self):
        self.repair(advised=False)
        self.assertIn("not-confirmed", self.run_hvctl("resync", "--source", "A", "vm1", expect=11).stderr)
        self.repair(advised=False)
        terminal = Pty(self.command("resync", "--source", "A", "vm1"))
        terminal.read_until(b"to go on: ")
        terminal.type(b"B\n")
        self.assertEqual(terminal.end()[0], 11)
        self.assertEqual(len(self.fake.bodies("POST", "/v1/vms/vm1/resync")), 1, "only asked")
        self.repair(advised=False)
        self.run_hvctl("resync", "--source", "A", "vm1", "--yes")
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/resync")[-1], {"full": False, "check_only": False, "source": "A", "source_confirmed": True})

    def test_a_dry_run_of_a_repair_and_one_that_is_only_followed(self):
        volume = {"volume": "vm1-0", "source": "A", "target": "B", "advised": True, "reason": "it is Primary on A", "marked_kib": 8, "full": False, "size": GIB}
        plan = [{"step": "resync.snapshot", "node": "B", "text": "keep the copy"}]
        self.serve({"POST /v1/vms/vm1/resync": Answer(body={"resync": {"vm": "vm1", "volumes": [volume]}, "plan": plan}), "POST /v1/vms/vm1/resync/follow": started(),
                    "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")])})
        shown = self.run_hvctl("resync", "vm1", "--dry-run").stdout
        self.assertIn("copied from A to B (it is Primary on A)", shown)
        self.assertIn("Nothing was changed", shown)
        self.assertEqual([one[1] for one in self.fake.requests], ["/v1/vms/vm1/resync?dry_run=true"])
        self.run_hvctl("resync", "--follow", "vm1")
        self.assertIn("bad-request", self.run_hvctl("resync", "--follow", "--full", "vm1", expect=2).stderr)

    def test_snapshots_of_repairs_are_listed_and_deleted_by_name(self):
        snapshot = {"node": "B", "name": "mcvs-A-17-vm1-0", "volume": "vm1-0", "volume_group": "vg0", "operation": "A-17", "wall_seconds": 1_700_000_000, "size": GIB}
        gone = Answer(body={"result": {"text": "gone"}, "durability": "single node"})
        self.serve({"GET /v1/snapshots": Answer(body={"snapshots": [snapshot], "silent": ["B"]}), "DELETE /v1/snapshots/mcvs-A-17-vm1-0": gone})
        # What is missing is said, and is the exit code in either form.
        self.run_hvctl("storage", "list-snapshots", "-o", "json", expect=22)
        done = self.run_hvctl("storage", "list-snapshots", expect=22)
        self.assertEqual(done.stdout.splitlines()[1].split(), ["mcvs-A-17-vm1-0", "B", "vm1-0", "1", "GiB", "vg0", "A-17"])
        self.assertIn("B does not answer", done.stderr)
        self.assertIn("not-confirmed", self.run_hvctl("storage", "delete-snapshot", snapshot["name"], expect=11).stderr)
        self.assertEqual(self.fake.bodies("DELETE", "/v1/snapshots/mcvs-A-17-vm1-0"), [])
        self.run_hvctl("storage", "delete-snapshot", snapshot["name"], "--yes")
        self.assertEqual(len(self.fake.bodies("DELETE", "/v1/snapshots/mcvs-A-17-vm1-0")), 1)

    def test_a_lone_leg_is_shown_as_one(self):
        listed = {"volume": "vm1-0", "vm": "vm1", "minor": 100, "port": 7001, "size": GIB, "role": "Primary", "peer_role": "Unknown", "connection": "standalone", "replication": "off",
                  "disk": "UpToDate", "peer_disk": "DUnknown", "out_of_sync_kib": 0, "suspended": "no", "verdict": {"kind": "never"}, "holds": [], "one_leg": True}
        self.serve({"GET /v1/drbd": Answer(body={"enabled": True, "volumes": [listed]})})
        self.assertIn("one leg", self.run_hvctl("drbd", "list").stdout)


if __name__ == "__main__":
    unittest.main()
