#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the orphan finder makes of a node, from what real nodes said (tests/data/lab), with one thing planted or taken at a time; and
which cells the crash test is made of. No lab, seconds."""

import copy
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import orphans, steps  # noqa: E402

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "lab"


def recorded(node):
    return orphans.parse((DATA / f"node-{node}.txt").read_text())


class Nodes(unittest.TestCase):
    """Two nodes of one cluster; vm1 is A's and runs, with one replicated disk and one card."""

    def setUp(self):
        self.a, self.b = recorded("A"), recorded("B")

    def test_what_the_records_explain_is_well(self):
        self.assertEqual([], orphans.findings(self.a))
        self.assertEqual([], orphans.findings(self.b))

    def test_the_records_are_read(self):
        want = orphans.Expected(self.a)
        self.assertEqual({("vg0", "mcv-fast"), ("vg0", "mcv-vm1-0"), ("vg0", "mcv-vm1-0.md")}, want.lvs)
        self.assertEqual(({"mcv-vm1-0": 100}, {7900}), (want.resources, want.ports))
        self.assertEqual(({orphans.tap_of("vm1", 0): "br0"}, {"mcv-vm-vm1.service"}), (want.taps, want.units))
        self.assertEqual(({}, set()), (orphans.Expected(self.b).taps, orphans.Expected(self.b).units), "it runs on A")

    def check(self, change, expected, node=None):
        seen = copy.deepcopy(node or self.b)
        change(seen)
        self.assertEqual(expected, orphans.findings(seen))

    def test_each_orphan_is_found(self):
        self.check(lambda seen: seen["lvs"].update({("vg0", "mcv-old-0"): ["mcv"]}), ["orphan logical volume vg0/mcv-old-0"])
        self.check(lambda seen: seen["lvs"].update({("vg1", "renamed"): ["mcv", "mcv.zeroed"]}), ["orphan logical volume vg1/renamed"])
        self.check(lambda seen: seen["lvs"].update({("vg0", "mcvq-A-3-vm1-0"): ["mcv"]}), ["orphan logical volume vg0/mcvq-A-3-vm1-0"])
        self.check(lambda seen: seen["resource_files"].append("mcv-old-0.res"), ["orphan resource file mcv-old-0.res"])
        self.check(lambda seen: seen["resource_files"].append(".mcv-tmp.17"), ["orphan resource file .mcv-tmp.17"])
        self.check(lambda seen: seen["drbd"].update({"mcv-old-0": 101}), ["orphan DRBD resource mcv-old-0, minor 101"])
        self.check(lambda seen: seen["ports"].add(7901), ["orphan port 7901 listens"])
        self.check(lambda seen: seen["taps"].update({"mcv0123456789ab": "br0"}), ["orphan tap mcv0123456789ab"])
        self.check(lambda seen: seen["units"].append("mcv-vm-vm1.service"), ["orphan service mcv-vm-vm1.service"])
        self.check(lambda seen: seen["cgroups"].append("mcv-vm-vm1.service"), ["orphan service mcv-vm-vm1.service"])
        self.check(lambda seen: seen["processes"].append(["17", "mcvd.service", "qemu-system-x86"]), ["orphan process 17 (qemu-system-x86) of mcvd.service"])
        self.check(lambda seen: seen["run"].append("runs/old.json"), ["orphan /run/mcv/runs/old.json"])
        self.check(lambda seen: seen["run"].append("vm/old"), ["orphan /run/mcv/vm/old"])
        self.check(lambda seen: seen["state"].append("join-prepared.json"), ["orphan /var/lib/mcv/join-prepared.json"])

    def test_what_is_not_ours_is_left_alone(self):
        def others(seen):
            seen["lvs"][("vg0", "backup")] = [""]
            seen["resource_files"].append("r0.res")
            seen["drbd"]["r0"] = 5
            seen["taps"]["tap0"] = None
            seen["ports"].add(22)

        self.check(others, [])

    def test_a_copy_in_quarantine_is_explained(self):
        def put_aside(seen):
            seen["lvs"].update({("vg0", "mcvq-A-3-vm1-0"): ["mcv"], ("vg0", "mcvq-A-3-vm1-0.md"): ["mcv"]})
            seen["quarantine"]["copies"].append({"name": "mcvq-A-3-vm1-0"})

        self.check(put_aside, [])

    def test_what_a_repair_overwrote_is_explained_until_a_clean_verify(self):
        name = "mcvs-A-3-vm1-0"

        def kept(verdict, volume="vm1-0", node="B"):
            def change(seen):
                seen["lvs"][("vg0", name)] = ["mcv", "mcv.snapshot"]
                seen["snapshots"]["snapshots"].append({"name": name, "node": node, "volume": volume})
                seen["vms"]["vms"][0]["volumes"][0]["verdict"] = {"kind": verdict}

            return change

        self.check(kept("mismatch"), [])
        self.check(kept("suspect"), [])
        orphan = [f"orphan logical volume vg0/{name}"]
        self.check(kept("clean"), orphan)
        self.check(kept("mismatch", volume="old-0"), orphan)
        self.check(kept("mismatch", node="A"), orphan)
        self.check(lambda seen: seen["lvs"].update({("vg0", name): [""]}), orphan)

    def test_each_missing_thing_is_found(self):
        self.check(lambda seen: seen["lvs"].pop(("vg0", "mcv-vm1-0.md")), ["missing logical volume vg0/mcv-vm1-0.md"])
        self.check(lambda seen: seen["resource_files"].remove("mcv-vm1-0.res"), ["missing resource file mcv-vm1-0.res"])
        self.check(lambda seen: seen["drbd"].clear(), ["missing DRBD resource mcv-vm1-0, minor 100"])
        self.check(lambda seen: seen["drbd"].update({"mcv-vm1-0": 101}), ["missing DRBD resource mcv-vm1-0, minor 100"])
        tap = orphans.tap_of("vm1", 0)
        self.check(lambda seen: seen["taps"].update({tap: None}), [f"missing tap {tap} in br0"], self.a)

        def no_guest(seen):
            seen["units"].clear()
            seen["cgroups"].clear()
            seen["processes"].clear()

        self.check(no_guest, ["missing service mcv-vm-vm1.service"], self.a)

    def test_a_stopped_vm_explains_neither_tap_nor_service(self):
        def stopped(seen):
            seen["vms"]["vms"][0]["state"] = "stopped"

        found = orphans.findings(self.changed(self.a, stopped))
        self.assertIn(f"orphan tap {orphans.tap_of('vm1', 0)}", found)
        self.assertIn("orphan service mcv-vm-vm1.service", found)
        self.assertTrue(any(text.startswith("orphan process ") for text in found), found)

    @staticmethod
    def changed(seen, change):
        seen = copy.deepcopy(seen)
        change(seen)
        return seen

    def test_a_node_that_says_half_of_it_is_not_judged(self):
        text = (DATA / "node-A.txt").read_text()
        with self.assertRaises(ValueError):
            orphans.parse(text.replace('"vms"', '"vms', 1))

    def test_a_running_operation_is_waited_for(self):
        self.assertTrue(orphans.is_idle(self.a))
        self.a["operations"]["operations"].append({"state": "running"})
        self.assertFalse(orphans.is_idle(self.a))


