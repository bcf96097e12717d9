# SPDX-License-Identifier: Apache-2.0
"""What lists show, and what the other node being away does to them."""
import json
import os
import re
import unittest

from fake_mcvd import INFO, Answer
from hvctl_case import GIB, Case, vm
from terminal import Pty


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


if __name__ == "__main__":
    unittest.main()
