# SPDX-License-Identifier: Apache-2.0
"""One running lab: a thin, typed face of vagrant/qemu-lab.sh."""

import os
import pathlib
import shlex
import subprocess
import tempfile
import time

from . import crash
from .wait import SLOW, wait_until

TOP = pathlib.Path(__file__).resolve().parents[3]
RUNNER = TOP / "vagrant" / "qemu-lab.sh"


class CommandFailed(AssertionError):
    """A command on a node or of the lab ended with another exit code than expected."""

    def __init__(self, words, result):
        super().__init__(f"{shlex.join(words)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        self.result = result


class Lab:
    """Nodes, their network and their faults. Everything it started is gone after down()."""

    collector = None  # who hears the guests (collector.py), if anybody does
    after_boot = None  # called with the name of a node that has its power back
    transcript = None  # a list: gets (node, command, all it printed) of each command that runs hvctl

    def __init__(self, directory=None, environment=None):
        self.directory = pathlib.Path(directory or os.environ.get("LAB_DIR") or tempfile.mkdtemp(prefix="mcv-lab-"))
        self.environment = {**os.environ, **(environment or {}), "LAB_DIR": str(self.directory)}
        self.nodes = []
        self._crashes = crash.CrashWatch(self.directory)

    # --- life ---
    def up(self, *nodes):
        self._lab("up", *nodes, timeout=1800)
        self.nodes = list(nodes) or self._names()
        crash.watch(self._crashes)
        return self

    def down(self):
        crash.unwatch(self._crashes)
        self._lab("down")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    # --- commands on nodes ---
    def run(self, node, command, check=True, timeout=120, stdin=None):
        """Runs a command as root and returns the finished process. command: a list of words, or a line for the node's shell."""
        line = command if isinstance(command, str) else shlex.join(command)
        result = self._ssh(node, line, timeout, stdin)
        if self.transcript is not None and "hvctl" in line:
            self.transcript.append((node, line, result.stdout + result.stderr))
        if check and result.returncode != 0:
            raise CommandFailed([node, line], result)
        return result

    def text(self, node, command, **options):
        """Standard output of a command that must succeed, stripped."""
        return self.run(node, command, **options).stdout.strip()

    def expect(self, node, command, condition, timeout, what=None):
        """Repeats a command until condition(its standard output) holds; returns that output."""

        def seen():
            output = self.run(node, command, check=False).stdout
            if condition(output):
                return output or " "
            raise AssertionError(output[-500:])

        return wait_until(seen, timeout, what or f"{node}: {command}", interval=0.5)

    def spawn(self, node, command, **options):
        """A command that goes on while the test does; the caller ends it (Popen)."""
        return subprocess.Popen(self.ssh_words(node) + [command], **options)

    def ssh_words(self, node):
        return ["ssh", "-F", str(self.directory / "ssh_config"), node]

    def write(self, node, path, text, mode="644"):
        quoted = shlex.quote(path)
        self.run(node, f"cat >{quoted} && chmod {mode} {quoted}", stdin=text)

    def push(self, node, path, destination):
        self._lab("push", node, str(path), destination)

    def pull(self, node, path, destination):
        self._lab("pull", node, path, str(destination))

    def install(self, deb, *nodes):
        self._lab("install", str(deb), *nodes, timeout=600)

    # --- faults ---
    def kill(self, node):
        """Power cut."""
        self._lab("kill", node)

    def start(self, node):
        """Power back; returns when the node can be logged in to and has its volume group."""
        self._lab("start", node, timeout=1800)
        if self.after_boot:
            self.after_boot(node)

    def pause(self, node):
        self._lab("pause", node)

    def resume(self, node):
        self._lab("resume", node)

    def powerbutton(self, node):
        self._lab("powerbutton", node)

    def cut(self, node, link, direction=None):
        """Loses all frames of a port; direction "in" or "out" (the node's view) cuts one way only."""
        self._lab("cut", node, link, *([direction] if direction else []))

    def heal(self, node="all", link="all", direction=None):
        self._lab("heal", node, link, *([direction] if direction else []))

    def slow(self, node, link, milliseconds):
        self._lab("slow", node, link, str(milliseconds))

    def lose(self, node, link, percent):
        self._lab("lose", node, link, str(percent))

    def reset(self):
        """No faults any more: links healed, paused nodes resumed, dead nodes booted."""
        self._lab("reset", timeout=1800)

    def status(self):
        return self._lab("status").stdout

    # --- evidence ---
    def console(self, node):
        return (self.directory / node / "console.log").read_text(errors="replace")

    def save_consoles(self, destination):
        destination = pathlib.Path(destination)
        destination.mkdir(parents=True, exist_ok=True)
        for console in self.directory.glob("*/console.log"):
            (destination / f"{console.parent.name}.console").write_text(console.read_text(errors="replace"))

    def collect(self, destination):
        """Saves what a failure is explained from: lab state, consoles, and of every reachable node journal, DRBD, LVM, processes."""
        destination = pathlib.Path(destination)
        destination.mkdir(parents=True, exist_ok=True)
        (destination / "status").write_text(self.status())
        self.save_consoles(destination)
        for node, what in self._crashes.hung.items():
            (destination / f"{node}.hung").write_text(what + "\n")
        for node in self.nodes:
            for name, command in EVIDENCE.items():
                try:
                    result = self.run(node, command, check=False, timeout=60)
                except subprocess.TimeoutExpired:
                    break  # unreachable: the console is all there is
                if result.returncode == 255:
                    break
                (destination / f"{node}.{name}").write_text(result.stdout + result.stderr)
        return destination

    # --- inside ---
    def _names(self):
        lines = (TOP / "vagrant" / "nodes.conf").read_text().splitlines()
        return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]

    def _ssh(self, node, line, timeout, stdin):
        words = self.ssh_words(node) + [line]
        deadline = time.monotonic() + timeout * SLOW
        # From a file: communicate() that is asked again after a timeout forgets the rest of its input (Python 3.11).
        with tempfile.TemporaryFile() as source:
            source.write((stdin or "").encode())
            source.seek(0)
            with subprocess.Popen(words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace") as process:
                try:
                    while True:
                        try:
                            out, err = process.communicate(timeout=min(crash.LOOK_EVERY, max(deadline - time.monotonic(), 0.1)))
                            return subprocess.CompletedProcess(words, process.returncode, out, err)
                        except subprocess.TimeoutExpired:
                            crash.look()
                            if time.monotonic() >= deadline:
                                crash.give_up(SLOW)
                                raise
                except BaseException:
                    process.kill()
                    raise

    def _lab(self, *words, timeout=300):
        result = subprocess.run(
            [str(RUNNER), *words],
            capture_output=True,
            text=True,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            timeout=timeout * SLOW,
        )
        if result.returncode != 0:
            raise CommandFailed(["qemu-lab.sh", *words], result)
        return result


EVIDENCE = {
    "journal": "journalctl -b --no-pager -o short-monotonic | tail -n 3000",
    "drbd": "cat /proc/drbd; drbdsetup events2 --now; ls -l /etc/drbd.d; tail -n +1 /etc/drbd.d/*.res",
    "lvm": "lvs -a -o +devices,lv_time; dmsetup info -c",
    "processes": "ps -ef; ip -br addr; systemctl --failed --no-pager",
    "corosync": "corosync-quorumtool -s; corosync-cfgtool -s",
}
