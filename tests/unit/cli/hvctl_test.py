# SPDX-License-Identifier: Apache-2.0
"""The hvctl binary against a socket that answers as told: what it asks, shows and returns."""
import json
import os
import re
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from fake_mcvd import CHECKS, CONNECT_STRING, INFO, Answer, FakeMcvd, echo_console, operation, problem, started
from terminal import Pty

HVCTL = os.environ["HVCTL"]
GIB = 1 << 30


def vm(name, state="running", **changes):
    volume = {"name": f"{name}-0", "pool": "fast", "kind": "drbd", "size": GIB, "device": "/dev/drbd1", "minor": 1, "port": 7001, "redundant": True,
              "verdict": {"kind": "never"}}
    view = {"name": name, "uuid": "11111111-2222-4333-8444-555555555555", "owner": "A", "state": state, "hypervisor": "qemu", "cpus": 2, "memory": GIB,
            "volumes": [volume], "nics": [{"network": "lan", "mac": "52:54:00:00:00:01"}],
            "boot": {"kernel": "/srv/vmlinuz", "initramfs": "", "cmdline": "console=ttyS0", "firmware": ""}, "lock": None, "delete_protection": False,
            "autostart": False, "pending": [], "last_exit": "none", "configured_hypervisor": "auto", "warnings": []}
    return {**view, **changes}


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="hvctl-")
        self.addCleanup(self.directory.cleanup)
        self.socket = str(pathlib.Path(self.directory.name) / "s")
        self.fake = None

    def serve(self, answers):
        self.fake = FakeMcvd(self.socket, answers)
        self.addCleanup(self.fake.close)
        return self.fake

    def command(self, *words):
        return [HVCTL, "--socket", self.socket, *words]

    def run_hvctl(self, *words, stdin=subprocess.DEVNULL, text_in=None, expect=0):
        done = subprocess.run(self.command(*words), stdin=None if text_in is not None else stdin, input=text_in, capture_output=True, text=True, timeout=30,
                              start_new_session=True)
        self.assertEqual(done.returncode, expect, f"{words}\n{done.stdout}\n{done.stderr}")
        if self.fake:
            self.assertEqual(self.fake.violations, [])
        return done


