#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's own tools, without a lab: a crashed kernel ends waits and commands at once, and is told once; what hvctl prints is held
against the contract."""

import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Lab, contract, crash, wait_until  # noqa: E402

PANIC = "[  42.1] Kernel panic - not syncing: corrupted stack end detected inside scheduler\n"


class Crash(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="mcv-harness-")
        self.addCleanup(directory.cleanup)
        self.lab = Lab(directory.name)
        self.console = pathlib.Path(directory.name, "A", "console.log")
        self.console.parent.mkdir()
        self.console.write_text("[   0.0] Linux version 6.1\n")
        self.watch = crash.CrashWatch(self.lab.directory)
        self.watch._last = -crash.LOOK_EVERY
        crash.watch(self.watch)
        self.addCleanup(crash.unwatch, self.watch)

    def say(self, text):
        with self.console.open("a") as console:
            console.write(text)

    def test_a_node_that_lives_disturbs_nobody(self):
        self.say("a guest says: record 7\n")
        self.assertTrue(wait_until(lambda: True, 1, "anything"))

    def test_a_wait_ends_at_once(self):
        self.say(PANIC)
        began = time.monotonic()
        with self.assertRaisesRegex(crash.NodeCrashed, "A: .*corrupted stack end"):
            wait_until(lambda: False, 600, "what never comes")
        self.assertLess(time.monotonic() - began, 60)

    def test_a_condition_cannot_swallow_it(self):
        self.say(PANIC)

        def nested():
            return wait_until(lambda: False, 600, "what never comes")

        with self.assertRaises(crash.NodeCrashed):
            wait_until(nested, 600, "what never comes either")

    def test_a_command_that_hangs_is_ended(self):
        self.say(PANIC)
        self.lab.ssh_words = lambda node: ["sh", "-c", "sleep 600"]
        began = time.monotonic()
        with self.assertRaises(crash.NodeCrashed):
            self.lab.run("A", "anything", timeout=600)
        self.assertLess(time.monotonic() - began, 60)

    def test_it_is_told_once_and_a_half_line_is_read_again(self):
        self.say(PANIC[:20])
        self.watch.look()
        self.watch._last = -crash.LOOK_EVERY
        self.say(PANIC[20:])
        with self.assertRaises(crash.NodeCrashed):
            self.watch.look()
        self.say(PANIC)
        self.watch._last = -crash.LOOK_EVERY
        self.watch.look()

    def test_a_command_gives_its_output_and_reads_its_input(self):
        self.lab.ssh_words = lambda node: ["sh", "-c", "cat; echo told >&2; exit 3; true"]
        result = self.lab.run("A", "", check=False, stdin="words")
        self.assertEqual((3, "words", "told\n"), (result.returncode, result.stdout, result.stderr))

    def test_a_slow_command_reads_all_of_its_input(self):
        crash.LOOK_EVERY, before = 0.05, crash.LOOK_EVERY
        self.addCleanup(setattr, crash, "LOOK_EVERY", before)
        self.lab.ssh_words = lambda node: ["sh", "-c", "sleep 1; wc -c; true"]
        self.assertEqual("300000", self.lab.text("A", "", stdin="x" * 300_000))


class Contract(unittest.TestCase):
    def test_what_fits_is_handed_on(self):
        self.assertEqual({"vms": []}, contract.check(("vm", "list"), {"vms": []}))

    def test_what_does_not_fit_is_named(self):
        with self.assertRaisesRegex(AssertionError, "hvctl vm list .*fits 0 of 2 alternatives"):
            contract.check(("vm", "list"), {"vmz": []})

    def test_operations_and_plans_have_their_own(self):
        with self.assertRaisesRegex(AssertionError, "operation: lacks id"):
            contract.check(("vm", "start", "vm1"), {"operation": {}})
        with self.assertRaisesRegex(AssertionError, "lacks plan"):
            contract.check(("migrate", "vm1", "--node", "B", "--dry-run"), {})


if __name__ == "__main__":
    unittest.main()
