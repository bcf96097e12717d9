# SPDX-License-Identifier: Apache-2.0
"""The join as it is typed; join_ssh_test goes to a real sshd."""
import json
import unittest

from fake_mcvd import CHECKS, CONNECT_STRING, INFO, Answer, operation, problem, started
from hvctl_case import Case


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


if __name__ == "__main__":
    unittest.main()
