# SPDX-License-Identifier: Apache-2.0
"""Long work: progress, plans, several at once, Ctrl-C."""
import json
import threading
import unittest

from fake_mcvd import Answer, operation, problem, started
from hvctl_case import Case
from terminal import Pty


class Operations(Case):
    steps_1 = (("create", "A", "done", "make the volume"), ("start", "A", "running", "start the guest"))
    steps_2 = (("create", "A", "done", "make the volume"), ("start", "A", "done", "start the guest"))

    def test_progress_as_plain_lines(self):
        events = Answer(events=[operation(steps=self.steps_1, percent=50, text="booting"), operation("succeeded", steps=self.steps_2)])
        self.serve({"POST /v1/vms/vm1/start": started(), "GET /v1/operations/A-17/events": events})
        done = self.run_hvctl("vm", "start", "vm1")
        self.assertEqual(done.stdout, "VM vm1 runs.\n")
        self.assertEqual(done.stderr.splitlines(), ["done     A: make the volume", "running  A: start the guest", "50 %  booting", "done     A: start the guest"])

    def test_follows_through_a_restart_of_the_daemon(self):
        cut = Answer(events=[operation(steps=self.steps_1)], cut=True)
        self.serve({"POST /v1/vms/vm1/start": started(),
                    "GET /v1/operations/A-17/events": [cut, Answer(raw=b""), Answer(raw=b"HTTP/1.1 200"), Answer(events=[operation("succeeded", steps=self.steps_2)])]})
        self.run_hvctl("start", "vm1")
        self.assertEqual(len([one for one in self.fake.requests if one[1].endswith("/events")]), 4)
        self.assertEqual(len(self.fake.bodies("POST", "/v1/vms/vm1/start")), 1)

    def test_a_failed_operation_is_the_commands_error(self):
        error = problem("verify-gate", 412, "the copies of vm1 differ", "nothing was started", "hvctl drbd list").body
        self.serve({"POST /v1/vms/vm1/start": started(), "GET /v1/operations/A-17/events": Answer(events=[operation("failed", error=error)])})
        done = self.run_hvctl("vm", "start", "vm1", expect=6)
        self.assertIn("the copies of vm1 differ [verify-gate]", done.stderr)
        self.assertIn("next: hvctl drbd list", done.stderr)
        done = self.run_hvctl("vm", "start", "vm1", "-o", "json", expect=6)
        self.assertEqual(json.loads(done.stdout)["operation"]["error"], error)
        self.assertEqual(json.loads(done.stderr)["code"], "verify-gate")

    def test_no_wait_prints_the_id(self):
        self.serve({"POST /v1/vms/vm1/stop": started()})
        self.assertEqual(self.run_hvctl("vm", "stop", "vm1", "--timeout", "5m", "--no-wait", "-q").stdout, "A-17\n")
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/stop"), [{"timeout_seconds": 300}])

    def test_dry_run_shows_the_plan_and_asks_for_nothing_else(self):
        plan = Answer(body={"plan": [{"step": "demote", "node": "A", "text": "give up the disk"}, {"step": "promote", "node": "B", "text": "take the disk"}]})
        self.serve({"POST /v1/vms/vm1/migrate": plan})
        text = self.run_hvctl("migrate", "--node", "B", "vm1", "--dry-run").stdout
        self.assertIn("promote", text)
        self.assertIn("Nothing was changed", text)
        self.assertEqual([one[1] for one in self.fake.requests], ["/v1/vms/vm1/migrate?dry_run=true"])

    def test_several_vms_have_a_result_each(self):
        self.serve({"POST /v1/vms/vm1/start": started(operation_id="A-1"), "POST /v1/vms/vm2/start": problem("busy", 409, "vm2 is being migrated", "", "hvctl op list"),
                    "POST /v1/vms/vm3/start": started(operation_id="A-3"),
                    "GET /v1/operations/A-1/events": Answer(events=[operation("succeeded", operation_id="A-1")]),
                    "GET /v1/operations/A-3/events": Answer(events=[operation("succeeded", operation_id="A-3")])})
        done = self.run_hvctl("vm", "start", "vm1", "vm2", "vm3", expect=5)
        self.assertEqual(done.stdout, "vm1: VM vm1 runs.\nvm3: VM vm3 runs.\n")
        self.assertIn("vm2: vm2 is being migrated [busy]", done.stderr)
        results = json.loads(self.run_hvctl("vm", "start", "vm1", "vm2", "vm3", "-o", "json", expect=5).stdout)["results"]
        self.assertEqual([sorted(one) for one in results], [["name", "operation"], ["error", "name"], ["name", "operation"]])

    def test_ctrl_c_leaves_the_operation_running(self):
        hold = threading.Event()
        self.addCleanup(hold.set)
        self.serve({"POST /v1/vms/vm1/start": started(), "GET /v1/operations/A-17/events": Answer(events=[operation(steps=self.steps_1, percent=5, text="booting")], hold=hold)})
        terminal = Pty(self.command("vm", "start", "vm1"))
        terminal.read_until(b"booting")
        terminal.type(b"\x03")
        code, text = terminal.end()
        self.assertEqual(code, 130)
        self.assertIn(b"hvctl op watch A-17", text)
        self.assertIn(b"hvctl op cancel A-17", text)
        self.assertNotIn("/cancel", str(self.fake.requests))

    def test_stored_on_one_node_is_said(self):
        self.serve({"POST /v1/networks": Answer(body={"result": {}, "durability": "single node"})})
        self.assertIn("one node only", self.run_hvctl("network", "create", "lan", "--bridge", "br0").stderr)

    def test_operations_of_a_silent_node_are_missing_and_it_is_said(self):
        self.serve({"GET /v1/operations": Answer(body={"operations": [operation(percent=40, text="copying")], "silent": ["B"]})})
        done = self.run_hvctl("op", "list", expect=22)
        self.assertIn("40 % copying", done.stdout)
        self.assertIn("B does not answer", done.stderr)
        self.assertEqual(json.loads(self.run_hvctl("op", "list", "-o", "json", expect=22).stdout)["silent"], ["B"])

    def test_operations_can_be_looked_at_watched_and_cancelled(self):
        failed = operation("failed", steps=self.steps_1, error=problem("vmm-failed", 500, "qemu ended at once").body)
        self.serve({"GET /v1/operations": Answer(body={"operations": [operation(percent=40, text="copying"), failed]}), "GET /v1/operations/A-17": Answer(body=failed),
                    "GET /v1/operations/A-17/events": Answer(events=[failed]), "POST /v1/operations/A-17/cancel": Answer(body={"result": {}})})
        self.assertIn("40 % copying", self.run_hvctl("op", "list").stdout)
        self.assertIn("qemu ended at once", self.run_hvctl("op", "show", "A-17").stdout)
        self.run_hvctl("op", "watch", "A-17", expect=10)
        self.run_hvctl("op", "cancel", "A-17")


if __name__ == "__main__":
    unittest.main()
