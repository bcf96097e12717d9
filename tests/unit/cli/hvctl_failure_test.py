# SPDX-License-Identifier: Apache-2.0
"""What goes wrong: names that do not exist, answers that make no sense, a daemon that is not there."""
import json
import os
import shlex
import subprocess
import unittest

from fake_mcvd import Answer, FakeMcvd, operation, problem
from hvctl_case import Case, vm


class Failures(Case):
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

    def test_a_size_that_is_none_names_its_option(self):
        shown = self.run_hvctl("vm", "create", "vm1", "--disk-size", "10Q", expect=2).stderr
        for words in ("--disk-size: '10Q' is not a size [bad-size]", "safe: nothing was asked of mcvd", "256M"):
            self.assertIn(words, shown)

    def test_output_that_nobody_can_read_is_a_failure(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("vm1")]})})
        for words in (["vm", "list"], ["--version"], ["help"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
            self.assertEqual(done.returncode, 12, words)
            self.assertIn("df -h", done.stderr)

    def test_a_reader_that_goes_away_early_is_none(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm(f"vm{i}") for i in range(3000)]})})
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {shlex.join(self.command('vm', 'list'))} | head -1"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        self.assertEqual((done.stdout.split()[0], done.stderr), ("VM", ""))
        self.assertIn(done.returncode, (0, 128 + 13))  # SIGPIPE, as every tool

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


if __name__ == "__main__":
    unittest.main()
