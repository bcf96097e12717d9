# SPDX-License-Identifier: Apache-2.0
"""The two nodes: addresses, losing and removing one, the words a person gives, formats."""
import json
import unittest

from fake_mcvd import Answer, operation, problem, started
from hvctl_case import Case
from terminal import Pty


class Cluster(Case):
    def test_addresses_come_with_their_firewall_rules(self):
        rules = ["nft add rule inet filter input ip daddr 10.77.0.11 tcp dport 8801 accept", "nft add rule inet filter input ip daddr 10.78.0.11 tcp dport 7900-8799 accept"]
        self.serve({"PUT /v1/node/addresses": Answer(body={"result": {"text": "recorded", "firewall": rules}, "durability": "both nodes"})})
        for words in (["set-ip-address", "10.77.0.11"], ["set-drbd-address", "10.78.0.11"]):
            shown = self.run_hvctl("node", *words).stdout
            for rule in rules:
                self.assertIn("    " + rule + "\n", shown)

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
        self.assertEqual(self.fake.changes(), [])
        shown = self.run_hvctl("cluster", "--remove-node", "--node", "B", "--yes").stdout
        self.assertIn("one leg", shown)
        self.assertIn("B has not said that it is blank", shown)
        self.run_hvctl("cluster", "remove-node", "--node", "B", "--dead", "--yes")
        self.assertEqual(self.fake.bodies("POST", route), [{"node": "B", "dead": False}, {"node": "B", "dead": True}])
        self.assertIn("bad-request", self.run_hvctl("cluster", "remove-node", "--yes", expect=2).stderr)

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


if __name__ == "__main__":
    unittest.main()
