#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's own tools, without a lab: a crashed kernel ends waits and commands at once, and is told once; a node that hangs is told
from one that is slow, off or paused; what hvctl prints is held against the contract."""

import contextlib
import json
import pathlib
import socket
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Lab, contract, crash, hang, wait_until  # noqa: E402
from run import kernel_crash  # noqa: E402

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


def answering(server, answer):
    """Serves every connection to server with answer(connection) in a thread, until the server is closed."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError, ValueError):
                    answer(connection)

    threading.Thread(target=serve, daemon=True).start()


class Hang(unittest.TestCase):
    """A node without a node: its QEMU's monitor and its sshd are played here."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="mcv-harness-")
        self.addCleanup(directory.cleanup)
        self.lab = Lab(directory.name)
        self.node = pathlib.Path(directory.name, "A")
        self.node.mkdir()
        (self.node / "console.log").write_text("[   0.0] Linux version 6.1\nDebian GNU/Linux 12 A ttyS0\n")
        self.status = "running"
        self.greeting = None
        monitor = socket.socket(socket.AF_UNIX)
        monitor.bind(str(self.node / "qmp.sock"))
        sshd = socket.create_server(("127.0.0.1", 0))
        (self.node / "port").write_text(str(sshd.getsockname()[1]))
        for server, answer in ((monitor, self.monitor), (sshd, self.sshd)):
            server.listen()
            self.addCleanup(server.close)
            answering(server, answer)

    def monitor(self, connection):
        stream = connection.makefile("rw")
        stream.write("{}\n")
        stream.flush()
        for line in stream:
            command = json.loads(line)["execute"]
            answer = {"query-status": {"status": self.status}, "human-monitor-command": "CPU#0\r\nRIP=ffffffff81000000 RFL=00000046 [---Z-P-] HLT=1\r\n"}.get(command, {})
            stream.write(json.dumps({"return": answer}) + "\n")
            stream.flush()

    def sshd(self, connection):
        if self.greeting:
            connection.sendall(self.greeting)
        else:
            connection.recv(1)  # until the other side has had enough

    def test_no_greeting_of_a_node_that_runs(self):
        self.assertRegex(hang.hung(self.node, 0.2), "no greeting .*CPU#0; RIP=ffffffff81000000; RFL=00000046; HLT=1; .*ttyS0")

    def test_one_that_greets_lives(self):
        self.greeting = b"SSH-2.0-OpenSSH_9.2p1\r\n"
        self.assertIsNone(hang.hung(self.node, 20))

    def test_one_that_is_paused_or_off_does_not_hang(self):
        self.status = "paused"
        self.assertIsNone(hang.hung(self.node, 0.2))
        (self.node / "qmp.sock").unlink()
        self.assertIsNone(hang.hung(self.node, 0.2))

    def test_a_wait_whose_time_is_up_tells_it_and_evidence_keeps_it(self):
        hang.GREETING_WITHIN, before = 0.1, hang.GREETING_WITHIN
        self.addCleanup(setattr, hang, "GREETING_WITHIN", before)
        self.lab.status = lambda: ""
        crash.watch(self.lab._crashes)
        self.addCleanup(crash.unwatch, self.lab._crashes)
        with self.assertRaisesRegex(crash.NodeCrashed, "A: hangs"):
            wait_until(lambda: False, 0, "what never comes")
        with self.assertRaises(AssertionError):  # told once
            wait_until(lambda: False, 0, "what never comes")
        evidence = self.lab.collect(self.lab.directory / "evidence")
        self.assertRegex(kernel_crash(evidence), "^A hangs")


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
