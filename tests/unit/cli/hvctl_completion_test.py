# SPDX-License-Identifier: Apache-2.0
"""What Tab offers, asked of hvctl and of a shell."""
import pathlib
import shlex
import shutil
import subprocess
import unittest

from fake_mcvd import Answer
from hvctl_case import HVCTL, Case, vm
from openapi import ROOT
from terminal import Pty


class Completion(Case):
    def complete(self, *words, path=False):
        done = subprocess.run([HVCTL, "__complete", "--socket", self.socket, *words], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (3 if path else 0, ""), words)
        return done.stdout.split()

    def test_words_names_and_values(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("web1"), vm("db")]}), "GET /v1/users": Answer(body={"users": [{"name": "alice"}]}),
                    "GET /v1/networks": Answer(body={"networks": [{"name": "lan"}]})})
        for words, wanted in ((["vm", "st"], ["start", "stop"]), (["vm", "start", "w"], ["web1"]), (["vm", "create", "x", "--net"], ["--network"]), (["vm", "start", "web1", ""], ["db"]),
                              (["cluster", "accept-copy", "we"], ["web1-0"]), (["cluster", "update", "--peer-loss", ""], ["freeze", "run-alone"]),
                              (["cluster", "update", "--verify-age", ""], ["off"]), (["vm", "create", "x", "--hypervisor", "q"], ["qemu"]), (["help", "vm", "sta"], ["start"]),
                              (["h"], ["help"]), (["-o", "j"], ["json"]), (["vm", "list", "-o", ""], ["json", "table"]), (["grant", "add", "--role", "o"], ["operator", "owner"]),
                              (["explain", "permission", ""], ["alice"]), (["explain", "permission", "alice", "vm.st"], ["vm.start", "vm.stop"]),
                              (["explain", "permission", "alice", "vm.start", "d"], ["db"]), (["audit", "--action", "vm.sta"], ["vm.start"]), (["audit", "--result", "re"], ["refused"]),
                              (["cluster", "--add-node", "--ip"], ["--ip-address"])):
            self.assertEqual(self.complete(*words), wanted, words)
        self.assertIn("migrate", self.complete(""))

    def test_options_of_every_command_may_stand_anywhere(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("web1"), vm("db")]})})
        for words in (["--dry-run"], ["--no-wait", "-vvv"], ["-o", "json"], ["--output=json"], ["--output", "=", "json"], ["-q", "--yes"]):
            self.assertEqual(self.complete(*words, "vm", "st"), ["start", "stop"], words)
            self.assertEqual(self.complete("vm", *words, "start", "w"), ["web1"], words)
        for words in ([], ["vm"], ["vm", "list"]):
            self.assertIn("--dry-run", self.complete(*words, "-"), words)
        self.assertNotIn("--dry-run", self.complete("--dry-run", "vm", "list", "--"))
        self.assertIn("--network", self.complete("vm", "create", "x", "--network", "lan", "--"))  # may be repeated

    def test_a_value_after_an_equals_sign(self):
        """bash divides the word, zsh does not."""
        self.serve({"GET /v1/networks": Answer(body={"networks": [{"name": "lan"}]})})
        self.assertEqual(self.complete("vm", "create", "x", "--network", "=", "l"), ["lan"])
        self.assertEqual(self.complete("vm", "create", "x", "--storage-type", "="), ["drbd", "local"])
        self.assertEqual(self.complete("vm", "create", "x", "--network=l"), ["--network=lan"])

    def test_paths_only_where_a_path_goes(self):
        self.complete("vm", "create", "x", "--kernel", "", path=True)
        self.complete("--socket", "", path=True)
        for words in (["vm", "create", "x", "--memory", ""], ["vm", "start", ""], ["vm", "strat", ""], ["whoami", ""], ["nonsense", ""]):
            self.assertEqual(self.complete(*words), [], words)

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_as_a_person_has_it_from_bash(self):
        """A real bash on a terminal: readline divides the words, and puts in what is offered."""
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("web1")]}), "GET /v1/networks": Answer(body={"networks": [{"name": "lan"}]})})
        here = pathlib.Path(self.directory.name)
        (here / "lost-file").touch()
        (here / "hvctl").write_text(f'#!/bin/sh\n[ "$1" != __complete ] || shift\nexec {shlex.quote(HVCTL)} __complete --socket {shlex.quote(self.socket)} "$@"\n')
        (here / "hvctl").chmod(0o755)
        script = ROOT / "config" / "completion" / "hvctl.bash"
        rc = here / "rc"
        rc.write_text(f"PATH={here}:$PATH; PS1='$ '; cd {here}; bind 'set enable-bracketed-paste off'; bind 'set show-all-if-ambiguous on'; source {script}\n")
        for typed, wanted in (("hvctl vm sta\t", "hvctl vm start "), ("hvctl vm start w\t", "hvctl vm start web1 "), ("hvctl vm create x --network=l\t", "hvctl vm create x --network=lan "),
                              ("hvctl vm create x --kernel lo\t", "hvctl vm create x --kernel lost-file "), ("hvctl vm create x --memory lo\t", "hvctl vm create x --memory lo"),
                              ("hvctl --dry-run migr\t", "hvctl --dry-run migrate ")):
            with self.subTest(typed):
                shell = Pty(["bash", "--noprofile", "--rcfile", str(rc), "-i"], columns=200)
                shell.read_until(b"$ ")
                shell.type(typed.encode() + b"#\n")
                shell.read_until(b"#\r\n")
                shell.type(b"exit\n")
                self.assertIn(f"{wanted}#".encode(), shell.end()[1].replace(b"\x07", b""))


if __name__ == "__main__":
    unittest.main()
