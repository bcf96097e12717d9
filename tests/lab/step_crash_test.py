#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon is killed, or a node loses its power, at an exact moment of a step of an operation, on real nodes: what was begun is
finished or undone without a person, and nothing is left behind.

The steps are those the planners return (--dry-run), the moments are before a step's effect and before its outcome is journaled. By
itself it runs a few cells chosen by the commit's hash; with LAB_STEPS=all (tests/run.sh lab-steps) every step of creating and moving
a VM and a sample of the other operations. LAB_STEPS=vm-create:power,vm-migrate:kill@6,add-node*4, for example, runs the cells of one
operation and blow, those of one step, and four of another operation.
"""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import LabTest, orphans, product, wait_until  # noqa: E402
from harness.case import evidence_directory  # noqa: E402
from harness.lab import TOP  # noqa: E402
from harness.steps import FAIL, KILL, POWER, Hold, all_cells, sample, steps_of  # noqa: E402
from main_job import VM_OPTIONS, MainJob, cmdline  # noqa: E402


def commit_seed():
    done = subprocess.run(["git", "-C", str(TOP), "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=False)
    return int(done.stdout.strip() or "0", 16)


class Operation:
    """One command, where it is typed, and how its end is seen."""

    def __init__(self, name, node, words, is_done, was_not_done=None, stdin=None):
        self.name, self.node, self.words, self.is_done, self.stdin = name, node, words, is_done, stdin
        self.was_not_done = was_not_done or (lambda: not is_done())


class StepCrash(LabTest):
    """Each VM has a name of its own: what its guest said is held against its own disk."""

    number = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.job = MainJob(cls.lab, show=lambda text: print(text, file=sys.stderr, flush=True))
        cls.hold = Hold(cls.lab)
        try:
            cls.job.install()
            cls.job.init_nodes()
            cls.job.join()
            # Room is left for another pool.
            cls.job.hvctl("A", "storage", "create", "fast", "--vg", "vg0", "--thin", "--size", "2G")
            cls.job.hvctl("A", "drbd", "enable")
            cls.job.hvctl("A", "network", "create", "lan", "--bridge", "br0")
            cls.hold.install()
            cls.wait_settled()
        except Exception:
            cls.lab.collect(evidence_directory() / cls.__name__)
            raise

    # --- what is true now ---
    @classmethod
    def are_two_clusters(cls):
        """Each node is a cluster of its own, and takes part in no join."""
        infos = [product.ask(cls.lab, node, "info") for node in cls.lab.nodes]
        return all(info and (info["cluster_state"], info["link"]) == ("single", "single") for info in infos)

    @classmethod
    def wait_settled(cls, timeout=300):
        """Both daemons answer, are one cluster or two, and do nothing."""

        def settled():
            infos = {node: product.ask(cls.lab, node, "info") for node in cls.lab.nodes}
            assert product.are_connected(infos) or cls.are_two_clusters(), infos
            lists = [product.ask(cls.lab, node, "op", "list")["operations"] for node in cls.lab.nodes]
            busy = [f"{operation['id']} {operation['summary']}: {operation['progress']['text']}" for operations in lists for operation in operations if operation["state"] == "running"]
            assert not busy, busy
            return True

        wait_until(settled, timeout, "both nodes are back and every operation has ended", interval=0.5)

    @property
    def name(self):
        return f"vm{type(self).number}"

    def vm(self, name=None):
        return next((vm for vm in self.job.ask("A", "vm", "list")["vms"] if vm["name"] == (name or self.name)), None)

    def runs(self):
        return self.vm()["state"] == "running"

    def is_redundant(self):
        volumes = [self.job.ask(node, "drbd", "list")["volumes"] for node in ("A", "B")]
        return all(len(seen) == 1 and (seen[0]["disk"], seen[0]["peer_disk"]) == ("UpToDate", "UpToDate") for seen in volumes)

    # --- the operations ---
    def create(self):
        words = ["vm", "create", self.name, *VM_OPTIONS, "--cmdline", cmdline(self.name)]
        return Operation("vm-create", "A", words, lambda: bool(self.vm()) and self.is_redundant(), lambda: self.vm() is None)

    def delete(self):
        name = self.name
        type(self).number += 1
        return Operation("vm-delete", "A", ["vm", "delete", name, "--yes"], lambda: self.vm(name) is None)

    def start(self):
        return Operation("vm-start", "A", ["vm", "start", self.name], self.runs)

    def end(self):
        """A guest whose power was cut stays off, whatever became of the steps after that."""
        return Operation("vm-kill", "A", ["vm", "kill", self.name], lambda: self.vm()["state"] == "stopped", lambda: True)

    def stop(self):
        """The guest shuts down when it is asked to; whether the operation that waits for it survives is another matter."""
        return Operation("vm-stop", "A", ["vm", "stop", self.name], lambda: self.vm()["state"] == "stopped", lambda: True)

    def migrate(self):
        """There and back again: whoever does not own it is the target."""
        source = self.vm()["owner"]
        target = "B" if source == "A" else "A"
        words = ["migrate", "--node", target, self.name, "--start-after-migration"]
        return Operation("vm-migrate", source, words, lambda: self.vm()["owner"] == target and self.runs(), lambda: self.vm()["owner"] == source and not self.runs())

    def verdict(self):
        return self.job.ask("A", "drbd", "list")["volumes"][0]["verdict"]["kind"]

    def verify(self):
        """A verdict that could not be recorded, because the other daemon was away, leaves the earlier one."""
        return Operation("verify", "A", ["verify", "--all"], lambda: self.verdict() in ("clean", "never"), lambda: True)

    def pool(self):
        def is_there():
            return "slow" in [pool["name"] for pool in self.job.ask("A", "storage", "list")["pools"]]

        return Operation("storage-create", "A", ["storage", "create", "slow", "--vg", "vg0", "--thin", "--size", "256M"], is_there)

    def no_pool(self):
        return Operation("storage-delete", "A", ["storage", "delete", "slow", "--yes"], lambda: "slow" not in [pool["name"] for pool in self.job.ask("A", "storage", "list")["pools"]])

    def replication(self):
        return Operation("drbd-enable", "A", ["drbd", "enable"], lambda: self.job.ask("A", "info")["drbd"]["enabled"], lambda: True)

    def leave(self):
        """B's copies are put aside; those of earlier times go first."""
        for copy in self.job.ask("B", "storage", "list-quarantined")["copies"]:
            self.job.hvctl("B", "storage", "delete-quarantined", copy["name"], "--yes")
        return Operation("remove-node", "A", ["cluster", "remove-node", "--node", "B", "--yes"], self.are_two_clusters, self.is_redundant)

    def join(self):
        """B is copied to from A."""
        line = re.search(r"mcv1:\S+", self.lab.text("B", "hvctl cluster get-connect-string --ip-address 10.77.0.12")).group()
        return Operation("add-node", "A", ["cluster", "add-node", "--connect-string", "-"], lambda: not self.are_two_clusters() and self.is_redundant(), self.are_two_clusters, stdin=line + "\n")

    # --- one cell ---
    def plan(self, operation):
        return steps_of(json.loads(self.lab.run(operation.node, ["hvctl", *operation.words, "--dry-run", "-o", "json"], stdin=operation.stdin).stdout))

    def plain(self, operation):
        self.job.hvctl(operation.node, *operation.words, stdin=operation.stdin)
        wait_until(operation.is_done, 120, f"{operation.name} is done", interval=0.5)

    def strike(self, cell, coordinator):
        victim = coordinator if cell.victim == "coordinator" else cell.step.node
        if cell.blow == KILL:
            self.lab.run(victim, "systemctl kill -s KILL --kill-whom=main mcvd")
        if cell.blow == POWER:
            self.lab.kill(victim)
        if cell.blow != POWER or victim != cell.step.node:
            self.hold.release(cell)
        if cell.blow == POWER:
            self.lab.start(victim)

    def run_cell(self, operation, cell):
        began = time.monotonic()
        self.hold.ask(cell)
        begun = json.loads(self.lab.run(operation.node, ["hvctl", *operation.words, "--no-wait", "-o", "json"], stdin=operation.stdin).stdout)
        identity = begun["operation"]["id"]
        coordinator = identity.rsplit("-", 1)[0]
        self.hold.wait(cell, identity)
        self.strike(cell, coordinator)
        self.wait_settled()
        view = self.job.ask(coordinator, "op", "show", identity)
        outcome = view["state"]
        self.assertIn(outcome, ("succeeded", "undone"), json.dumps(view, indent=1))
        if outcome == "succeeded":
            wait_until(operation.is_done, 120, f"{cell}: succeeded, and it is as if it had", interval=0.5)
        else:
            wait_until(operation.was_not_done, 60, f"{cell}: undone, and it is as if nothing had been done", interval=0.5)
        self.assertEqual([], orphans.audit(self.lab, patience=30), f"{cell}: {outcome}")
        self.assertEqual([], product.configuration(self.lab))
        if outcome == "undone":
            self.again(operation)
        print(f"CELL {cell}: {outcome}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return outcome

    # --- the story: operations in an order in which each is possible, and cells wherever one wants one ---
    def perform(self, make, cells):
        """The operation, disturbed by the next cell that is asked of it, if any is left. A cell that fails does not end the others."""
        operation = make()
        waiting = cells.get(operation.name, [])
        if not waiting:
            return self.plain(operation)
        cell = self.bound(operation, waiting.pop(0))
        if cell is None:
            return self.plain(operation)
        try:
            self.outcomes.append(self.run_cell(operation, cell))
        except AssertionError as failure:
            print(f"FAILED {cell}: {failure}", file=sys.stderr, flush=True)
            self.failures.append(f"{cell}: {failure}")
            self.lab.collect(evidence_directory() / f"cell-{len(self.failures)}")
            self.recover(operation)

    def recover(self, operation):
        """So that the cells that follow say something of their own."""
        self.lab.reset()
        for node in self.lab.nodes:
            self.hold.clear(node)
        wait_until(lambda: all(product.ask(self.lab, node, "info") for node in self.lab.nodes), 120, "both daemons answer")
        for node in self.lab.nodes:
            for failed in self.job.ask_partial(node, "op", "list")["operations"]:
                if failed["state"] == "failed":
                    self.job.hvctl(node, "op", "retry", failed["id"], check=False)
        self.wait_settled()
        if not operation.is_done():
            self.again(operation)

    def again(self, operation):
        """A connect string is good for one join."""
        self.plain(self.join() if operation.name == "add-node" else operation)

    def bound(self, operation, chosen):
        """The cell as it is now: a move back has the same steps on the other nodes, and a start by the last Primary records nothing."""
        fitting = [step for step in self.plan(operation) if step.action == chosen.step.action]
        step = min(fitting, key=lambda step: abs(step.index - chosen.step.index), default=None)
        if step is None:
            print(f"SKIPPED {chosen}: the plan of now has no such step", file=sys.stderr, flush=True)
        return step and dataclasses.replace(chosen, step=step)

    def enumerate(self):
        """Every cell of every operation, by name, from plans made where each is possible."""
        cells = {}

        def plan(make):
            operation = make()
            cells[operation.name] = all_cells(operation.name, self.plan(operation), operation.node)
            return operation

        def do(make):
            self.plain(plan(make))

        plan(self.replication)
        do(self.pool)
        do(self.no_pool)
        do(self.create)
        plan(self.verify)
        plan(self.migrate)
        do(self.start)
        plan(self.stop)
        do(self.end)
        self.record()
        do(self.leave)
        do(self.join)
        do(self.delete)
        return cells

    def record(self):
        """For tests/data/lab: what the orphan finder reads of each node now (LAB_RECORD names a directory)."""
        where = os.environ.get("LAB_RECORD")
        if not where:
            return
        self.plain(self.start())
        for node in self.lab.nodes:
            (pathlib.Path(where) / f"node-{node}.txt").write_text(self.lab.run(node, orphans.script(), check=False).stdout)
        self.plain(self.end())

    def choose(self, cells):
        wanted = os.environ.get("LAB_STEPS", "sample")
        seed = commit_seed()
        if wanted == "sample":
            chosen = {name: sample(cells[name], 1, seed, (KILL,)) for name in ("vm-create", "vm-migrate")}
            other = sorted(set(cells) - set(chosen))[seed % (len(cells) - len(chosen))]
            chosen[other] = sample(cells[other], 1, seed, (KILL, FAIL))
            power = ("vm-create", "vm-migrate")[seed % 2]
            chosen[power] = chosen[power] + sample(cells[power], 1, seed, (POWER,))
            return chosen
        if wanted == "all":
            every = ("vm-create", "vm-migrate")
            return {name: list(of) if name in every else sample(of, 4, seed, (KILL, FAIL)) + sample(of, 1, seed, (POWER,)) for name, of in cells.items()}
        chosen = {}
        for part in wanted.split(","):
            words, _, count = part.partition("*")
            words, _, at = words.partition("@")
            name, _, blow = words.partition(":")
            fitting = [cell for cell in cells[name] if blow in ("", cell.blow) and at in ("", str(cell.step.index + 1))]
            chosen[name] = chosen.get(name, []) + (sample(fitting, int(count), seed) if count else fitting)
        return chosen

    def tell(self, cells):
        total = sum(len(of) for of in cells.values())
        print(f"{total} cells: " + ", ".join(f"{name} {len(of)}" for name, of in cells.items() if of), file=sys.stderr, flush=True)

    def test_every_step_is_finished_or_undone(self):
        self.outcomes, self.failures = [], []
        self.assertEqual([], orphans.audit(self.lab, patience=10))
        began = time.monotonic()
        cells = self.choose(self.enumerate())
        self.tell(cells)
        while cells.get("drbd-enable"):
            self.perform(self.replication, cells)
        while cells.get("storage-create") or cells.get("storage-delete"):
            self.perform(self.pool, cells)
            self.perform(self.no_pool, cells)
        while cells.get("vm-delete") or len(cells.get("vm-create", [])) > 1:
            self.perform(self.create, cells)
            self.perform(self.delete, cells)
        self.perform(self.create, cells)
        while cells.get("verify"):
            self.perform(self.verify, cells)
        while cells.get("vm-migrate"):
            self.perform(self.migrate, cells)
            self.perform(self.end, cells)
        while cells.get("vm-start") or cells.get("vm-kill") or cells.get("vm-stop"):
            self.perform(self.start, cells)
            self.perform(self.stop if cells.get("vm-stop") else self.end, cells)
        while cells.get("remove-node") or cells.get("add-node"):
            self.perform(self.leave, cells)
            self.perform(self.join, cells)
        minutes = (time.monotonic() - began) / 60
        ends = ", ".join(f"{self.outcomes.count(end)} {end}" for end in ("succeeded", "undone"))
        print(f"{len(self.outcomes) + len(self.failures)} cells in {minutes:.1f} min: {ends}, {len(self.failures)} FAILED", file=sys.stderr, flush=True)
        self.assertEqual([], self.failures)

    def test_what_is_left_behind_is_found(self):
        """One planted thing of each kind."""
        plants = {
            "logical volume vg0/mcv-planted-0": ("lvcreate -qq -y -n mcv-planted-0 -L 4M --addtag mcv vg0", "lvremove -qq -y vg0/mcv-planted-0"),
            "resource file mcv-planted-0.res": ("touch /etc/drbd.d/mcv-planted-0.res", "rm /etc/drbd.d/mcv-planted-0.res"),
            "DRBD resource mcv-planted-0, minor 199": ("drbdsetup new-resource mcv-planted-0 && drbdsetup new-minor mcv-planted-0 199 0", "drbdsetup down mcv-planted-0"),
            "tap mcv0123456789ab": ("ip tuntap add dev mcv0123456789ab mode tap", "ip link delete mcv0123456789ab"),
            "service mcv-vm-planted.service": ("systemd-run --quiet --slice=mcv.slice --unit=mcv-vm-planted sleep 1000", "systemctl stop mcv-vm-planted"),
            "port 7950 listens": ("systemd-run --quiet --unit=planted-port socat TCP-LISTEN:7950,fork /dev/null", "systemctl stop planted-port"),
            "/run/mcv/runs/planted.json": ("mkdir -p /run/mcv/runs && touch /run/mcv/runs/planted.json", "rm /run/mcv/runs/planted.json"),
            "/var/lib/mcv/join-prepared.json.old": ("touch /var/lib/mcv/join-prepared.json.old", "rm /var/lib/mcv/join-prepared.json.old"),
        }
        self.assertEqual([], orphans.audit(self.lab))
        for plant, _ in plants.values():
            self.lab.run("B", plant)
        try:
            found = orphans.audit(self.lab, patience=0)
        finally:
            for _, clear in plants.values():
                self.lab.run("B", clear)
        self.assertEqual(sorted(f"B: orphan {name}" for name in plants), sorted(found))
        self.assertEqual([], orphans.audit(self.lab))


if __name__ == "__main__":
    unittest.main()