class Lists(Case):
    def test_a_table_for_people_and_the_document_for_scripts(self):
        answer = {"vms": [vm("vm1"), vm("vm2", "stopped", owner="B", lock={"by": "root", "reason": "x", "since": 1700000000})]}
        self.serve({"GET /v1/vms": Answer(body=answer)})
        lines = self.run_hvctl("vm", "list").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["VM", "STATE", "NODE", "CPUS", "MEMORY", "DISKS", "NETWORKS", "NOTES"])
        self.assertEqual(lines[1].split("  ")[0], "vm1")
        self.assertIn("locked by root: x", lines[2])
        self.assertEqual(json.loads(self.run_hvctl("vm", "ls", "-o", "json").stdout), answer)
        self.assertEqual(self.run_hvctl("-q", "list").stdout, "vm1\nvm2\n")

    def test_the_table_asks_for_no_more_than_it_shows(self):
        brief = {"name": "vm1", "owner": "A", "state": "running", "cpus": 2, "memory": GIB, "last_exit": "crashed", "nics": [{"network": "lan"}],
                 "volumes": [{"name": "vm1-0", "kind": "drbd", "size": GIB, "redundant": False}]}
        self.serve({"GET /v1/vms?view=brief": Answer(body={"view": "brief", "vms": [brief]}), "GET /v1/vms": Answer(body={"vms": [vm("vm1")]})})
        line = self.run_hvctl("vm", "list").stdout.splitlines()[1]
        for word in ("vm1", "running", "A", "2", "1 GiB", "1 GiB drbd", "lan", "not redundant: vm1-0; crashed"):
            self.assertIn(word, line)
        self.assertEqual(self.run_hvctl("vm", "list", "-q").stdout, "vm1\n")
        self.assertEqual(json.loads(self.run_hvctl("vm", "list", "-o", "json").stdout), {"vms": [vm("vm1")]})
        self.assertEqual([target for _, target, _ in self.fake.requests], ["/v1/vms?view=brief", "/v1/vms?view=brief", "/v1/vms"])

    def test_unknown_state_is_a_partial_result(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("vm1", "unknown")]})})
        self.assertIn("unknown", self.run_hvctl("vm", "list", expect=22).stdout)

    def test_nothing_to_show_says_what_to_type(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": []}), "GET /v1/drbd": Answer(body={"enabled": False, "volumes": []})})
        self.assertIn("hvctl vm create", self.run_hvctl("vm", "list").stdout)
        self.assertIn("hvctl drbd enable", self.run_hvctl("drbd", "list").stdout)

    def test_the_other_node_away(self):
        node = {"name": "A", "id": 1, "cluster_address": "10.77.0.11", "drbd_address": "", "status": "online", "this_node": True}
        info = {"node": "A", "version": "0.1.0", "cluster_state": "cluster", "generation": 2, "index": 40, "hash": "ab", "format": 1,
                "peer": {"name": "B", "reachable": False, "in_group": False}, "nodes": [node, {**node, "name": "B", "id": 2, "status": "offline", "this_node": False}],
                "drbd": {"enabled": True}, "vms": {"total": 3, "running": 1}, "hypervisors": ["qemu"],
                "warnings": [{"code": "peer-unreachable", "text": "B does not answer", "next": "ping 10.77.0.12"}]}
        self.serve({"GET /v1/info": Answer(body=info), "GET /v1/nodes": Answer(body={"nodes": info["nodes"]})})
        text = self.run_hvctl("info", expect=22).stdout
        self.assertIn("does not answer", text)
        self.assertIn("ping 10.77.0.12", text)
        self.assertIn("offline", self.run_hvctl("node", "list", expect=22).stdout)

    def test_a_node_that_left_in_order_is_away_and_no_failure(self):
        node = {"name": "A", "id": 1, "cluster_address": "10.77.0.11", "drbd_address": "", "status": "online", "this_node": True}
        left = {**node, "name": "B", "id": 2, "status": "left", "this_node": False, "left_since": 1700000000}
        peer = {"name": "B", "reachable": False, "in_group": False, "left_since": 1700000000}
        info = {**INFO, "cluster_state": "cluster", "peer": peer, "nodes": [node, left], "warnings": []}
        self.serve({"GET /v1/info": Answer(body=info), "GET /v1/nodes": Answer(body={"nodes": [node, left]})})
        text = self.run_hvctl("info").stdout
        self.assertIn("B left in order, since 2023-11-1", text)
        self.assertNotIn("does not answer", text)
        self.assertIn("left in order, since 2023-11-1", self.run_hvctl("node", "list").stdout)

    def test_info_says_which_format_is_written_and_what_both_nodes_know(self):
        told = [
            ({}, "1"),
            ({"formats_known": {"A": 1, "B": 1}}, "1"),
            ({"formats_known": {"A": 2, "B": 2}, "format": 2}, "2"),
            ({"formats_known": {"A": 2, "B": 2}}, "1 (both nodes know 2: hvctl cluster upgrade-format)"),
            ({"formats_known": {"A": 2}}, "1 (this build knows 2: hvctl cluster upgrade-format)"),
            ({"formats_known": {"A": 2, "B": 1}}, "1 (A knows 2, B knows 1)"),
            ({"formats_known": {"A": 2, "B": None}}, "1 (A knows 2, B is not in contact)"),
        ]
        self.serve({"GET /v1/info": [Answer(body={**INFO, **known}) for known, _ in told]})
        for _, wanted in told:
            line = next(line for line in self.run_hvctl("info").stdout.splitlines() if line.startswith("Format"))
            self.assertEqual(line.split(None, 1)[1], wanted)

    def test_the_format_is_raised_by_a_command(self):
        route = "POST /v1/cluster/upgrade-format"
        self.serve({route: [Answer(body={"result": {"text": "write format 2 of the configuration instead of 1"}, "durability": "both nodes"}), problem("format-unknown", 412, "the build on B does not know format 2")]})
        self.assertIn("Done: write format 2 of the configuration instead of 1.", self.run_hvctl("cluster", "upgrade-format").stdout)
        self.assertIn("format-unknown", self.run_hvctl("cluster", "upgrade-format", expect=6).stderr)

    def test_a_leave_is_told_phase_by_phase(self):
        done = [{"left": True, "done": ["vm1: stopped", "B knows that this node left, and may go on"]}, {"left": False, "done": ["B is not told: B is not in contact"]}]
        refused = problem("not-confirmed", 409, "A leaves only while its machine is being shut down")
        self.serve({"POST /v1/node/leave": [*(Answer(body={"result": result}) for result in done), refused]})
        self.assertEqual(self.run_hvctl("node", "leave").stdout.splitlines(), [*done[0]["done"], "This node left in order."])
        self.assertEqual(self.fake.bodies("POST", "/v1/node/leave"), [{}])
        self.assertIn("Nobody was told", self.run_hvctl("node", "leave").stdout)
        self.assertIn("not-confirmed", self.run_hvctl("node", "leave", expect=11).stderr)

    def test_why_io_is_held_and_what_decides_it(self):
        def held(*reasons):
            return [{"reason": reason, "text": f"why {reason}", "next": f"do {reason}"} for reason in reasons]

        volume = {**vm("vm1")["volumes"][0], "redundant": False, "io_held": True}
        listed = {"volume": "vm1-0", "vm": "vm1", "minor": 1, "port": 7001, "size": GIB, "role": "Primary", "peer_role": "Unknown", "connection": "connecting", "replication": "off",
                  "disk": "UpToDate", "peer_disk": "DUnknown", "out_of_sync_kib": 0, "suspended": "user,fencing", "verdict": {"kind": "never"}, "holds": held("fencing", "user")}
        words = {"fencing": "the other node is not there", "no-data": "no disk to be reached", "user": "suspended by hand", "unknown": "reason unknown"}
        self.serve({"GET /v1/vms": [Answer(body={"vms": [vm("vm1", volumes=[{**volume, "holds": held(reason)}])]}) for reason in words],
                    "GET /v1/drbd": Answer(body={"enabled": True, "volumes": [listed]})})
        for reason, text in words.items():
            self.assertIn(f"writes held: vm1-0 ({text})", self.run_hvctl("vm", "list").stdout, reason)
        lines = self.run_hvctl("drbd", "list").stdout
        self.assertIn("I/O held: user,fencing", lines)
        for reason in ("fencing", "user"):
            self.assertRegex(lines, f"why {reason}\\nnext: +do {reason}\\n")

    def test_which_copy_is_older(self):
        volume = {**vm("vm1")["volumes"][0], "kind": "drbd", "redundant": False, "io_held": False, "holds": [], "older_copy_on": "B"}
        listed = {"volume": "vm1-0", "vm": "vm1", "minor": 1, "port": 7001, "size": GIB, "role": "Primary", "peer_role": "Unknown", "connection": "connecting", "replication": "off",
                  "disk": "UpToDate", "peer_disk": "Outdated", "out_of_sync_kib": 4, "suspended": "no", "verdict": {"kind": "never"}, "holds": [],
                  "older_copy": {"node": "B", "text": "the copy on B is older", "next": "repair the link"}}
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("vm1", volumes=[volume])]}), "GET /v1/drbd": Answer(body={"enabled": True, "volumes": [listed]})})
        self.assertIn("not redundant: vm1-0 (older on B)", self.run_hvctl("vm", "list").stdout)
        self.assertRegex(self.run_hvctl("drbd", "list").stdout, "the copy on B is older\\nnext: +repair the link\\n")

    def test_storage_of_both_nodes(self):
        here = {"node": "A", "answers": True, "present": True, "volume_group": "vg0", "size": 100 * GIB, "free": 25 * GIB, "data_percent": 75.0, "metadata_percent": 10.0}
        there = {**here, "node": "B", "volume_group": "vg9", "data_percent": 91.0}
        pool = {"name": "fast", "kind": "thin", "volume_group": "vg0", "thin_pool": "mcv-fast", "path": ""}
        silent = {"node": "B", "answers": False, "problem": "no connection to the peer"}
        broken = {"node": "B", "answers": True, "problem": "lvs did not end"}
        answers = [{"pools": [{**pool, "nodes": [here, other]}, {**pool, "name": "slow", "nodes": [here, other]}]} for other in (there, {**there, "present": False}, silent, silent, broken)]
        self.serve({"GET /v1/storage": [Answer(body=body) for body in answers]})
        lines = self.run_hvctl("storage", "list").stdout.splitlines()
        self.assertEqual([line.split()[:5] for line in lines[1:3]], [["fast", "thin", "vg0", "A", "yes"], ["fast", "thin", "vg9", "B", "yes"]])
        self.assertIn("91 %", lines[2])
        self.assertEqual(self.run_hvctl("storage", "list").stdout.splitlines()[2].split()[4], "no")
        text = self.run_hvctl("storage", "list", expect=22).stdout
        self.assertIn("no answer", text)
        self.assertEqual(text.count("B: no connection to the peer"), 1)
        self.assertEqual(json.loads(self.run_hvctl("storage", "list", "-o", "json", expect=22).stdout), answers[3])
        self.assertIn("unknown", self.run_hvctl("storage", "list", expect=22).stdout)

    def test_hostile_text_never_commands_the_terminal(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("vm1", owner="\x1b[2Jevil\u009b31m\n")]})})
        text = self.run_hvctl("vm", "list").stdout
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\u009b", text)
        self.assertEqual(len(text.splitlines()), 2)

    def test_narrow_terminal_wraps_and_loses_nothing(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("a-rather-long-name-for-a-machine-1", nics=[{"network": f"network-{i}", "mac": ""} for i in range(6)])]})})
        code, text = Pty(self.command("vm", "list"), columns=80).end()
        self.assertEqual(code, 0)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text.decode())
        self.assertLessEqual(max(len(line) for line in plain.splitlines()), 80)
        for i in range(6):
            self.assertIn(f"network-{i}", plain)
        self.assertIn(b"\x1b[32mrunning", text)

    def test_no_color(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("vm1")]})})
        os.environ["NO_COLOR"] = "1"
        self.addCleanup(os.environ.pop, "NO_COLOR")
        _, text = Pty(self.command("vm", "list")).end()
        self.assertNotIn(b"\x1b[", text)


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


