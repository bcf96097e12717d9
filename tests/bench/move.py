#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Moving a stopped VM and starting it, against a script with the same drbdadm and VMM commands one after another.

The script is made of the very commands mcvd ran for a move (its debug log names each as a line to paste), run by a shell on A
that has an ssh connection to B open. Both ways are taken in turns, always from A to B; times are of the whole command on A.

    tests/bench/move.py [ROUNDS]      about 10 minutes; the goal is a ratio of at most 1.5
"""

import re
import shlex
import sys

from bench_lab import cluster, seconds, told

LINE = re.compile(r"exit 0 after \d+ ms: (.*)$")
TOOLS = {"drbdadm": 0, "ip": 1, "systemd-run": 2}


def commands(lab, node, since):
    """What mcvd ran on a node since a cursor, in its order."""
    journal = lab.text(node, f"journalctl -u mcvd -o cat --after-cursor={shlex.quote(since)}")
    lines = [match.group(1) for match in map(LINE.search, journal.splitlines()) if match]
    return [line for line in lines if shlex.split(line)[0].rsplit("/", 1)[-1] in TOOLS and " -j" not in line]


def cursor(lab, node):
    return lab.text(node, "journalctl -u mcvd -n 1 --show-cursor | sed -n 's/^-- cursor: //p'")


def home(lab):
    """Back to A and stopped, untimed."""
    lab.run("B", ["hvctl", "-q", "vm", "kill", "vm1"])
    lab.run("A", ["hvctl", "-q", "migrate", "--node", "A", "vm1"])


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    lab, job = cluster()
    with lab:
        for node in ("A", "B"):
            lab.run(node, "sed -i 's/^#log_level.*/log_level = \"debug\"/' /etc/mcv/mcvd.toml && systemctl restart mcvd")
        job.are_together()
        job.create()
        move = ["hvctl", "-q", "migrate", "--node", "B", "vm1", "--start-after-migration"]
        since = {node: cursor(lab, node) for node in ("A", "B")}
        lab.run("A", move)
        there = [line for line in commands(lab, "B", since["B"])]
        here = [line for line in commands(lab, "A", since["A"])]
        print("on A:", *here, "on B:", *there, sep="\n  ", flush=True)
        home(lab)
        lab.run("A", "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
        lab.run("B", "cat >>/root/.ssh/authorized_keys", stdin=lab.text("A", "cat /root/.ssh/id_ed25519.pub") + "\n")
        ssh = "ssh -o StrictHostKeyChecking=accept-new -o ControlMaster=auto -o ControlPersist=3600 -o ControlPath=/root/.ssh/B 10.77.0.12"
        lab.run("A", f"{ssh} true")
        script = ["set -e", *here, *(f"{ssh} {shlex.quote(line)}" for line in there)]
        lab.write("A", "/root/move.sh", "\n".join(script) + "\n", mode="755")
        samples = {"hvctl": [], "script": []}
        for _ in range(rounds):
            samples["hvctl"].append(seconds(lambda: lab.run("A", move)))
            home(lab)
            samples["script"].append(seconds(lambda: lab.run("A", "sh /root/move.sh")))
            undo(lab, there)
        medians = {name: told(name, values) for name, values in samples.items()}
    print(f"ratio {medians['hvctl'] / medians['script']:.2f}   (goal: at most 1.5)")


def undo(lab, there):
    """What the script started on B behind mcvd's back goes away again."""
    unit = next(word for line in there for word in shlex.split(line) if word.startswith("--unit=")).removeprefix("--unit=")
    lab.run("B", f"systemctl kill -s KILL {unit}; systemctl reset-failed {unit}; true")
    lab.expect("B", f"systemctl is-active {unit}", lambda text: text.strip() != "active", 60)
    lab.run("B", "drbdadm secondary all; ip -o link | sed -n 's/^[0-9]*: \\(mcv[^:@]*\\).*/\\1/p' | xargs -r -n1 ip link delete; true")


if __name__ == "__main__":
    main()
