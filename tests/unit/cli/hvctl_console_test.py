# SPDX-License-Identifier: Apache-2.0
"""The serial console on a terminal, and without one."""
import os
import signal
import unittest

from fake_mcvd import Answer, echo_console, operation, problem, started
from hvctl_case import Case
from terminal import Pty


class Console(Case):
    def test_replays_types_detaches_and_restores_the_terminal(self):
        self.serve({"GET /v1/vms/vm1/console": echo_console(b"boot output\r\n")})
        terminal = Pty(self.command("vm", "console", "vm1"))
        before = terminal.settings()
        terminal.read_until(b"boot output")
        terminal.type(b"ls\x03\r")  # Ctrl-C belongs to the guest
        terminal.read_until(b"LS\x03\r")
        self.assertNotEqual(terminal.settings(), before)
        terminal.type(b"\x1d")
        terminal.read_until(b"Detached from vm1")
        self.assertEqual(terminal.settings(), before)
        self.assertEqual(terminal.end()[0], 0)
        self.assertEqual(self.fake.requests[0][1], "/v1/vms/vm1/console?replay=65536")

    def test_a_signal_restores_the_terminal(self):
        self.serve({"GET /v1/vms/vm1/console": echo_console(b"boot output\r\n")})
        terminal = Pty(self.command("vm", "console", "vm1"))
        before = terminal.settings()
        terminal.read_until(b"boot output")
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.read_until(b"Detached")
        self.assertEqual(terminal.settings(), before)
        self.assertEqual(terminal.end()[0], 130)

    def test_from_a_pipe(self):
        self.serve({"GET /v1/vms/vm1/console": Answer(raw=b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcv-console\r\n\r\nall that was said\n")})
        self.assertEqual(self.run_hvctl("vm", "console", "vm1", "--replay", "0").stdout, "all that was said\n")

    def test_refused(self):
        self.serve({"GET /v1/vms/vm1/console": problem("guest-stopped", 412, "vm1 does not run", "", "hvctl vm start vm1")})
        self.assertIn("hvctl vm start vm1", self.run_hvctl("vm", "console", "vm1", expect=6).stderr)

    def test_start_attach(self):
        self.serve({"POST /v1/vms/vm1/start": started(), "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")]),
                    "GET /v1/vms/vm1/console": echo_console(b"boot output\r\n")})
        terminal = Pty(self.command("vm", "start", "--attach", "vm1"))
        terminal.read_until(b"boot output")
        terminal.type(b"\x1d")
        self.assertEqual(terminal.end()[0], 0)


if __name__ == "__main__":
    unittest.main()