class Requests(Case):
    def test_addresses_come_with_their_firewall_rules(self):
        rules = ["nft add rule inet filter input ip daddr 10.77.0.11 tcp dport 8801 accept", "nft add rule inet filter input ip daddr 10.78.0.11 tcp dport 7900-8799 accept"]
        self.serve({"PUT /v1/node/addresses": Answer(body={"result": {"text": "recorded", "firewall": rules}, "durability": "both nodes"})})
        for words in (["set-ip-address", "10.77.0.11"], ["set-drbd-address", "10.78.0.11"]):
            shown = self.run_hvctl("node", *words).stdout
            for rule in rules:
                self.assertIn("    " + rule + "\n", shown)

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

    def test_whatever_is_missing_is_named_with_the_nearest_one(self):
        def missing(what):
            return problem("not-found", 404, f"there is no {what}")

        pool = {"name": "fast", "kind": "thin", "nodes": []}
        self.serve({"POST /v1/vms": [missing("network lann"), missing("storage pool fats")], "POST /v1/vms/vm1/migrate": missing("node BB"),
                    "DELETE /v1/storage/fats": missing("storage pool fats"), "DELETE /v1/snapshots/mcvs-A-17-vm1-O": missing("snapshot mcvs-A-17-vm1-O"),
                    "POST /v1/cluster/accept-copy": missing("replicated disk vm1-O"), "GET /v1/operations/A-71": missing("operation A-71"),
                    "GET /v1/vms": Answer(body={"vms": [vm("vm1")]}), "GET /v1/networks": Answer(body={"networks": [{"name": "lan"}]}), "GET /v1/storage": Answer(body={"pools": [pool]}),
                    "GET /v1/nodes": Answer(body={"nodes": [{"name": "A"}, {"name": "B"}]}), "GET /v1/operations": Answer(body={"operations": [operation()]}),
                    "GET /v1/snapshots": Answer(body={"snapshots": [{"name": "mcvs-A-17-vm1-0"}], "silent": []})})
        for words, found in ((["vm", "create", "vm2", "--network", "lann"], "lan"), (["vm", "create", "vm2", "--storage", "fats"], "fast"), (["migrate", "--node", "BB", "vm1"], "B"),
                             (["storage", "delete", "fats", "--yes"], "fast"), (["storage", "delete-snapshot", "mcvs-A-17-vm1-O", "--yes"], "mcvs-A-17-vm1-0"),
                             (["cluster", "accept-copy", "vm1-O"], "vm1-0"), (["op", "show", "A-71"], "A-17")):
            self.assertEqual(self.run_hvctl(*words, expect=4).stderr.count(f"did you mean {found}?"), 1, words)

    def test_several_of_anything_have_a_result_each(self):
        gone = Answer(body={"result": {}, "durability": "both nodes"})
        self.serve({"DELETE /v1/networks/lan": gone, "DELETE /v1/networks/dmz": problem("in-use", 409, "vm1 is plugged into dmz"), "DELETE /v1/networks/old": gone})
        done = self.run_hvctl("network", "delete", "lan", "dmz", "old", "lan", "--yes", expect=5)
        self.assertEqual(done.stdout, "lan: Network lan is gone.\nold: Network old is gone.\n")
        self.assertIn("dmz: vm1 is plugged into dmz [in-use]", done.stderr)
        self.assertEqual([one[1].rsplit("/")[-1] for one in self.fake.requests], ["lan", "dmz", "old"])
        results = json.loads(self.run_hvctl("network", "delete", "lan", "dmz", "--yes", "-o", "json", expect=5).stdout)["results"]
        self.assertEqual([(one["name"], sorted(one)) for one in results], [("lan", ["answer", "name"]), ("dmz", ["error", "name"])])

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
        self.assertEqual(self.fake.requests, [])
        terminal = Pty(self.command("vm", "delete", "vm1"))
        terminal.read_until(b"to go on: ")
        terminal.type(b"vm1\n")
        self.assertEqual(terminal.end()[0], 0)
        self.run_hvctl("delete", "vm1", "--yes")
        self.assertEqual(len(self.fake.bodies("DELETE", "/v1/vms/vm1")), 2)

    def test_confirming_a_node_down_names_the_two_facts(self):
        cover = {"covered": ["vm1-0"], "left_out": ["vm2-0 stays closed: its copy here is not whole, or not attached"], "resumed": [], "still_held": [],
                 "generation": 1, "last_contact": None}
        check = Answer(body=cover)
        route = "/v1/cluster/confirm-down"
        facts = {"node": "B", "is_powered_off": True, "nobody_let_it_carry_on": True}
        self.serve({f"POST {route}": check})
        self.assertIn("not-confirmed", self.run_hvctl("cluster", "confirm-down", "B", expect=11).stderr)
        self.assertEqual(self.fake.bodies("POST", route), [{"node": "B", "check_only": True}])
        terminal = Pty(self.command("cluster", "confirm-down", "B"))
        shown = terminal.read_until(b"to go on: ").decode()
        self.assertIn("1. B is powered off", shown)
        self.assertIn("2. Nobody let B carry on alone since", shown)
        self.assertIn("vm2-0 stays closed", shown)
        terminal.type(b"yes\n")
        self.assertEqual(terminal.end()[0], 11)
        self.assertNotIn(facts, self.fake.bodies("POST", route))

    def test_a_confirmed_node_counts_as_down(self):
        done = {"covered": ["vm1-0"], "left_out": [], "resumed": ["vm1-0"], "still_held": [], "generation": 2, "last_contact": 1700000000}
        route = "/v1/cluster/confirm-down"
        facts = {"node": "B", "is_powered_off": True, "nobody_let_it_carry_on": True}
        self.serve({f"POST {route}": Answer(body={"result": done, "durability": "single node"})})
        shown = self.run_hvctl("cluster", "confirm-down", "B", "--yes").stdout
        self.assertEqual(self.fake.bodies("POST", route)[-1], facts)
        self.assertIn("Held writes go on: vm1-0", shown)
        self.assertIn("hvctl vm start VM", shown)

    def test_a_node_that_left_asks_for_another_second_fact(self):
        cover = {"covered": [], "left_out": ["vm1-0 stays closed: B was let go on with it when this node left"], "resumed": [], "still_held": [],
                 "generation": 1, "last_contact": None, "after_leave": True, "left_at": 1700000000}
        route = "/v1/cluster/confirm-down"
        self.serve({f"POST {route}": Answer(body=cover)})
        terminal = Pty(self.command("cluster", "confirm-down", "B"))
        shown = terminal.read_until(b"to go on: ").decode()
        self.assertIn("This node left in order at", shown)
        self.assertIn("1. B is powered off", shown)
        self.assertIn("2. B was let go on when this node left", shown)
        self.assertNotIn("Nobody let B carry on", shown)
        self.assertIn("vm1-0 stays closed", shown)
        terminal.type(b"B\n")
        self.assertEqual(terminal.end()[0], 0)
        self.assertEqual(self.fake.bodies("POST", route)[-1], {"node": "B", "is_powered_off": True, "was_let_go_on": True})

    def test_a_node_that_answers_is_not_confirmed_down(self):
        self.serve({"POST /v1/cluster/confirm-down": problem("peer-answers", 412, "B is not down: its corosync answers")})
        self.assertIn("peer-answers", self.run_hvctl("cluster", "confirm-down", "B", "--yes", expect=6).stderr)
        self.assertEqual(len(self.fake.bodies("POST", "/v1/cluster/confirm-down")), 1)

    def test_run_alone_says_what_it_may_lose_before_it_is_set(self):
        self.serve({"PATCH /v1/cluster": Answer(body={"result": {"text": "done"}, "durability": "both nodes"})})
        self.assertIn("not-confirmed", self.run_hvctl("cluster", "update", "--peer-loss", "run-alone", expect=11).stderr)
        self.assertEqual(self.fake.bodies("PATCH", "/v1/cluster"), [])
        self.assertIn("carry-on", self.run_hvctl("cluster", "update", "--peer-loss", "carry-on", expect=2).stderr)
        terminal = Pty(self.command("cluster", "update", "--peer-loss", "run-alone"))
        self.assertIn("What this may lose", terminal.read_until(b"to go on: ").decode())
        terminal.type(b"run-alone\n")
        self.assertEqual(terminal.end()[0], 0)
        self.run_hvctl("cluster", "update", "--peer-loss", "freeze")
        self.assertEqual(self.fake.bodies("PATCH", "/v1/cluster"), [{"peer_loss": "run-alone"}, {"peer_loss": "freeze"}])

    def test_an_older_copy_is_accepted_by_its_name(self):
        asked = {"volume": "vm1-0", "vm": "vm1", "reason": "vm1-0 stays closed: A went on", "limit": "A keeps its own record"}
        route = "/v1/cluster/accept-copy"
        self.serve({f"POST {route}": Answer(body=asked)})
        self.assertIn("not-confirmed", self.run_hvctl("cluster", "accept-copy", "vm1-0", expect=11).stderr)
        self.assertEqual(self.fake.bodies("POST", route), [{"volume": "vm1-0", "check_only": True}])
        terminal = Pty(self.command("cluster", "accept-copy", "vm1-0"))
        shown = terminal.read_until(b"to go on: ").decode()
        self.assertIn("vm1-0 stays closed: A went on", shown)
        self.assertIn("The other node is powered off", shown)
        self.assertIn("Known limit: A keeps its own record", shown)
        terminal.type(b"yes\n")
        self.assertEqual(terminal.end()[0], 11)
        self.assertNotIn("may_be_older", str(self.fake.bodies("POST", route)))

    def test_an_accepted_copy_names_the_limit_and_the_next_command(self):
        done = {"volume": "vm1-0", "vm": "vm1", "reason": "", "limit": "A keeps its own record"}
        route = "/v1/cluster/accept-copy"
        self.serve({f"POST {route}": Answer(body={"result": done, "durability": "single node"})})
        shown = self.run_hvctl("cluster", "accept-copy", "vm1-0", "--yes").stdout
        self.assertEqual(self.fake.bodies("POST", route)[-1], {"volume": "vm1-0", "may_be_older": True})
        self.assertIn("A keeps its own record", shown)
        self.assertIn("hvctl vm start vm1", shown)

    def test_two_histories_are_shown_and_one_is_chosen_by_its_name(self):
        def side(node, known, changes):
            taken = {"counter": 2, "uuid": f"uuid-of-{node}", "taken_by": node, "proof": f"confirm-down: uid 0 on {node}", "since": 1_700_000_000}
            return {"node": node, "known": known, "generations": [taken], "index": 14, "hash": f"hash-of-{node}-and-more", "complete": True, "changes": changes}
        change = {"index": 13, "summary": "network netb", "objects": [{"kind": "network", "name": "netb", "action": "created"}]}
        given_up = {"base": "A", "other": "B", "by": "", "wall_seconds": 1_700_000_100, "common": {"index": 12, "hash": "common"}, "history": side("B", "asked", [change]), "changes_left_out": 0,
                    "vms": [{"vm": "vm1", "owner": "B", "text": "belongs to B, where it runs"}],
                    "to_repeat": [{"text": "the network netb on bridge br0", "command": "hvctl network create netb --bridge br0"}, {"text": "the setting odd\x1b[2J", "command": ""}]}
        diverged = {"node": "A", "diverged": True, "reason": "both nodes went on alone", "common": {"index": 12, "hash": "0123456789abcdef"}, "histories": [side("A", "own", []), side("B", "asked", [change])], "given_up": []}
        route = "/v1/cluster/diverged"
        self.serve({f"GET {route}": Answer(body=diverged), f"POST {route}": Answer(body=given_up), f"POST {route}/dismiss": Answer(body={"result": {"text": "done"}, "durability": "both nodes"})})
        shown = self.run_hvctl("cluster", "diverged").stdout
        for words in ("both nodes went on alone", "12 (0123456789ab)", "confirm-down: uid 0 on B", "network netb created", "hash-of-A-an", "hvctl cluster diverged --base B"):
            self.assertIn(words, shown)
        self.assertEqual(json.loads(self.run_hvctl("cluster", "diverged", "-o", "json").stdout), diverged)
        self.assertIn("not-confirmed", self.run_hvctl("cluster", "diverged", "--base", "A", expect=11).stderr)
        terminal = Pty(self.command("cluster", "diverged", "--base", "A"))
        asked = terminal.read_until(b"to go on: ").decode()
        self.assertIn("vm1 belongs to B, where it runs", asked)
        self.assertIn("the network netb on bridge br0", asked)
        terminal.type(b"B\n")
        self.assertEqual(terminal.end()[0], 11)
        self.assertEqual(self.fake.bodies("POST", route), [{"base": "A", "check_only": True}] * 2)
        self.fake.answers[f"GET {route}"] = [Answer(body={**diverged, "diverged": False, "reason": "", "common": None, "histories": [], "given_up": [given_up]})]
        self.fake.answers[f"POST {route}"] = [Answer(body={"result": {**given_up, "generation": 3, "adopted": True}, "durability": "both nodes"})]
        chosen = self.run_hvctl("cluster", "diverged", "--base", "A", "--yes").stdout
        self.assertIn("generation 3", chosen)
        self.assertIn("\n  hvctl network create netb --bridge br0\n", chosen)
        self.assertEqual(self.fake.bodies("POST", route)[-1], {"base": "A", "the_other_is_given_up": True})
        kept = self.run_hvctl("cluster", "diverged").stdout
        self.assertIn("  hvctl network create netb --bridge br0\n", kept)
        self.assertNotIn("\x1b", kept)
        self.assertIn("hvctl cluster diverged --dismiss", kept)
        self.run_hvctl("cluster", "diverged", "--dismiss")
        self.assertEqual(self.fake.bodies("POST", f"{route}/dismiss"), [{}])
        self.assertIn("bad-request", self.run_hvctl("cluster", "diverged", "--dismiss", "--base", "A", expect=2).stderr)

    def test_what_became_of_a_change_is_told_by_its_id(self):
        def answer(outcome, **more):
            return Answer(body={"id": "A-17/2@41", "outcome": outcome, "node": "A", "generation": None, "index": None, "hash": None, **more})
        self.serve({})
        for outcome, words, code in (("committed", "as entry 42 in generation 2", 0), ("not-applied", "can be repeated", 0), ("undecided", "only contact", 22), ("forgotten", "older than the kept log", 0)):
            more = {"generation": 2, "index": 42, "hash": "abcdef"} if outcome == "committed" else {}
            self.fake.answers["GET /v1/change"] = [answer(outcome, **more)]
            self.assertIn(words, self.run_hvctl("cluster", "change", "A-17/2@41", expect=code).stdout)
        self.assertIn("id=A-17%2F2%4041", str(self.fake.requests))

    def test_removing_a_node_is_confirmed_and_says_what_is_left_to_do(self):
        route = "/v1/cluster/remove-node"
        told = {"removed": "B", "leaver": {"blank": False, "why": "no connection", "text": "B has not said that it is blank"}}
        silent = operation("succeeded")
        silent["result"] = told
        self.serve({f"POST {route}": started(), "GET /v1/operations/A-17/events": Answer(events=[silent])})
        self.assertIn("not-confirmed", self.run_hvctl("cluster", "remove-node", "--node", "B", expect=11).stderr)
        self.assertEqual(self.fake.requests, [])
        shown = self.run_hvctl("cluster", "--remove-node", "--node", "B", "--yes").stdout
        self.assertIn("one leg", shown)
        self.assertIn("B has not said that it is blank", shown)
        self.run_hvctl("cluster", "remove-node", "--node", "B", "--dead", "--yes")
        self.assertEqual(self.fake.bodies("POST", route), [{"node": "B", "dead": False}, {"node": "B", "dead": True}])
        self.assertIn("bad-request", self.run_hvctl("cluster", "remove-node", "--yes", expect=2).stderr)

    def test_copies_in_quarantine_are_listed_and_deleted_by_name(self):
        copy = {"name": "mcvq-A-17-vm1-0", "volume": "vm1-0", "volume_group": "vg0", "removal": "A-17", "size": GIB}
        deleted = Answer(body={"result": {"text": "gone"}, "durability": "single node"})
        self.serve({"GET /v1/quarantine": Answer(body={"node": "B", "copies": [copy]}), "DELETE /v1/quarantine/mcvq-A-17-vm1-0": deleted})
        self.assertEqual(self.run_hvctl("storage", "list-quarantined").stdout.splitlines()[1].split(), ["mcvq-A-17-vm1-0", "vm1-0", "1", "GiB", "vg0", "A-17"])
        self.assertIn("not-confirmed", self.run_hvctl("storage", "delete-quarantined", copy["name"], expect=11).stderr)
        self.assertEqual(self.fake.bodies("DELETE", "/v1/quarantine/mcvq-A-17-vm1-0"), [])
        self.run_hvctl("storage", "delete-quarantined", copy["name"], "--yes")
        self.assertEqual(len(self.fake.bodies("DELETE", "/v1/quarantine/mcvq-A-17-vm1-0")), 1)

    def test_the_storage_type_is_changed_by_itself(self):
        self.serve({"POST /v1/vms/vm1/storage-type": started(operation_id="A-1"), "GET /v1/operations/A-1/events": Answer(events=[operation("succeeded", operation_id="A-1")])})
        done = self.run_hvctl("vm", "update", "vm1", "--storage-type", "drbd")
        self.assertEqual(self.fake.bodies("POST", "/v1/vms/vm1/storage-type"), [{"storage_type": "drbd"}])
        self.assertIn("hvctl resync --follow vm1", done.stdout)
        self.assertIn("bad-request", self.run_hvctl("vm", "update", "vm1", "--storage-type", "drbd", "--cpus", "2", expect=2).stderr)
        self.run_hvctl("vm", "update", "vm1", "--storage-type", "both", expect=2)

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

    def test_no_daemon(self):
        done = self.run_hvctl("info", expect=7)
        self.assertIn("systemctl start mcvd", done.stderr)

    def test_answers_that_make_no_sense(self):
        for raw in (b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
                    b"HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100000 + b"\r\n\r\n"):
            with self.subTest(raw=raw[:60]):
                fake = FakeMcvd(self.socket, {"GET /v1/vms": Answer(raw=raw)})
                try:
                    done = subprocess.run(self.command("vm", "list"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
                    self.assertIn(done.returncode, (7, 12), done.stderr)
                    self.assertIn("error:", done.stderr)
                finally:
                    fake.close()
                    os.unlink(self.socket)

    def test_a_change_whose_answer_was_lost_is_not_called_unchanged(self):
        self.serve({"POST /v1/drbd/enable": Answer(raw=b"")})
        self.assertIn("may have been made", self.run_hvctl("drbd", "enable", expect=9).stderr)

    def test_completion(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("web1"), vm("db")]})})

        def complete(*words):
            return subprocess.run([HVCTL, "__complete", "--socket", self.socket, *words], capture_output=True, text=True, timeout=30).stdout.split()

        self.assertEqual(complete("vm", "st"), ["start", "stop"])
        self.assertEqual(complete("vm", "start", "w"), ["web1"])
        self.assertEqual(complete("vm", "create", "x", "--net"), ["--network"])
        self.assertEqual(complete("vm", "start", "web1", ""), ["db"])
        self.assertEqual(complete("cluster", "accept-copy", "we"), ["web1-0"])
        self.assertEqual(complete("cluster", "update", "--peer-loss", ""), ["freeze", "run-alone"])
        self.assertEqual(complete("cluster", "update", "--verify-age", ""), ["off"])
        self.assertEqual(complete("vm", "create", "x", "--hypervisor", "q"), ["qemu"])
        self.assertEqual(complete("help", "vm", "sta"), ["start"])
        self.assertIn("migrate", complete(""))

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_completion_as_bash_asks_for_it(self):
        script = pathlib.Path(__file__).resolve().parents[3] / "config" / "completion" / "hvctl.bash"
        path = f"{pathlib.Path(HVCTL).parent}:{os.environ['PATH']}"
        for words, offered in ((["vm", "sta"], "start"), (["cluster", "update", "--peer-loss", "r"], "run-alone"), (["op", "show", ""], "")):
            line = " ".join(shlex.quote(word) for word in ["hvctl", *words])
            shell = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _hvctl; echo ${{COMPREPLY[*]}}"
            done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=30, env={**os.environ, "PATH": path})
            self.assertEqual((done.stdout.strip(), done.stderr), (offered, ""), words)


