# SPDX-License-Identifier: Apache-2.0
"""What is done to VMs: what is asked, shown and confirmed."""
import json
import os
import re
import unittest

from fake_mcvd import Answer, operation, problem, started
from hvctl_case import GIB, Case, vm
from terminal import Pty


class Vms(Case):
    def test_the_issue_as_typed(self):
        ok = Answer(body={"result": {"done": ["made br0"]}, "durability": "both nodes"})
        self.serve({"POST /v1/node/init": ok, "PUT /v1/node/addresses": ok, "POST /v1/storage": ok, "POST /v1/drbd/enable": ok, "POST /v1/networks": ok,
                    "POST /v1/vms": started(), "POST /v1/vms/vm1/migrate": started(), "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")])})
        self.assertIn("made br0", self.run_hvctl("node", "init", "--all").stdout)
        self.run_hvctl("node", "--set-ip-address", "10.77.0.11")
        self.run_hvctl("node", "--set-ip-address", "10.77.0.11", "--set-drbd-address", "10.78.0.11")
        self.run_hvctl("node", "--set-drbd-address", "10.78.0.11")
        self.assertEqual(self.fake.bodies("PUT", "/v1/node/addresses"),
                         [{"cluster_address": "10.77.0.11"}, {"cluster_address": "10.77.0.11", "drbd_address": "10.78.0.11"}, {"drbd_address": "10.78.0.11"}])
        self.run_hvctl("storage", "create", "fast", "--vg", "vg0", "--thin")
        self.assertEqual(self.fake.bodies("POST", "/v1/storage"), [{"name": "fast", "vg": "vg0", "thin": True}])
        self.run_hvctl("drbd", "enable")
        self.run_hvctl("drbd", "--enable")
        self.run_hvctl("network", "create", "lan", "--bridge", "br0")
        self.run_hvctl("vm", "create", "vm1", "--cpus", "1", "--memory", "128M", "--disk-size", "256M", "--storage-type", "drbd", "--network", "lan", "--kernel", "k", "--initramfs=/i")
        body = self.fake.bodies("POST", "/v1/vms")[0]
        self.assertEqual(body["memory"], 128 << 20)
        self.assertEqual(body["disks"], [{"size": 256 << 20}])
        self.assertEqual(body["boot"]["kernel"], os.path.join(os.getcwd(), "k"))
        self.run_hvctl("migrate", "--node", "B", "vm1", "--wait-for-shutdown", "--start-after-migration")
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/migrate"), [{"node": "B", "wait_for_shutdown": True, "start_after_migration": True}])

    def test_an_empty_value_takes_a_boot_file_away(self):
        self.serve({"PATCH /v1/vms/vm1": Answer(body={"result": {}})})
        self.run_hvctl("vm", "update", "vm1", "--kernel", "", "--initramfs=", "--cmdline", "")
        self.assertEqual(self.fake.bodies("PATCH", "/v1/vms/vm1"), [{"boot": {"kernel": "", "initramfs": "", "cmdline": ""}}])
        self.run_hvctl("vm", "update", "vm1", "--memory", "", expect=2)

    def test_update_names_only_what_changes(self):
        self.serve({"PATCH /v1/vms/vm1": Answer(body={"result": {}})})
        self.run_hvctl("vm", "update", "vm1", "--memory", "2G", "--autostart", "on")
        self.assertEqual(self.fake.bodies("PATCH", "/v1/vms/vm1"), [{"memory": 2 * GIB, "autostart": True}])
        self.run_hvctl("vm", "update", "vm1", expect=2)

    def test_ones_own_lock_goes_without_a_question(self):
        me = {"name": "alice", "uid": 1000, "node": "A", "root": False, "user": True, "roles": []}
        lock = {"by": "alice", "reason": "disk check", "since": 1700000000}
        self.serve({"GET /v1/whoami": Answer(body=me), "GET /v1/vms/vm1": Answer(body=vm("vm1", lock=lock)), "GET /v1/vms/vm2": Answer(body=vm("vm2")),
                    "PATCH /v1/vms/vm1": Answer(body={"result": {}}), "PATCH /v1/vms/vm2": Answer(body={"result": {}})})
        self.run_hvctl("vm", "update", "vm1", "vm2", "--unlock", "--cpus", "3")
        for name in ("vm1", "vm2"):
            self.assertEqual(self.fake.bodies("PATCH", f"/v1/vms/{name}"), [{"cpus": 3, "lock": None}])

    def test_anothers_lock_goes_by_typing_whose_it_is(self):
        me = {"name": "root", "uid": 0, "node": "A", "root": True, "user": True, "roles": []}
        lock = {"by": "alice", "reason": "disk check", "since": 1700000000}
        self.serve({"GET /v1/whoami": Answer(body=me), "GET /v1/vms/vm1": Answer(body=vm("vm1", lock=lock)), "PATCH /v1/vms/vm1": Answer(body={"result": {}})})
        refused = self.run_hvctl("vm", "update", "vm1", "--unlock", expect=11)
        self.assertIn("alice locked vm1 since 2023-11-1", refused.stderr)
        self.assertIn("disk check", refused.stderr)
        self.assertEqual(self.fake.bodies("PATCH", "/v1/vms/vm1"), [])
        self.run_hvctl("vm", "update", "vm1", "--unlock", "--yes")
        self.assertEqual(self.fake.bodies("PATCH", "/v1/vms/vm1"), [{"lock": None, "lock_owner": "alice"}])

    def test_delete_protection_is_turned_off_by_typing_the_name(self):
        self.serve({"PATCH /v1/vms/vm1": Answer(body={"result": {}})})
        self.run_hvctl("vm", "update", "vm1", "--delete-protection", "on")
        self.assertIn("needs a confirmation", self.run_hvctl("vm", "update", "vm1", "--delete-protection", "off", expect=11).stderr)
        self.assertEqual(self.fake.bodies("PATCH", "/v1/vms/vm1"), [{"delete_protection": True}])
        self.run_hvctl("vm", "update", "vm1", "--delete-protection", "off", "--yes")
        self.assertEqual(self.fake.bodies("PATCH", "/v1/vms/vm1")[-1], {"delete_protection": False})
        self.fake.answers["PATCH /v1/vms/vmm1"] = [problem("not-found", 404, "there is no vm named 'vmm1'")]
        self.assertNotIn("needs a confirmation", self.run_hvctl("vm", "update", "vmm1", "--delete-protection", "off", expect=4).stderr)

    def test_what_is_pending_and_who_locked_is_shown(self):
        pending = [{"name": "memory", "running": GIB, "configured": 2 * GIB}, {"name": "initramfs", "running": "/i", "configured": ""}]
        shown = vm("vm1", pending=pending, lock={"by": "alice", "reason": "disk check", "since": None})
        self.serve({"GET /v1/vms/vm1": [Answer(body=shown), Answer(body=vm("vm1", pending=None))], "GET /v1/vms": Answer(body={"vms": [shown]})})
        text = " ".join(self.run_hvctl("vm", "info", "vm1").stdout.split())
        self.assertIn("memory: runs with 1 GiB, configured 2 GiB; applies after hvctl vm stop vm1 and hvctl vm start vm1", text)
        self.assertIn("initramfs: runs with /i, configured none;", text)
        self.assertIn("Locked by alice: disk check", text)
        self.assertIn("unknown: an older mcvd started this guest", self.run_hvctl("vm", "info", "vm1").stdout)
        self.assertIn("pending until restart: memory, initramfs", " ".join(self.run_hvctl("vm", "list").stdout.split()))

    def test_several_can_be_looked_at(self):
        self.serve({"GET /v1/vms/vm1": Answer(body=vm("vm1")), "GET /v1/vms/vm2": Answer(body=vm("vm2", "unknown")), "GET /v1/vms/vm9": problem("not-found", 404, "there is no VM vm9")})
        for words in (["info", "vm1", "vm2"], ["vm", "info", "vm1", "vm2"]):
            self.assertEqual(re.findall(r"^Name +(\w+)", self.run_hvctl(*words, expect=22).stdout, re.M), ["vm1", "vm2"])
        done = self.run_hvctl("info", "vm9", "vm1", "-o", "json", expect=4)
        self.assertEqual([sorted(one) for one in json.loads(done.stdout)["results"]], [["error", "name"], ["answer", "name"]])
        self.assertEqual(json.loads(self.run_hvctl("info", "vm1", "-o", "json").stdout)["name"], "vm1")

    def test_a_missing_vm_is_named_with_the_nearest_one(self):
        self.serve({"POST /v1/vms/wbe1/start": problem("not-found", 404, "there is no VM wbe1"), "GET /v1/vms": Answer(body={"vms": [vm("web1"), vm("db")]})})
        self.assertIn("did you mean web1?", self.run_hvctl("vm", "start", "wbe1", expect=4).stderr)

    def test_deleting_asks_for_the_name(self):
        gone = {"DELETE /v1/vms/vm1": started(), "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")])}
        self.serve(gone)
        self.assertIn("not-confirmed", self.run_hvctl("vm", "delete", "vm1", expect=11).stderr)
        terminal = Pty(self.command("vm", "delete", "vm1"))
        terminal.read_until(b"to go on: ")
        terminal.type(b"vm2\n")
        self.assertEqual(terminal.end()[0], 11)
        self.assertEqual(self.fake.changes(), [])
        terminal = Pty(self.command("vm", "delete", "vm1"))
        terminal.read_until(b"to go on: ")
        terminal.type(b"vm1\n")
        self.assertEqual(terminal.end()[0], 0)
        self.run_hvctl("delete", "vm1", "--yes")
        self.assertEqual(len(self.fake.bodies("DELETE", "/v1/vms/vm1")), 2)

    def test_what_would_be_refused_is_not_asked_for(self):
        self.serve({"DELETE /v1/vms/vmm1": problem("not-found", 404, "there is no vm named 'vmm1'"), "DELETE /v1/vms/vm1": problem("vm-locked", 412, "vm1 runs"),
                    "DELETE /v1/vms/vm2": Answer(body={"result": {}}), "GET /v1/vms": Answer(body={"vms": [vm("vm1"), vm("vm2")]})})
        code, text = Pty(self.command("vm", "delete", "vmm1")).end()
        self.assertEqual(code, 4)
        self.assertNotIn(b"to go on", text)
        self.assertIn(b"did you mean", text)
        terminal = Pty(self.command("vm", "delete", "vm1", "vm2", "vm2"))
        terminal.read_until(b"to go on: ")
        terminal.type(b"vm2\n")
        code, text = terminal.end()
        self.assertEqual(code, 6)
        self.assertEqual(text.count(b"to go on"), 1)
        self.assertIn(b"vm1: vm1 runs", text)
        self.assertIn(b"VM vm2 is deleted", text)
        self.assertEqual(self.fake.changes(), [("DELETE", "/v1/vms/vm2")])

    def test_the_storage_type_is_changed_by_itself(self):
        self.serve({"POST /v1/vms/vm1/storage-type": started(operation_id="A-1"), "GET /v1/operations/A-1/events": Answer(events=[operation("succeeded", operation_id="A-1")])})
        done = self.run_hvctl("vm", "update", "vm1", "--storage-type", "drbd")
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/storage-type"), [{"storage_type": "drbd"}])
        self.assertIn("hvctl resync --follow vm1", done.stdout)
        self.assertIn("bad-request", self.run_hvctl("vm", "update", "vm1", "--storage-type", "drbd", "--cpus", "2", expect=2).stderr)
        self.run_hvctl("vm", "update", "vm1", "--storage-type", "both", expect=2)


if __name__ == "__main__":
    unittest.main()
