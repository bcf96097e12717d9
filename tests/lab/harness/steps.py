# SPDX-License-Identifier: Apache-2.0
"""Stopping a real mcvd at one exact moment of one step (the test option MCV_TEST_HOLD_STEPS, docs/testing.md), and the cells that are
made of that: which step, which moment, who is hit, and how. Pure but for Hold."""

import dataclasses
import json
import random

from .wait import wait_until

FILE = "/run/mcv/step-hold"
REACHED = FILE + ".reached"
DROP_IN = "/etc/systemd/system/mcvd.service.d/step-hold.conf"
# Killed more often than systemd would have it, too.
UNIT = f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nEnvironment=MCV_TEST_HOLD_STEPS={FILE}\n"

KILL, POWER, FAIL = "kill", "power", "fail"


@dataclasses.dataclass(frozen=True)
class Step:
    """Of a plan as --dry-run prints it."""

    index: int
    action: str
    node: str


@dataclasses.dataclass(frozen=True)
class Cell:
    operation: str
    step: Step
    moment: str  # before-run, after-run
    blow: str
    victim: str  # coordinator or runner; runner when they are one

    def __str__(self):
        who = "" if self.blow == FAIL else f" of the {self.victim}"
        return f"{self.operation}: {self.blow}{who} {self.moment} of step {self.step.index + 1} {self.step.action} on {self.step.node}"


def steps_of(dry_run):
    """dry_run: the answer of a command with --dry-run -o json."""
    return [Step(index, step["step"], step["node"]) for index, step in enumerate(dry_run["plan"])]


def victims(step, coordinator):
    """Whose daemon, or power, is lost."""
    return ["runner"] if step.node == coordinator else ["runner", "coordinator"]


def all_cells(operation, steps, coordinator):
    """Daemons are killed before and after each step; the power, which takes a boot, is cut at one moment of each, in turns."""
    cells = []
    for step in steps:
        for victim in victims(step, coordinator):
            cells += [Cell(operation, step, moment, KILL, victim) for moment in ("before-run", "after-run")]
            cells.append(Cell(operation, step, ("before-run", "after-run")[step.index % 2], POWER, victim))
        cells.append(Cell(operation, step, "after-run", FAIL, "runner"))
    return cells


def sample(cells, count, seed, blows=(KILL, POWER, FAIL)):
    """`count` of those with one of the blows, chosen by the seed, in their order."""
    fitting = [cell for cell in cells if cell.blow in blows]
    chosen = random.Random(seed).sample(fitting, min(count, len(fitting)))
    return [cell for cell in fitting if cell in chosen]


class Hold:
    """The option on the nodes of a lab."""

    def __init__(self, lab):
        self.lab = lab

    def install(self):
        for node in self.lab.nodes:
            self.lab.run(node, "mkdir -p " + DROP_IN.rsplit("/", 1)[0])
            self.lab.write(node, DROP_IN, UNIT)
            self.lab.run(node, "systemctl daemon-reload && systemctl restart mcvd")

    def ask(self, cell):
        wanted = {"action": cell.step.action, "step": cell.step.index, "moment": cell.moment, "fail": cell.blow == FAIL}
        self.lab.run(cell.step.node, f"rm -f {REACHED} && cat >{FILE}.new && mv {FILE}.new {FILE}", stdin=json.dumps(wanted))

    def wait(self, cell, operation, timeout=180):
        """Until the step stands; it is the operation's that is tested."""

        def stands():
            said = self.lab.run(cell.step.node, f"for i in $(seq 50); do [ -e {REACHED} ] && break; sleep 0.1; done; cat {REACHED}", check=False).stdout
            return said and json.loads(said)

        said = wait_until(stands, timeout, f"{cell} is reached", interval=0)
        assert said["operation"] == operation, f"{said} is not of {operation}"

    def release(self, cell):
        self.clear(cell.step.node)

    def clear(self, node):
        self.lab.run(node, f"rm -f {FILE} {REACHED}")
