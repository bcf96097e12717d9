# SPDX-License-Identifier: Apache-2.0
"""A process on a terminal of its own, driven like a person would."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time


class Pty:
    def __init__(self, command, columns=80):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm"})
        self.text = b""

    def read_until(self, wanted, seconds=15):
        deadline = time.monotonic() + seconds
        while wanted not in self.text:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{wanted!r} did not come: {self.text!r}")
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.text += os.read(self.master, 65536)
                except OSError:
                    break
        if wanted not in self.text:
            raise AssertionError(f"{wanted!r} did not come: {self.text!r}")
        return self.text

    def type(self, data):
        os.write(self.master, data)

    def settings(self):
        return termios.tcgetattr(self.master)

    def end(self, seconds=15):
        """The exit code, and all that was shown."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self.master, 65536)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.master)
                return os.waitstatus_to_exitcode(status), self.text
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"did not end: {self.text!r}")