class Access(Case):
    """users, groups, grants: what is asked for, and how the answers read"""

    def done(self, **result):
        return Answer(body={"result": {"text": "done", **result}, "durability": "both nodes"})

    def test_a_user_an_account_of_both_nodes_or_of_one(self):
        self.serve({"POST /v1/users": [self.done(note=""), self.done(note="B has no account alice: there it lets nobody in")]})
        added = self.run_hvctl("user", "add", "alice")
        self.assertIn("hvctl grant add --user alice", added.stdout)
        self.assertEqual(added.stderr, "")
        self.assertIn("B has no account alice", self.run_hvctl("user", "add", "alice").stderr)
        self.assertEqual(self.fake.bodies("POST", "/v1/users"), [{"name": "alice"}] * 2)

    def test_what_is_taken_away_is_typed_or_said_yes_to(self):
        self.serve({"DELETE /v1/users/alice": self.done(), "DELETE /v1/groups/ops": self.done()})
        self.run_hvctl("user", "remove", "alice", expect=11)
        self.run_hvctl("group", "delete", "ops", expect=11)
        self.assertEqual(self.fake.requests, [])
        self.run_hvctl("user", "rm", "--yes", "alice")
        self.run_hvctl("group", "rm", "--yes", "ops")

    def test_a_misspelt_user_gets_the_nearest_one(self):
        self.serve({"DELETE /v1/users/alcie": problem("not-found", 404, "there is no user named 'alcie'"), "GET /v1/users": Answer(body={"users": [{"name": "alice", "groups": [], "roles": []}]})})
        self.assertIn("did you mean alice?", self.run_hvctl("user", "remove", "--yes", "alcie", expect=4).stderr)

    def test_groups(self):
        self.serve({"POST /v1/groups": self.done(), "POST /v1/groups/ops/members": self.done(), "DELETE /v1/groups/ops/members/alice": self.done(),
                    "GET /v1/groups": Answer(body={"groups": [{"name": "ops", "members": ["alice", "bob"]}, {"name": "empty", "members": []}]})})
        self.run_hvctl("group", "create", "ops")
        self.run_hvctl("group", "add", "ops", "alice")
        self.run_hvctl("group", "remove", "ops", "alice")
        self.assertEqual(self.fake.bodies("POST", "/v1/groups/ops/members"), [{"user": "alice"}])
        shown = self.run_hvctl("group", "list").stdout.splitlines()
        self.assertEqual(shown[1].split("  ")[0], "ops")
        self.assertIn("alice, bob", shown[1])
        self.run_hvctl("group", "add", "ops", expect=2)
        both = self.run_hvctl("group", "add", "ops", "alice", "bob")
        self.assertEqual(both.stdout, "alice: alice is in the group ops.\nbob: bob is in the group ops.\n")

        def complete(*words):
            return subprocess.run([HVCTL, "__complete", "--socket", self.socket, *words], capture_output=True, text=True, timeout=30).stdout.split()

        self.fake.answers["GET /v1/users"] = [Answer(body={"users": [{"name": "carol"}]})]
        self.assertEqual(complete("group", "add", ""), ["empty", "ops"])
        self.assertEqual(complete("group", "add", "ops", ""), ["carol"])

    def test_grants(self):
        self.serve({"POST /v1/grants": self.done(), "POST /v1/grants/remove": self.done(), "GET /v1/grants": Answer(body={"grants": [
            {"user": "alice", "group": None, "role": "owner", "vm": "vm1", "holds": True}, {"user": None, "group": "ops", "role": "viewer", "vm": None, "holds": True},
            {"user": "bob", "group": None, "role": "owner", "vm": "old", "holds": False}]})})
        self.assertIn("alice has the role operator on vm1.", self.run_hvctl("grant", "add", "--user", "alice", "--role", "operator", "--vm", "vm1").stdout)
        self.assertIn("The group ops has the role viewer everywhere.", self.run_hvctl("grant", "add", "--group", "ops", "--role", "viewer").stdout)
        self.assertIn("no more", self.run_hvctl("grant", "remove", "--user", "alice", "--role", "operator", "--vm", "vm1").stdout)
        self.assertEqual(self.fake.bodies("POST", "/v1/grants"), [{"user": "alice", "role": "operator", "vm": "vm1"}, {"group": "ops", "role": "viewer"}])
        self.assertEqual(self.fake.bodies("POST", "/v1/grants/remove"), [{"user": "alice", "role": "operator", "vm": "vm1"}])
        shown = self.run_hvctl("grant", "list").stdout
        for words in ("vm1", "group ops", "everywhere", "old (gone)"):
            self.assertIn(words, shown)
        before = len(self.fake.requests)
        for words in (["--user", "alice"], ["--role", "owner"], ["--user", "a", "--group", "g", "--role", "owner"], ["--user", "alice", "--role", "king"]):
            self.run_hvctl("grant", "add", *words, expect=2)
        self.assertEqual(len(self.fake.requests), before)

    def test_users_with_what_they_may_do(self):
        roles = [{"role": "viewer", "vm": None, "through": "ops"}, {"role": "owner", "vm": "vm1", "through": None}]
        self.serve({"GET /v1/users": [Answer(body={"users": [{"name": "alice", "groups": ["ops"], "roles": roles}, {"name": "bob", "groups": [], "roles": []}]}), Answer(body={"users": []})]})
        shown = self.run_hvctl("user", "list").stdout.splitlines()
        self.assertIn("viewer (ops), owner on vm1", shown[1])
        self.assertIn("root alone", self.run_hvctl("user", "list").stdout)

    def test_who_one_is(self):
        who = {"name": "alice", "uid": 1000, "node": "A", "root": False, "user": True, "roles": [{"role": "owner", "vm": "vm1", "through": None}]}
        self.serve({"GET /v1/whoami": [Answer(body=who), Answer(body={**who, "roles": []}), Answer(body={**who, "user": False, "roles": []}),
                                       Answer(body={**who, "name": "root", "root": True, "user": False, "uid": 0, "roles": []})]})
        for wanted in ("alice on A: owner on vm1", "a user without a role", "hvctl user add alice", "root on A: may do everything"):
            self.assertIn(wanted, self.run_hvctl("whoami").stdout)

    def test_why_or_why_not(self):
        no = {"user": "alice", "action": "vm.start", "vm": "vm1", "allowed": False, "reason": "'vm.start' on vm1 takes the role operator, and alice has no role", "next": "an administrator types: hvctl"}
        self.serve({"GET /v1/explain": [Answer(body=no), Answer(body={**no, "allowed": True, "reason": "root may do everything", "next": ""})]})
        shown = self.run_hvctl("explain", "permission", "alice", "vm.start", "vm1").stdout
        self.assertIn("not allowed: 'vm.start' on vm1 takes the role operator", shown)
        self.assertIn("Next: an administrator types", shown)
        self.assertEqual(self.run_hvctl("explain", "permission", "alice@x", "vm.start").stdout, "allowed: root may do everything.\n")
        self.assertEqual([target for _, target, _ in self.fake.requests], ["/v1/explain?user=alice&action=vm.start&vm=vm1", "/v1/explain?user=alice%40x&action=vm.start"])
        self.run_hvctl("explain", "permission", "alice", expect=2)

    def test_every_action_is_in_the_help(self):
        shown = self.run_hvctl("explain", "permission", "--help").stdout
        text = (pathlib.Path(__file__).resolve().parents[3] / "src/cluster/access/permissions.def").read_text()
        for action in re.findall(r'^MCV_PERMISSION\(\w+,\s*"([^"]+)"', text, re.MULTILINE):
            self.assertRegex(shown, rf"(?<![\w.-]){re.escape(action)}(?![\w-])")


