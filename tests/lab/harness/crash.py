# SPDX-License-Identifier: Apache-2.0
"""The kernel of an emulated node crashed: nothing a test waits for will come any more.

QEMU's emulation of nested SVM is not perfect (vagrant/README.md), and such a crash says nothing about the product. A lab that
runs watches the consoles of its nodes; every wait and every command on a node ends at once when one says that its kernel died.
"""

import re
import time

from . import hang

CRASH = re.compile(r"Kernel panic|double fault|BUG: scheduling while atomic|Oops: |timer doesn't work|general protection fault.*kvm")
LOOK_EVERY = 2.0  # seconds between two looks at the consoles


class NodeCrashed(Exception):
    """A node crashed, or hangs for good. Told once for each; then evidence can be collected from the other node."""


def crash_line(console):
    """What the kernel said when it crashed, or None. console: text."""
    for line in console.splitlines():
        if CRASH.search(line):
            return line.strip()[:200]
    return None


class CrashWatch:
    """Reads what was added to the consoles since the last look; a node that crashed is told once."""

    def __init__(self, directory):
        self._directory = directory
        self._seen = {}
        self._last = 0.0
        self._crashed = set()
        self.hung = {}  # name of a node: what is known of it

    def look(self):
        """Raises NodeCrashed. Cheap: call it as often as you like."""
        now = time.monotonic()
        if now - self._last < LOOK_EVERY:
            return
        self._last = now
        for console in self._directory.glob("*/console.log"):
            with console.open("rb") as file:
                # From the start of the last line that was not whole yet.
                file.seek(self._seen.get(console, 0))
                text = file.read()
            line = crash_line(text.decode(errors="replace"))
            self._seen[console] = self._seen.get(console, 0) + text.rfind(b"\n") + 1
            if line and console not in self._crashed:
                self._crashed.add(console)
                raise NodeCrashed(f"{console.parent.name}: {line}")


    def look_for_hangs(self, slow):
        """Raises NodeCrashed if a node hangs. Dear (hang.py): for when something took too long already."""
        for node in sorted(self._directory.glob("*/qmp.sock")):
            name = node.parent.name
            what = None if name in self.hung else hang.hung(node.parent, hang.GREETING_WITHIN * slow)
            if what:
                self.hung[name] = what
                raise NodeCrashed(f"{name}: {what}")


_watches = []


def watch(crash_watch):
    _watches.append(crash_watch)


def unwatch(crash_watch):
    if crash_watch in _watches:
        _watches.remove(crash_watch)


def look():
    """Raises NodeCrashed if a node of a running lab said that its kernel crashed."""
    for crash_watch in _watches:
        crash_watch.look()


def give_up(slow):
    """Called when time is up: raises NodeCrashed if a node of a running lab hangs, for then time says nothing."""
    for crash_watch in _watches:
        crash_watch.look_for_hangs(slow)