class Cells(unittest.TestCase):
    PLAN = {"plan": [{"step": "record", "node": "A", "text": "x"}, {"step": "volume.backing", "node": "A", "text": "x"}, {"step": "volume.backing", "node": "B", "text": "x"}]}

    def setUp(self):
        self.cells = steps.all_cells("vm-create", steps.steps_of(self.PLAN), "A")

    def test_each_step_is_hit_before_and_after_on_each_node_that_has_to_do_with_it(self):
        kills = [(cell.step.index, cell.moment, cell.victim) for cell in self.cells if cell.blow == steps.KILL]
        moments = ("before-run", "after-run")
        expected = [(index, moment, "runner") for index in (0, 1, 2) for moment in moments] + [(2, moment, "coordinator") for moment in moments]
        self.assertEqual(sorted(expected), sorted(kills))

    def test_the_power_of_each_is_cut_once(self):
        cuts = [(cell.step.index, cell.moment, cell.victim) for cell in self.cells if cell.blow == steps.POWER]
        self.assertEqual([(0, "before-run", "runner"), (1, "after-run", "runner"), (2, "before-run", "coordinator"), (2, "before-run", "runner")], sorted(cuts))

    def test_each_step_fails_once(self):
        self.assertEqual([0, 1, 2], [cell.step.index for cell in self.cells if cell.blow == steps.FAIL])

    def test_a_sample_is_the_same_for_one_commit_and_differs_between_some(self):
        self.assertEqual(steps.sample(self.cells, 2, 17), steps.sample(self.cells, 2, 17))
        self.assertGreater(len({tuple(steps.sample(self.cells, 2, seed)) for seed in range(20)}), 5)
        self.assertEqual({steps.POWER}, {cell.blow for cell in steps.sample(self.cells, 3, 1, (steps.POWER,))})
        self.assertEqual(len(self.cells), len(steps.sample(self.cells, 1000, 1)))

    def test_the_file_asks_for_what_mcvd_looks_for(self):
        class Words:
            def run(self, node, command, stdin=None):
                self.said = (node, json.loads(stdin))

        lab = Words()
        cell = next(cell for cell in self.cells if cell.blow == steps.FAIL and cell.step.node == "B")
        steps.Hold(lab).ask(cell)
        self.assertEqual(("B", {"action": "volume.backing", "step": 2, "moment": "after-run", "fail": True}), lab.said)


if __name__ == "__main__":
    unittest.main()