class Audit(Case):
    """who asked for what"""

    def row(self, **changes):
        row = {"id": "1", "wall_seconds": 1_700_000_000, "user": "alice", "entered": "B", "node": "A", "action": "vm.start", "request": "POST /v1/vms/vm1/start", "vms": ["vm1"],
               "text": "start vm1 on A", "result": "succeeded", "error": "", "operation": "A-7", "unheard": 0}
        return {**row, **changes}

    def test_rows_for_people(self):
        refused = self.row(result="refused", error="permission-denied", text="", operation="", unheard=12, user="uid 1004", request="DELETE /v1/vms/vm1\x1b[2J")
        self.serve({"GET /v1/audit": Answer(body={"rows": [self.row(), refused], "silent": []})})
        shown = self.run_hvctl("audit").stdout
        for words in ("alice on B", "vm.start", "succeeded", "start vm1 on A [A-7]", "uid 1004 on B", "refused (permission-denied) and 12 more before", "DELETE /v1/vms/vm1"):
            self.assertIn(words, shown)
        self.assertNotIn("\x1b", shown)

    def test_filters(self):
        self.serve({"GET /v1/audit": Answer(body={"rows": [], "silent": []})})
        self.assertIn("Nothing", self.run_hvctl("audit", "--user", "alice", "--vm", "vm1", "--action", "vm", "--result", "refused", "--limit", "7").stdout)
        self.assertEqual(self.fake.requests[-1][1], "/v1/audit?user=alice&vm=vm1&action=vm&result=refused&limit=7")
        self.run_hvctl("audit", "--since", "7d")
        since = int(re.fullmatch(r"/v1/audit\?since=(\d+)", self.fake.requests[-1][1]).group(1))
        self.assertAlmostEqual(since, time.time() - 7 * 86400, delta=60)
        self.run_hvctl("audit", "--since", "yesterday", expect=2)

    def test_a_node_that_does_not_answer(self):
        self.serve({"GET /v1/audit": Answer(body={"rows": [self.row()], "silent": ["A"]})})
        self.assertIn("A does not answer", self.run_hvctl("audit", expect=22).stderr)
        self.run_hvctl("audit", "-o", "json", expect=22)

    def test_a_row_on_one_node_is_said(self):
        answer = Answer(202, {"operation": operation(), "audit": "single node"})
        self.serve({"POST /v1/vms/vm1/kill": answer, "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")])})
        self.assertIn("on one node only", self.run_hvctl("vm", "kill", "--yes", "vm1").stderr)


