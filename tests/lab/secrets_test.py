#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The search for secrets finds what it is there for: planted leaks on nodes that are directories, searched by the real commands. No
lab, seconds."""

import base64
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Lab, SecretWatch  # noqa: E402
from harness import secrets as search  # noqa: E402

AUTHKEY = bytes(range(100, 228))
DRBD = "0123456789abcdef" * 3
SEED = bytes(range(7, 39))
TOKEN = "Tok_en-0123456789abcdef"
CONNECT_STRING = "mcv1:" + base64.urlsafe_b64encode(json.dumps({"address": "10.77.0.12", "token": TOKEN}).encode()).decode().rstrip("=")
PEM = "".join(
    f"-----BEGIN {kind}-----\n{base64.b64encode(body).decode()}\n-----END {kind}-----\n" for kind, body in (("PRIVATE KEY", bytes.fromhex("302e020100300506032b657004220420") + SEED), ("CERTIFICATE", b"public" * 40))
)


class Nodes:
    """A lab of two nodes: each a directory, in which the commands of the search run with the tools of this machine. What only a
    node has (systemd's journal, mcv) is a line in a file."""

    def __init__(self, top):
        self.top = pathlib.Path(top)
        self.nodes = ["A", "B"]
        self.transcript = None
        self.deaf = set()  # places that lose what comes
        self.answers = {}  # the words of an hvctl command -> what it prints
        for node in self.nodes:
            for path, data in ((search.SECRET_FILES[0], json.dumps({"drbd-shared-secret": DRBD, "corosync-authkey": AUTHKEY.hex()}).encode()), (search.SECRET_FILES[1], PEM.encode()), (search.SECRET_FILES[2], AUTHKEY)):
                self.put(node, path, data)
                self.path(node, path).chmod(0o600)
            for path in ("/var/lib/mcv/store.sqlite", "/var/log/mcv/console/vm1.log", "/journal", search.ARGV):
                self.put(node, path, b"nothing of interest\n")

    def path(self, node, path):
        return self.top / node / path.lstrip("/")

    def put(self, node, path, data):
        where = self.path(node, path)
        where.parent.mkdir(parents=True, exist_ok=True)
        with where.open("ab") as file:
            file.write(data)

    def write(self, node, path, text, mode="644"):
        self.path(node, path).parent.mkdir(parents=True, exist_ok=True)
        self.path(node, path).write_text(text)
        assert mode == "600", "the patterns are secrets"

    def run(self, node, command, check=True, timeout=120, stdin=None):
        line = command if isinstance(command, str) else shlex.join(command)
        done = subprocess.CompletedProcess([], *self.answer(node, command, line))
        if self.transcript is not None and "hvctl" in line:
            self.transcript.append((node, line, done.stdout + done.stderr))
        return done

    def answer(self, node, command, line):
        if line.startswith("logger"):
            return 0, self.hear(node, "journal", "/journal", line), ""
        if line.startswith("sh -c 'sleep"):
            return 0, self.hear(node, "processes", search.ARGV, line), ""
        if line.startswith("hvctl"):
            return 0, self.answers.get(line.removeprefix("hvctl "), "" if "hvctl" in self.deaf else line), ""
        if line.startswith(("systemd-run", "chpasswd")):
            return 0, "", ""
        for directory in ("/var/lib/mcv", "/var/log/mcv", "/etc/corosync", "/run/"):
            line = line.replace(directory, f"{self.top}/{node}{directory}")
        line = line.replace("journalctl --no-pager -o verbose", f"cat {self.top}/{node}/journal")
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, errors="replace", timeout=30, check=False)
        return done.returncode, done.stdout.replace(f"{self.top}/{node}", ""), done.stderr

    def hear(self, node, place, path, line):
        if place not in self.deaf:
            self.put(node, path, f"{line}\n".encode())
        return ""


class Forms(unittest.TestCase):
    def setUp(self):
        self.known = search.Known()
        self.known.add("authkey", AUTHKEY)
        self.known.add("shared", DRBD)

    def test_each_form_of_it_and_each_part_is_found(self):
        part = AUTHKEY[37:68]
        for text in (AUTHKEY.hex(), AUTHKEY.hex().upper(), part.hex(), base64.b64encode(AUTHKEY).decode(), base64.urlsafe_b64encode(part).decode(), str(DRBD)):
            self.assertTrue(self.known.in_text(f"it says {text}."), text)
        for before in range(6):
            inside = base64.b64encode(b"x" * before + b'{"secret":"' + DRBD.encode() + b'"}').decode()
            self.assertEqual({"shared"}, self.known.in_text(inside), before)
            self.assertEqual({"shared"}, self.known.in_text(base64.b64encode(b"x" * before + bytes.fromhex(DRBD)).decode()), "what the hex stands for")

    def test_what_is_no_secret_is_not_found(self):
        for text in ("", "mcv-vm1-0", "0123456789abcde", "a" * 5000, base64.b64encode(bytes(300)).decode(), AUTHKEY[:15].hex()):
            self.assertEqual(set(), self.known.in_text(text), text[:40])

    def test_a_key_file_is_secret_in_its_private_part_alone(self):
        self.assertEqual(SEED, search.private_part(PEM))
        self.assertEqual(TOKEN, search.of_connect_string(CONNECT_STRING))

    def test_too_short_a_secret_is_not_searched_for(self):
        with self.assertRaises(ValueError):
            self.known.add("a word", "vagrant")

    def test_no_pattern_is_in_everything(self):
        self.assertNotIn("", self.known.patterns().splitlines())


