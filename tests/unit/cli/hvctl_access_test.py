# SPDX-License-Identifier: Apache-2.0
"""Users, groups, roles, and who did what."""
import pathlib
import re
import subprocess
import time
import unittest

from fake_mcvd import Answer, operation, problem
from hvctl_case import HVCTL, Case


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
        self.assertEqual(self.fake.changes(), [])
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


if __name__ == "__main__":
    unittest.main()
