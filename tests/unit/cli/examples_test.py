# SPDX-License-Identifier: Apache-2.0
"""Every example of the manual, the README and the documents is typed: the real hvctl takes it, and asks what the API describes."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from examples import DOCUMENTS, Example, examples_of, named_in, not_run, shape
from fake_mcvd import API, CONNECT_STRING
from openapi import ROOT
from schema_mcvd import SchemaMcvd

LAB = ROOT / "tests" / "lab"
# What a person is led through, from the package to the first move and beyond.
STORY = [ROOT / "README.md", ROOT / "docs" / "quick-start.md", ROOT / "docs" / "upgrade.md"]
# hvctl's own answers to an empty world: no node beside this one, no VM, nothing compared.
FINE = {0, 22}


def from_table():
    lines = subprocess.run([os.environ["CLI_TABLE"], "examples"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [Example("command table", "", shlex.split(line)[1:]) for line in lines]


def from_documents():
    return [example for path in DOCUMENTS for example in examples_of(path)]


def here_instead_of_the_lan(words):
    """The join over ssh ends at a port of this machine where nothing listens: the network belongs to somebody else."""
    if shape(words)[0] == "cluster add-node" and "--connect-string" not in words:
        return ["127.0.0.1" if re.fullmatch(r"10\.77\.\d+\.\d+", word) else word for word in words] + ["--ssh-port", "1"], {7}
    return words, FINE


def silent_by_nature(words):
    """The console is bytes, and the join over ssh ended before it asked anything that is printed."""
    return shape(words)[0] in ("vm console", "cluster add-node")


class Examples(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="examples-")
        self.addCleanup(directory.cleanup)
        self.socket = str(pathlib.Path(directory.name) / "s")

    def ask(self, example, *more):
        mcvd = SchemaMcvd(self.socket)
        try:
            words, _ = here_instead_of_the_lan(example.words)
            command = [os.environ["HVCTL"], "--socket", self.socket, "--yes", *more, *words]
            return subprocess.run(command, input=CONNECT_STRING + "\n", capture_output=True, text=True, timeout=60, start_new_session=True), mcvd
        finally:
            mcvd.close()
            os.unlink(self.socket)

    def type_it(self, example):
        """What is wrong with it, or None."""
        done, mcvd = self.ask(example)
        if done.returncode not in here_instead_of_the_lan(example.words)[1]:
            return f"{example} ended with {done.returncode}: {done.stderr}"
        if mcvd.violations:
            return f"{example}: {mcvd.violations}"
        if not mcvd.requests and not {"--version", "--help", "help"} & set(example.words):
            return f"{example} asked nothing"
        return None

    def test_each_is_taken_and_asks_what_the_api_describes(self):
        examples = from_table() + from_documents()
        self.assertGreater(len(examples), 80)
        self.assertEqual([], [wrong for wrong in map(self.type_it, examples) if wrong])

    def test_commands_named_in_the_text_are_taken(self):
        """Other than those that only name a command, which hints_test looks up."""
        known = {line.split("\t")[0] for line in subprocess.run([os.environ["CLI_TABLE"], "options"], check=True, capture_output=True, text=True).stdout.splitlines()}
        named = {tuple(example.words): example for path in DOCUMENTS if path.suffix == ".md" for example in named_in(path) if " ".join(example.words) not in known}
        self.assertGreater(len(named), 30)
        self.assertEqual([], [wrong for wrong in map(self.type_it, named.values()) if wrong])

    def test_a_dry_run_of_each_changes_nothing(self):
        """Every command that changes something has one: its requests say so, and are to routes that know it."""
        changing = 0
        for example in from_table():
            with self.subTest(str(example)):
                done, mcvd = self.ask(example, "--dry-run")
                changes = [(method, target) for method, target, _ in mcvd.requests if method != "GET"]
                changing += bool(changes)
                self.assertEqual([], [target for _, target in changes if "dry_run=true" not in target], done.stdout)
                self.assertEqual([], mcvd.violations)
                if "--attach" in example.words or "--check-only" in example.words:
                    self.assertEqual(2, done.returncode)  # said to make no sense together
                else:
                    self.assertIn(done.returncode, here_instead_of_the_lan(example.words)[1], done.stderr)
        self.assertGreater(changing, 30)

    def test_json_is_one_document_that_the_api_describes(self):
        described = [API.document["components"]["schemas"]["Started"], *API.document["x-mcv-command-line"]["schemas"]]
        for example in from_table():
            with self.subTest(str(example)):
                done, mcvd = self.ask(example, "-o", "json")
                if not done.stdout.strip():
                    self.assertTrue(silent_by_nature(example.words), done.stderr)
                    continue
                document = json.loads(done.stdout)
                answers = [response["content"]["application/json"]["schema"] for method, target, _ in mcvd.requests
                           for response in API.find(method, target)[1]["responses"].values() if "application/json" in response.get("content", {})]
                wrong = [API.errors(schema, document) for schema in answers + described]
                self.assertIn([], wrong, done.stdout)

    def test_the_search_finds_each_document_with_examples(self):
        found = {example.where.split(":")[0] for example in from_documents()}
        self.assertLessEqual({str(path.relative_to(ROOT)) for path in STORY if path.exists()} | {"docs/operations.md"}, found)

    def test_a_wrong_example_is_found(self):
        for words in (["vm", "strat", "vm1"], ["vm", "create", "vm1", "--memory", "a lot"], ["migrate", "vm1"]):
            self.assertIsNotNone(self.type_it(Example("here", "", words)), words)

    def test_firewall_rules_are_those_that_mcvd_gives(self):
        """node_init_test holds mcvd to its own."""
        known = (ROOT / "tests" / "unit" / "daemon" / "node" / "node_init_test.cpp").read_text()
        shown = [line for path in DOCUMENTS for line in re.findall(r"^ +(?:\S*# *)?(nft add rule .*)$", path.read_text(), re.M)]
        self.assertGreater(len(shown), 2)
        for line in shown:
            self.assertRegex(line, r"^nft add rule inet filter input ip daddr [0-9.]+ (tcp|udp) dport [0-9-]+ accept$")
            self.assertIn(re.search(r"\w+ dport \S+ accept", line).group(), known)

    def test_what_a_person_is_led_through_is_typed_in_the_lab(self):
        """By the sources of the lab's tests; main_job_test checks at run time that the README's commands were run."""
        sources = "\n".join(path.read_text() for path in sorted(LAB.glob("*.py")))
        # "cluster", "confirm-down" as words of a list, or in one string; verbs also in the form of an option.
        for example in (one for path in STORY if path.exists() for one in examples_of(path)):
            first, _, verb = shape(example.words)[0].partition(" ")
            wanted = rf'(?:"{first}", |hvctl(?: -q)? {first} )"?(?:--)?{verb}\b' if verb else rf'(?:"{first}"|hvctl {first}\b)'
            self.assertRegex(sources, wanted, str(example))


class Shapes(unittest.TestCase):
    def test_spellings_of_one_command(self):
        for words in (["cluster", "add-node", "--node", "B"], ["cluster", "--add-node", "--node", "B"], ["cluster", "--node=B", "--add-node"]):
            self.assertEqual(shape(words), ("cluster add-node", {"--node"}), words)
        self.assertEqual(shape(["node", "--set-ip-address", "10.0.0.1"]), shape(["node", "set-ip-address", "10.0.0.2"]))
        self.assertEqual(shape(["verify", "vm1"])[0], "verify")

    def test_what_was_not_run(self):
        example = Example("here", "A", ["vm", "create", "vm1", "--cpus", "1"])
        self.assertEqual([], not_run([example], [["vm", "create", "x", "--cpus", "4", "--memory", "1G"]]))
        self.assertEqual([example], not_run([example], [["vm", "create", "x"], ["vm", "start", "x", "--cpus", "1"]]))


if __name__ == "__main__":
    unittest.main()