class Search(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="mcv-secrets-")
        self.addCleanup(directory.cleanup)
        self.lab = Nodes(directory.name)
        self.watch = SecretWatch(self.lab)
        self.watch.begin()

    def found(self, *expected):
        findings = self.watch.findings()
        self.assertEqual(len(expected), len(findings), findings)
        for words, finding in zip(expected, findings):
            for word in words:
                self.assertIn(word, finding)
            self.assertNotIn(DRBD, finding, "a finding repeats no secret")
        for node in self.lab.nodes:
            self.assertFalse(self.lab.path(node, search.PATTERNS).exists(), "the patterns are gone")

    def test_nothing_is_found_where_nothing_leaks(self):
        self.watch.new_password("B", "vagrant")
        self.found()

    def test_a_leak_in_each_place_is_found(self):
        places = {"journal": "/journal", "consoles": "/var/log/mcv/console/vm1.log", "store": "/var/lib/mcv/store.sqlite", "processes": search.ARGV}
        self.assertEqual(set(places), set(search.PLACES))
        for path in places.values():
            self.lab.put("B", path, f"drbd says {DRBD}\n".encode())
        self.found(*(["B", "drbd-shared-secret", place] for place in search.PLACES))

    def test_a_leak_in_what_hvctl_printed_is_found_with_the_command(self):
        self.lab.run("A", ["hvctl", "drbd", "enable", SEED.hex()])
        self.found(["hvctl", "the private key of A", "printed on A", "drbd enable"])

    def test_a_leak_in_what_mcv_keeps_is_found(self):
        for words in ("op list", "audit --limit 5000 -o json"):
            self.setUp()
            self.lab.answers[words] = f"made with {base64.b64encode(AUTHKEY).decode()}"
            self.found(*([["hvctl", "corosync-authkey", node, words] for node in ("A", "B")]))

    def test_a_leak_in_bytes_is_found(self):
        self.lab.put("A", "/var/lib/mcv/store.sqlite", b"\0\xff\n\xfe" + AUTHKEY.hex().encode() + b"\0\xff" * 3000)
        self.found(["A", "corosync-authkey", "store"])

    def test_what_is_planted_is_searched_for(self):
        password = self.watch.new_password("B", "vagrant")
        self.lab.put("A", "/journal", f"sudo: {password}\n".encode())
        self.found(["A", "the password of vagrant on B", "journal"])

    def test_an_invitation_may_be_where_it_was_asked_for_and_nowhere_else(self):
        self.lab.answers["cluster get-connect-string --quiet"] = CONNECT_STRING + "\n"
        self.assertEqual(CONNECT_STRING, self.watch.invite("B"))
        self.found()
        self.setUp()
        self.lab.answers["cluster get-connect-string --quiet"] = CONNECT_STRING + "\n"
        self.watch.invite("B")
        self.lab.put("B", "/journal", f"invited by {CONNECT_STRING}\n".encode())
        self.found(["B", "the token of an invitation by B", "journal"])

    def test_drbds_own_tool_is_known_and_no_other(self):
        self.lab.put("A", search.ARGV, f"drbdsetup-84 connect mcv-vm1-0 --shared-secret={DRBD}\n/sbin/drbdsetup net-options --shared-secret={DRBD}\n".encode())
        self.found()
        self.setUp()
        self.lab.put("A", search.ARGV, f"drbdsetup connect mcv-vm1-0 --shared-secret={DRBD}\nsh -c drbdsetup {DRBD}\n".encode())
        self.found(["A", "drbd-shared-secret", "processes: sh -c"])

    def test_a_file_that_others_can_read_is_found(self):
        self.lab.path("B", search.SECRET_FILES[1]).chmod(0o640)
        self.found(["B", "/var/lib/mcv/keys/node.pem", "others (640)"])

    def test_secrets_that_are_not_there_to_be_searched_for_are_told(self):
        self.lab.path("A", search.SECRET_FILES[2]).unlink()
        self.found(["A", "nothing to search for in", "/etc/corosync/authkey"])

    def test_a_search_that_does_not_find_what_was_planted_is_blind(self):
        for place, nodes in (("journal", ["A", "B"]), ("processes", ["A", "B"]), ("hvctl", ["hvctl"])):
            self.setUp()
            self.lab.deaf = {place}
            self.found(*([node, "blind", place] for node in nodes))


class Transcript(unittest.TestCase):
    def test_a_lab_keeps_what_hvctl_printed(self):
        with tempfile.TemporaryDirectory(prefix="mcv-secrets-") as directory:
            lab = Lab(directory)
            lab.ssh_words = lambda node: ["sh", "-c"]
            lab.run("A", "echo hvctl one")
            lab.transcript = []
            lab.run("A", "echo hvctl two; echo three >&2; exit 4", check=False)
            lab.run("A", "echo four")
            self.assertEqual([("A", "echo hvctl two; echo three >&2; exit 4", "hvctl two\nthree\n")], lab.transcript)


if __name__ == "__main__":
    unittest.main()