class Verify(Case):
    def run_verify(self, verdicts, *words, expect):
        volumes = [{"vm": f"vm{i}", "volume": f"vm{i}-0", "verdict": verdict, "out_of_sync_kib": 4 if verdict == "mismatch" else 0, "ranges": [], "text": f"text {i}"}
                   for i, verdict in enumerate(verdicts)]
        self.serve({"POST /v1/verify": started(), "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded", result={"volumes": volumes})])})
        return self.run_hvctl("verify", *words, expect=expect)

    def test_clean(self):
        self.assertIn("clean", self.run_verify(["clean", "clean"], "--all", expect=0).stdout)
        self.assertEqual(self.fake.bodies("POST", "/v1/verify"), [{"all": True}])

    def test_clean_and_quiet_prints_nothing_for_cron(self):
        done = self.run_verify(["clean", "clean"], "--all", "--quiet", expect=0)
        self.assertEqual(done.stdout + done.stderr, "")

    def test_a_difference_counts_most(self):
        done = self.run_verify(["clean", "could-not-verify", "mismatch"], "vm0", "vm1", "vm2", "-q", expect=20)
        self.assertNotIn("vm0", done.stdout)
        self.assertIn("mismatch", done.stdout)

    def test_a_difference_of_a_run_that_did_not_end_counts_as_one(self):
        done = self.run_verify(["clean", "suspect", "could-not-verify"], "--all", expect=20)
        self.assertIn("suspect", done.stdout)
        self.assertIn("neither start nor move", done.stderr)

    def test_suspect_is_shown_wherever_a_volume_is(self):
        verdict = {"kind": "suspect", "wall_seconds": 1, "node": "A", "ranges": []}
        listed = {"volume": "vm1-0", "vm": "vm1", "minor": 1, "port": 7001, "size": GIB, "role": "Secondary", "peer_role": "Secondary", "connection": "connected",
                  "replication": "established", "disk": "UpToDate", "peer_disk": "UpToDate", "out_of_sync_kib": 4, "suspended": "no", "verdict": verdict, "holds": []}
        shown = vm("vm1", volumes=[{**vm("vm1")["volumes"][0], "verdict": verdict}])
        self.serve({"GET /v1/vms": Answer(body={"vms": [shown]}), "GET /v1/vms/vm1": Answer(body=shown), "GET /v1/drbd": Answer(body={"enabled": True, "volumes": [listed]})})
        self.assertIn("suspect", self.run_hvctl("drbd", "list").stdout)
        self.assertIn("suspect", self.run_hvctl("vm", "info", "vm1").stdout)
        self.assertIn("found differences and did not end: vm1-0", self.run_hvctl("vm", "list").stdout)

    def test_a_joined_run_says_so_and_shows_what_was_asked_for(self):
        volumes = [{"vm": f"vm{i}", "volume": f"vm{i}-0", "verdict": verdict, "out_of_sync_kib": 0, "ranges": [], "text": "text"} for i, verdict in enumerate(["clean", "mismatch"])]
        joined = Answer(202, {"operation": {**operation("running"), "joined": True}})
        self.serve({"POST /v1/verify": joined, "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded", result={"volumes": volumes})])})
        done = self.run_hvctl("verify", "vm0", expect=0)
        self.assertIn("runs already", done.stderr)
        self.assertNotIn("vm1", done.stdout)
        self.assertEqual(self.run_hvctl("verify", "--all", "--scheduled", "--quiet", expect=20).stderr.count("runs already"), 0)
        self.assertEqual(self.fake.bodies("POST", "/v1/verify"), [{"vms": ["vm0"]}, {"all": True, "scheduled": True}])

    def test_sums_up(self):
        self.assertIn("3 disks of 3 VMs: 1 clean, 1 mismatch, 1 not compared", self.run_verify(["clean", "could-not-verify", "mismatch"], "--all", expect=20).stdout)

    def test_history(self):
        def run(result, **more):
            return {"vm": "vm1", "volume": "vm1-0", "node": "A", "operation": "A-17", "asked_by": "timer", "wall_seconds": 1764000000, "seconds": 63, "result": result, "text": "why",
                    "ranges": [], "range_count": 0, "blocks": 0, "equal_on_recheck_blocks": 0, **more}
        runs = [run("mismatch", blocks=3, range_count=2), run("clean"), run("cut-off", asked_by="root")]
        self.serve({"GET /v1/verify/history?name=vm1": Answer(body={"kept": 20, "runs": runs}), "GET /v1/verify/history": Answer(body={"kept": 20, "runs": []}),
                    "GET /v1/verify/history?name=vm9": problem("not-found", 404, "there is no VM with a replicated disk, and no replicated disk, named vm9"), "GET /v1/vms": Answer(body={"vms": []})})
        shown = self.run_hvctl("verify", "--history", "vm1").stdout
        for words in ("mismatch, 3 blocks in 2 ranges", "1m 3s", "timer", "root", "cut-off", "A-17"):
            self.assertIn(words, shown)
        self.assertIn("No verify is on record", self.run_hvctl("verify", "--history").stdout)
        self.assertEqual(len(json.loads(self.run_hvctl("-o", "json", "verify", "--history", "vm1").stdout)["runs"]), 3)
        self.run_hvctl("verify", "--history", "vm9", expect=4)

    def test_what_was_not_compared_for_long_is_named(self):
        verdict = {"kind": "clean", "wall_seconds": 1, "node": "A", "ranges": []}
        listed = {"volume": "vm1-0", "vm": "vm1", "minor": 1, "port": 7001, "size": GIB, "role": "Secondary", "peer_role": "Secondary", "connection": "connected",
                  "replication": "established", "disk": "UpToDate", "peer_disk": "UpToDate", "out_of_sync_kib": 0, "suspended": "no", "verdict": verdict, "verify_overdue": True, "holds": []}
        self.serve({"GET /v1/drbd": Answer(body={"enabled": True, "volumes": [listed]})})
        shown = self.run_hvctl("drbd", "list").stdout
        self.assertIn("vm1-0", shown[shown.index("warning"):])
        self.assertIn("hvctl verify --all", shown)

    def test_settings_of_verifies(self):
        self.serve({"PATCH /v1/cluster": Answer(body={"result": {"text": "done"}, "durability": "both nodes"})})
        self.assertIn("older than 14 d", self.run_hvctl("cluster", "update", "--verify-age", "2w", "--verify-parallel", "3").stdout)
        self.run_hvctl("cluster", "update", "--verify-age", "off")
        self.assertEqual(self.fake.bodies("PATCH", "/v1/cluster"), [{"verify_age_seconds": 1209600, "verify_parallel": 3}, {"verify_age_seconds": 0}])
        self.assertIn("Sun 02:00", self.run_hvctl("cluster", "update", "--verify-calendar", "Sun 02:00").stdout)
        self.assertEqual(self.fake.bodies("PATCH", "/v1/cluster")[2:], [{"verify_calendar": "Sun 02:00"}])
        for wrong in (["--verify-age", "30"], ["--verify-age", "0d"], ["--verify-parallel", "9"], []):
            self.run_hvctl("cluster", "update", *wrong, expect=2)

    def test_nothing_to_compare_is_fine_for_a_nightly_job(self):
        self.serve({"POST /v1/verify": problem("not-found", 404, "there is no replicated volume to verify")})
        self.run_hvctl("verify", "--all", expect=0)
        self.run_hvctl("verify", "vm1", expect=4)

    def test_not_compared(self):
        self.run_verify(["clean", "could-not-verify"], "--all", expect=21)

    def test_no_daemon_means_not_compared_but_a_wrong_call_stays_one(self):
        self.run_hvctl("verify", "--all", expect=21)
        self.run_hvctl("verify", expect=2)


