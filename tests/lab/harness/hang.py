# SPDX-License-Identifier: Apache-2.0
"""An emulated node that hangs: QEMU runs it, and its kernel answers nothing at all any more.

QEMU's emulation of nested SVM can lose a node's interrupts for good (vagrant/README.md). Nothing that runs on a node can bring that
about by itself: whatever mcv, DRBD or a full memory hold up, the kernel goes on taking connections and sshd's greeting is due within
seconds. So a node counts as hung only when QEMU says that it runs and two connections wait for that greeting in vain.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys

GREETING_WITHIN = 45  # seconds for each of the two connections, before LAB_SLOW
QMP = pathlib.Path(__file__).resolve().parents[3] / "vagrant" / "lab" / "qmp.py"


def greets(port, within):
    """True when sshd at this local port says who it is in time. QEMU takes the connection itself, so that alone says nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=within) as connection:
            connection.settimeout(within)
            return connection.recv(4).startswith(b"SSH-")
    except OSError:
        return False


def runs(node_directory):
    """True when QEMU of this node says that its processors run: not powered off, not paused, not being restored."""
    try:
        return json.loads(_qmp(node_directory, "query-status"))["status"] == "running"
    except (subprocess.SubprocessError, OSError, ValueError, KeyError):
        return False


def processors(node_directory):
    """Where each virtual processor is: for whoever has to find out why it hangs."""
    try:
        registers = json.loads(_qmp(node_directory, "human-monitor-command", json.dumps({"command-line": "info registers -a"})))
    except (subprocess.SubprocessError, OSError, ValueError) as unknown:
        return f"registers unknown: {unknown}"
    return "; ".join(re.findall(r"CPU#\d+|RIP=\S+|RFL=\S+|HLT=\d", registers))


def hung(node_directory, within):
    """What is known of a node that hangs, or None for one that lives, is off or is paused. Takes up to twice `within` seconds."""
    port = node_directory / "port"
    if not port.exists() or not runs(node_directory):
        return None
    if any(greets(int(port.read_text()), within) for _ in range(2)):
        return None
    if not runs(node_directory):
        return None
    console = (node_directory / "console.log").read_text(errors="replace").splitlines()[-3:]
    return f"hangs: no greeting of sshd for {2 * within:.0f} s; {processors(node_directory)}; its console ends with {console}"


def _qmp(node_directory, *words):
    done = subprocess.run([sys.executable, str(QMP), f"{node_directory.name}/qmp.sock", *words], cwd=node_directory.parent, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout
