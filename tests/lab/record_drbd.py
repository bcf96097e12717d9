#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays tests/data/drbd/session/steps.json on two real nodes and writes down what DRBD did: tests/data/drbd/session/recorded.json.

The simulator's DRBD is held to it (tests/unit/sim/drbd_model_test.cpp). No mcv on the nodes: the kernel calls a program that answers
what the steps say. A step ends when what both nodes show has not changed for a while; nothing passes or fails here.

    tests/lab/record_drbd.py        about 5 minutes
"""

import json
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from harness.lab import Lab  # noqa: E402

SESSION = pathlib.Path(__file__).resolve().parents[1] / "data" / "drbd" / "session"
RESOURCE = "mcv-vm1-0"
BLOCK = 4096
STILL = 4  # looks without a change, a second apart: longer than DRBD's timers of the resource file
HELPER = "#!/bin/sh\n[ \"$1\" = fence-peer ] || exit 0\nexit $(cat /run/fence-peer)\n"  # not in /run: nothing is executed there
UNSETTLED = re.compile("Unconnected|Timeout|BrokenPipe|NetworkFailure|ProtocolError|TearDown|Disconnecting|WFReport|Sync|Verify|WFBit|PausedSync|Ahead|Behind")


def shown(text):
    """What DRBD shows of the resource, by the words that both the kernel and the model know."""
    words = {}
    for line in text.splitlines():
        fields = dict(word.split(":", 1) for word in line.split() if ":" in word)
        if fields.get("name") != RESOURCE:
            continue
        kind = line.split()[1]
        wanted = {"resource": ("role", "suspended"), "device": ("disk",), "connection": ("connection", "role"),
                  "peer-device": ("replication", "peer-disk", "out-of-sync")}[kind]
        for name in wanted:
            if name in fields:
                words[f"{kind} {name}"] = fields[name] if name != "out-of-sync" else str(int(fields[name] != "0"))
    return words


class Recorder:
    def __init__(self, lab):
        self.lab = lab
        self.on = {"A", "B"}

    def prepare(self):
        for node in ("A", "B"):
            self.lab.run(node, "lvcreate -qq -y -L 32M -n mcv-vm1-0 vg0 && lvcreate -qq -y -L 4M -n mcv-vm1-0.md vg0 && dd if=/dev/zero of=/dev/vg0/mcv-vm1-0 bs=1M count=32 oflag=direct status=none")
            self.lab.write(node, f"/etc/drbd.d/{RESOURCE}.res", (SESSION / f"{RESOURCE}.res").read_text())
            self.arm(node)

    def arm(self, node):
        self.lab.write(node, "/usr/local/sbin/helper", HELPER, mode="755")
        self.lab.run(node, "modprobe drbd && echo -n /usr/local/sbin/helper >/sys/module/drbd/parameters/usermode_helper && echo 1 >/run/fence-peer")

    def look(self, node):
        if node not in self.on:
            return {}
        seen = shown(self.lab.run(node, "drbdsetup events2 --statistics --now", check=False).stdout)
        writes = self.lab.run(node, "cat /run/write-* 2>/dev/null", check=False).stdout.split()
        seen["written"] = " ".join(sorted(writes, key=lambda name: int(name[1:])))
        return seen

    def settled(self):
        looks = []

        def is_still():
            looks.append({node: self.look(node) for node in ("A", "B")})
            last = looks[-STILL:]
            return len(last) == STILL and all(look == last[0] for look in last) and not UNSETTLED.search(json.dumps(last[0])) and last[0]

        return wait_until(is_still, 120, "both nodes stand still", interval=1)

    def play(self, step):
        """What the step itself showed."""
        node = step.get("on")
        if "run" in step:
            done = self.lab.run(node, step["run"], check=False, timeout=120)
            answer = {"exit": done.returncode}
            refusal = re.search(r"State change failed: \((-?\d+)\)", done.stdout + done.stderr)
            if refusal:
                answer["refusal"] = int(refusal.group(1))
            if "get-gi" in step["run"]:
                answer["out"] = done.stdout.strip()
            return answer
        if "fence" in step:
            self.lab.run(node, f"echo {step['fence']} >/run/fence-peer")
        elif "write" in step:
            line = f"dd if=/dev/urandom of=/dev/drbd100 bs={BLOCK} count=1 seek={step['block']} oflag=direct conv=notrunc && echo {step['write']} >/run/write-{step['write']}"
            self.lab.run(node, ["systemd-run", "--quiet", "--no-block", "sh", "-c", line])
        elif "corrupt" in step:
            self.lab.run(node, f"dd if=/dev/urandom of=/dev/vg0/mcv-vm1-0 bs={BLOCK} count=1 seek={step['corrupt']} oflag=direct conv=notrunc status=none")
        elif "cut" in step:
            if step["cut"]:
                self.lab.cut("B", "drbd")
            else:
                self.lab.heal()
        elif "power" in step:
            if step["power"]:
                self.lab.start(node)
                self.on.add(node)
                self.arm(node)
            else:
                self.lab.kill(node)
                self.on.discard(node)
        return {}


def main():
    steps = json.loads((SESSION / "steps.json").read_text())
    recorded = []
    with Lab().up() as lab:
        recorder = Recorder(lab)
        recorder.prepare()
        for step in steps:
            began = time.monotonic()
            record = {**recorder.play(step), **recorder.settled()}
            print(f"{time.monotonic() - began:5.1f} s  {step.get('on', '')} {step['why']}: {json.dumps(record)}", file=sys.stderr, flush=True)
            recorded.append(record)
            (SESSION / "recorded.json").write_text("[\n" + ",\n".join("  " + json.dumps(record) for record in recorded) + "\n]\n")


if __name__ == "__main__":
    main()