class Join(Case):
    def answers(self, checks=CHECKS):
        return {"GET /v1/info": Answer(body=INFO), "POST /v1/cluster/add-node": [Answer(body=checks), started()],
                "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")])}

    def test_with_a_connect_string(self):
        self.serve(self.answers())
        done = self.run_hvctl("cluster", "add-node", "--connect-string", CONNECT_STRING)
        body = {"connect_string": CONNECT_STRING, "node": "B"}
        self.assertEqual(self.fake.bodies("POST", "/v1/cluster/add-node"), [{**body, "check_only": True}, {**body, "check_only": False}])
        self.assertIn("timedatectl set-ntp true", done.stdout)
        self.assertIn("NOT encrypted", done.stderr)
        self.assertNotIn("secret", done.stdout + done.stderr)

    def test_the_connect_string_need_not_be_on_the_command_line(self):
        self.serve(self.answers())
        done = self.run_hvctl("-v", "cluster", "--node", "B", "--ip-address", "10.77.0.12", "--add-node", "--check-only", "--connect-string", "-", text_in=CONNECT_STRING + "\n")
        self.assertEqual([body["check_only"] for body in self.fake.bodies("POST", "/v1/cluster/add-node")], [True])
        self.assertIn("Nothing was changed", done.stdout)
        self.assertNotIn(CONNECT_STRING[10:60], done.stdout + done.stderr)

    def test_not_suitable_shows_the_table_and_asks_for_nothing_more(self):
        self.serve(self.answers({"suitable": False, "suitability": [{"check": "clock-skew", "status": "fail", "text": "2 h apart", "fix": "timedatectl set-ntp true"}]}))
        done = self.run_hvctl("cluster", "add-node", "--connect-string", CONNECT_STRING, expect=6)
        self.assertIn("clock-skew", done.stdout)
        self.assertIn("node-not-suitable", done.stderr)
        self.assertEqual(len(self.fake.bodies("POST", "/v1/cluster/add-node")), 1)

    def test_refusals_of_the_other_node_reach_the_operator(self):
        refusals = (("version-mismatch", "mcv 0.1.0 here, 0.0.9 there", "install the same mcv package on both nodes"),
                    ("already-clustered", "B is in a cluster already", "on B: hvctl info shows which; a node joins one cluster only"))
        answers = []
        for code, text, fix in refusals:
            # Found by the check, and (something changed between the two questions) by the join itself.
            answers += [Answer(body={"suitable": False, "suitability": [{"check": code, "status": "fail", "text": text, "fix": fix}]}),
                        Answer(body=CHECKS), problem(code, 412, text, "nothing was changed", fix)]
        self.serve({"GET /v1/info": Answer(body=INFO), "POST /v1/cluster/add-node": answers})
        for code, text, fix in refusals:
            with self.subTest(code):
                checked = self.run_hvctl("cluster", "add-node", "--connect-string", CONNECT_STRING, expect=6)
                self.assertIn(text, checked.stdout)
                self.assertIn(fix, checked.stdout)
                late = self.run_hvctl("cluster", "add-node", "--connect-string", CONNECT_STRING, expect=6)
                for part in (f"[{code}]", text, "nothing was changed", fix):
                    self.assertIn(part, late.stderr)
        self.assertEqual([body["check_only"] for body in self.fake.bodies("POST", "/v1/cluster/add-node")], [True, True, False] * 2)

    def test_another_name_is_refused_before_anything_is_asked(self):
        self.serve(self.answers())
        done = self.run_hvctl("cluster", "add-node", "--connect-string", CONNECT_STRING, "--node", "C", expect=6)
        self.assertIn("name-mismatch", done.stderr)
        self.assertEqual(self.fake.bodies("POST", "/v1/cluster/add-node"), [])

    def test_a_partner_already_there(self):
        self.serve({"GET /v1/info": Answer(body={**INFO, "cluster_state": "cluster", "peer": {"name": "B", "reachable": True, "in_group": True}})})
        self.assertIn("already-clustered", self.run_hvctl("cluster", "add-node", "--node", "C", "--ip-address", "10.77.0.13", expect=6).stderr)

    def test_the_string_alone_on_standard_output(self):
        self.serve({"POST /v1/cluster/connect-string": Answer(body={"connect_string": CONNECT_STRING, "expires_seconds": 600})})
        done = self.run_hvctl("cluster", "get-connect-string", "--ip-address", "10.77.0.12")
        self.assertEqual(done.stdout, CONNECT_STRING + "\n")
        answer = json.loads(self.run_hvctl("cluster", "get-connect-string", "-o", "json").stdout)
        self.assertEqual(answer, {"connect_string": CONNECT_STRING, "expires_seconds": 600})


