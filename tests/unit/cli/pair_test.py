# SPDX-License-Identifier: Apache-2.0
"""Every example of the manual and the documents is typed to two whole daemons, in a situation it is for, and does what it says.

The real hvctl on a real socket; behind it mcvd's own code on both nodes of a simulated pair (tests/unit/daemon/node/pair_server.cpp).
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from examples import Example, shape
from examples_test import from_documents, from_table

# The pair of the simulation has other addresses than that of the documents, and one link.
ADDRESSES = {"10.77.0.11": "10.0.0.1", "10.77.1.11": "10.0.0.1", "10.78.0.11": "10.0.0.1", "10.77.0.12": "10.0.0.2", "10.77.1.12": "10.0.0.2"}
VMS = "vm create vm1 vm2 vm3 --memory 128M --disk-size 64M --network lan --kernel /srv/vmlinuz --initramfs /srv/initrd.img"
ALICE = ["user add alice", "user add bob", "group create ops", "grant add --user alice --role viewer"]


class Pair:
    def __init__(self, *words):
        self.directory = tempfile.TemporaryDirectory(prefix="pair-")
        self.server = subprocess.Popen([os.environ["PAIR_SERVER"], self.directory.name, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stdin.close()
        self.server.wait(30)
        self.server.stdout.close()
        self.directory.cleanup()

    def wait(self):
        if self.server.stdout.readline() != "ready\n":
            raise AssertionError("the pair did not come up")

    def happens(self, line):
        self.server.stdin.write(line + "\n")
        self.server.stdin.flush()
        self.wait()

    def hvctl(self, words, node="A", typed=""):
        command = [os.environ["HVCTL"], "--socket", str(pathlib.Path(self.directory.name, node)), "--yes", *words]
        return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, start_new_session=True)


class Situation:
    """What has to be so before an example is typed, and the code of the error that is all it can come to there."""

    def __init__(self, *setup, begin=(VMS, *ALICE), blank=False, node="", code=None, plans=False, made=None):
        self.setup, self.blank, self.node, self.code = ([] if blank else [*begin]) + [*setup], blank, node, code
        self.dry_code = None if plans else code  # `plans`: a dry run tells what would be done, where the command itself cannot
        self.made = made  # (name in the example, the command that lists the real one)


RUNNING = ("vm start vm1 vm2",)
LOST = ("migrate --node B vm1", "vm start vm1", "! off B")
DIFFERENT = ("vm start vm1", "vm stop vm1", "! differ vm1", "verify vm1")
# The first pattern that an example begins with. Lines with "!" are what no command does (pair_server.cpp).
SITUATIONS = [
    (r"node init .*--uplink", Situation(code="not-found")),  # the pair has no such card; node_init_test has one
    (r"node leave", Situation(code="not-confirmed", plans=True)),  # the machine is not being shut down; leave_test does it
    (r"node (--)?set-.* 10\.0\.0\.2", Situation(node="B")),
    (r"cluster get-connect-string", Situation(blank=True, node="B")),
    (r"cluster add-node --connect-string", Situation(blank=True)),
    (r"cluster confirm-down", Situation("! off B")),
    (r"cluster accept-copy", Situation("cluster update --peer-loss run-alone", *LOST, "cluster confirm-down B")),
    (r"cluster diverged --base", Situation(code="bad-request")),  # there is one history; diverged_test makes two
    (r"cluster diverged --dismiss", Situation(code="not-found", plans=True)),
    (r"cluster join --abandon", Situation(code="already-clustered")),  # no join is under way; join_abandon_test cuts one
    (r"cluster (--)?remove-node --node B --dead", Situation("! off B", "cluster confirm-down B")),
    (r"storage create fast --vg vg0 --node-vg", Situation("storage delete fast", begin=(), code="pool-missing")),  # there is no such group
    (r"storage create fast", Situation("storage delete fast", begin=())),
    (r"storage delete-quarantined", Situation("cluster remove-node --node B", node="B", made=("mcvq-A-17-vm1-0", "storage list-quarantined"))),
    (r"storage delete-snapshot", Situation(*DIFFERENT, "resync vm1", made=("mcvs-A-17-vm1-0", "storage list-snapshots"))),
    (r"storage delete-orphan", Situation("! orphan mcv-vm1-0", begin=())),
    (r"storage delete fast|network delete lan", Situation(begin=())),
    (r"network create lan", Situation("network delete lan", begin=())),
    (r"drbd attach", Situation(code="bad-request")),  # no disk is lost; lost_disk_test loses one
    (r"resync", Situation(*DIFFERENT)),
    (r"vm create", Situation(begin=())),
    (r"vm (stop|kill|reset)", Situation(*RUNNING)),
    (r"vm update \S+ --storage-type drbd", Situation(VMS + " --storage-type local", begin=())),
    (r"vm update \S+ --unlock", Situation("vm update vm1 --lock x")),
    (r"op cancel", Situation(*RUNNING, "migrate --node B vm1 --wait-for-shutdown --no-wait", made=("A-17", "op list"))),
    (r"op retry", Situation(code="operation-ended", made=("A-17", "op list"))),  # it went well
    (r"op (show|watch)", Situation(made=("A-17", "op list"))),
    (r"user add|group create", Situation(begin=(VMS,))),
    (r"group remove", Situation("group add ops alice")),
    (r"grant remove", Situation("grant add --user alice --role operator --vm vm1")),
    (r"", Situation()),
]


def situation_of(words):
    return next(situation for pattern, situation in SITUATIONS if re.match(pattern, " ".join(words)))


def is_elsewhere(words):
    """The console is a stream (hvctl_console_test, console_test), and the join over ssh goes to a real sshd (join_ssh_test)."""
    return shape(words)[0] == "vm console" or "--attach" in words or shape(words)[0] == "cluster add-node" and "--connect-string" not in words


def in_the_pair(words):
    return [ADDRESSES.get(word, word) for word in words]


def ended(done):
    """The code of the error, with its words where none is expected; None for success."""
    if done.returncode in (0, 22):  # 22: the other node was switched off
        return None
    found = re.search(r"\[([a-z-]+)\]$", done.stderr, re.M)
    return found.group(1) if found else f"{done.returncode}: {done.stderr}"


def configuration(pair, node):
    info = json.loads(pair.hvctl(["info", "-o", "json"], node).stdout)
    return info["generation"], info["index"], info["hash"]


class Examples(unittest.TestCase):
    maxDiff = None

    def prepare(self, pair, setup):
        for line in setup:
            if line.startswith("! "):
                pair.happens(line[2:])
                continue
            done = pair.hvctl(line.split())
            self.assertIn(done.returncode, (0, 20) if line.startswith("verify") else (0,), f"{line}: {done.stderr}")

    def type_it(self, example):
        """What is wrong with it, or None."""
        words = in_the_pair(example.words)
        situation = situation_of(words)
        node = situation.node or example.nodes[:1] or "A"
        with Pair(*(["blank"] if situation.blank else [])) as pair:
            self.prepare(pair, situation.setup)
            if situation.made:
                there = pair.hvctl([*situation.made[1].split(), "-q"], node).stdout.split()
                words = [there[0] if word == situation.made[0] else word for word in words]
            typed = pair.hvctl(["cluster", "get-connect-string"], "B").stdout if "--connect-string" in words else ""
            before = configuration(pair, node)
            dry = pair.hvctl([*words, "--dry-run"], node, typed)
            if configuration(pair, node) != before:
                return f"{example}: a dry run changed the configuration"
            done = pair.hvctl(words, node, typed)
        wrong = [f"{what} {ended(came)}: {came.stderr[-300:]}" for what, came, code in (("ended with", done, situation.code), ("ended dry with", dry, situation.dry_code)) if ended(came) != code]
        return f"{example} {', '.join(wrong)}" if wrong else None

    def test_each_does_what_it_is_for(self):
        examples = {" ".join(in_the_pair(example.words)): example for example in from_table() + from_documents() if not is_elsewhere(example.words)}
        self.assertGreater(len(examples), 100)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.assertEqual([], [wrong for wrong in pool.map(self.type_it, examples.values()) if wrong])

    def test_an_example_that_fails_is_found(self):
        for line in ("vm create vm1 --network lann", "vm start vm9", "migrate --node C vm1", "storage create more --vg vg7"):
            self.assertIsNotNone(self.type_it(Example("here", "A", shlex.split(line))), line)

    def test_every_situation_is_one_of_an_example(self):
        lines = [" ".join(in_the_pair(example.words)) for example in from_table() + from_documents()]
        for pattern, _ in SITUATIONS:
            self.assertTrue(any(re.match(pattern, line) for line in lines), pattern)


if __name__ == "__main__":
    unittest.main()
