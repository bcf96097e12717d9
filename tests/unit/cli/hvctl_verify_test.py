# SPDX-License-Identifier: Apache-2.0
"""Verifies: verdicts, exit codes for cron, history and age."""
import json
import unittest

from fake_mcvd import Answer, operation, problem, started
from hvctl_case import GIB, Case, vm


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

    def run_with_one_missing(self, verdict, *there, expect):
        volumes = [{"vm": "vm1", "volume": "vm1-0", "verdict": verdict, "out_of_sync_kib": 0, "ranges": [], "text": "compared"}]
        self.serve({"POST /v1/verify": [problem("not-found", 404, "there is no vm named 'vn1'"), started()],
                    "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded", result={"volumes": volumes})]), "GET /v1/vms": Answer(body={"vms": [vm(name) for name in there]})})
        return self.run_hvctl("verify", "vm1", "vn1", expect=expect)

    def test_a_vm_that_is_not_there_keeps_no_other_from_being_compared(self):
        done = self.run_with_one_missing("clean", "vm1", expect=4)
        self.assertIn("compared", done.stdout)
        self.assertEqual(done.stderr.count("there is no VM vn1; did you mean vm1?"), 1)
        self.assertEqual(self.fake.bodies("POST", "/v1/verify"), [{"vms": ["vm1", "vn1"]}, {"vms": ["vm1"]}])

    def test_a_difference_counts_more_than_a_vm_that_is_not_there(self):
        self.run_with_one_missing("mismatch", "vm1", expect=20)

    def test_where_no_vm_is_there_nothing_is_begun(self):
        done = self.run_with_one_missing("clean", "other", expect=4)
        self.assertEqual([done.stderr.count(f"there is no VM {name}") for name in ("vm1", "vn1")], [1, 1])
        self.assertEqual(len(self.fake.bodies("POST", "/v1/verify")), 1)

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


if __name__ == "__main__":
    unittest.main()