class Console(Case):
    def test_replays_types_detaches_and_restores_the_terminal(self):
        self.serve({"GET /v1/vms/vm1/console": echo_console(b"boot output\r\n")})
        terminal = Pty(self.command("vm", "console", "vm1"))
        before = terminal.settings()
        terminal.read_until(b"boot output")
        terminal.type(b"ls\x03\r")  # Ctrl-C belongs to the guest
        terminal.read_until(b"LS\x03\r")
        self.assertNotEqual(terminal.settings(), before)
        terminal.type(b"\x1d")
        terminal.read_until(b"Detached from vm1")
        self.assertEqual(terminal.settings(), before)
        self.assertEqual(terminal.end()[0], 0)
        self.assertEqual(self.fake.requests[0][1], "/v1/vms/vm1/console?replay=65536")

    def test_a_signal_restores_the_terminal(self):
        self.serve({"GET /v1/vms/vm1/console": echo_console(b"boot output\r\n")})
        terminal = Pty(self.command("vm", "console", "vm1"))
        before = terminal.settings()
        terminal.read_until(b"boot output")
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.read_until(b"Detached")
        self.assertEqual(terminal.settings(), before)
        self.assertEqual(terminal.end()[0], 130)

    def test_from_a_pipe(self):
        self.serve({"GET /v1/vms/vm1/console": Answer(raw=b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcv-console\r\n\r\nall that was said\n")})
        self.assertEqual(self.run_hvctl("vm", "console", "vm1", "--replay", "0").stdout, "all that was said\n")

    def test_refused(self):
        self.serve({"GET /v1/vms/vm1/console": problem("guest-stopped", 412, "vm1 does not run", "", "hvctl vm start vm1")})
        self.assertIn("hvctl vm start vm1", self.run_hvctl("vm", "console", "vm1", expect=6).stderr)

    def test_start_attach(self):
        self.serve({"POST /v1/vms/vm1/start": started(), "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")]),
                    "GET /v1/vms/vm1/console": echo_console(b"boot output\r\n")})
        terminal = Pty(self.command("vm", "start", "--attach", "vm1"))
        terminal.read_until(b"boot output")
        terminal.type(b"\x1d")
        self.assertEqual(terminal.end()[0], 0)


if __name__ == "__main__":
    unittest.main()
