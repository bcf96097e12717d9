#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's auditor finds what it is there for: planted faults on nodes that are words. Seconds, no lab."""

import io
import json
import pathlib
import subprocess
import sys
import types
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Auditor, LabTest, product  # noqa: E402
from harness.audit import double_runs, lost_records  # noqa: E402
from harness.collector import Report  # noqa: E402


def reports(boots, vm="vm1", records=0):
    return [Report(float(at), vm, boot, at, records, "52:54:00:00:00:01") for at, boot in enumerate(boots)]


def records(consecutive, beyond=0, mixed=False):
    return {"consecutive": consecutive, "beyond": beyond, "boots": [], "mixed": mixed}


class Nodes:
    """A lab of two nodes that answer what a real one did."""

    def __init__(self):
        self.nodes = ["A", "B"]
        self.hashes = {"A": "5f", "B": "5f"}
        self.in_group = True
        self.off = set()
        self.vm = {"name": "vm1", "owner": "A", "state": "running", "volumes": [{"name": "vm1-0", "kind": "drbd"}]}
        self.legs = {"A": ("UpToDate", "UpToDate"), "B": ("UpToDate", "UpToDate")}
        self.disks = {"A": records(40), "B": records(40)}
        self.console = {"A": "found 0 records\nrecord 39\nrecord 40\n", "B": ""}
        self.kill_works = True
        self.ran = []

    def run(self, node, command, check=True, timeout=120):
        line = command if isinstance(command, str) else " ".join(command)
        self.ran.append((node, line))
        if node in self.off:
            return subprocess.CompletedProcess([], 255, "", "connection refused")
        return subprocess.CompletedProcess([], 0, self.answer(node, line), "")

    def answer(self, node, line):
        if line.startswith("hvctl info"):
            peer = {"name": "the other", "in_group": self.in_group and not self.off}
            return json.dumps({"hash": self.hashes[node], "peer": peer})
        if line.startswith("hvctl vm kill"):
            if self.kill_works:
                self.vm["state"] = "stopped"
            return ""
        if line.startswith("hvctl vm list"):
            return json.dumps({"vms": [self.vm]})
        if line.startswith("hvctl vm info"):
            return json.dumps(self.vm)
        if line.startswith("hvctl drbd list"):
            disk, peer_disk = self.legs[node]
            return json.dumps({"volumes": [{"volume": "vm1-0", "disk": disk, "peer_disk": peer_disk}]})
        if line.startswith("cat /var/log/mcv/console/vm1.log"):
            return self.console[node]
        if "/dev/vg0/mcv-vm1-0" in line and "records" in line:
            return json.dumps(self.disks[node])
        raise AssertionError(f"nobody answers {line}")


class DoubleRuns(unittest.TestCase):
    def test_one_after_the_other_is_a_life(self):
        self.assertEqual([], double_runs(reports("aaabbbccc")))

    def test_a_boot_heard_again_after_another_is_two_at_once(self):
        self.assertRegex(double_runs(reports("aabbab"))[0], "vm1 ran twice: boot a was heard again after b")

    def test_two_vms_are_not_one(self):
        mixed = [report for pair in zip(reports("aaaa", "vm1"), reports("bbbb", "vm2")) for report in pair]
        self.assertEqual([], double_runs(mixed))

    def test_the_auditor_says_it_as_soon_as_it_is_heard(self):
        collector = types.SimpleNamespace(reports=reports("aab"))
        auditor = Auditor()
        auditor.watch(collector)
        self.assertEqual([], auditor.findings())
        collector.reports += reports("a")
        self.assertRegex(auditor.findings()[0], "double runs: vm1 ran twice")


class Configuration(unittest.TestCase):
    def test_equal_is_well(self):
        self.assertEqual([], product.configuration(Nodes(), patience=0))

    def test_different_hashes_of_connected_nodes_are_found(self):
        lab = Nodes()
        lab.hashes["B"] = "60"
        self.assertEqual(["the configurations differ: A has 5f, B has 60"], product.configuration(lab, patience=0))

    def test_what_arrives_a_moment_later_is_no_finding(self):
        lab = Nodes()
        lab.hashes["B"] = "60"
        plain = lab.answer

        def arrives(node, line):
            text = plain(node, line)
            if node == "B":
                lab.hashes["B"] = "5f"
            return text

        lab.answer = arrives
        self.assertEqual([], product.configuration(lab, patience=20))

    def test_nodes_apart_may_differ(self):
        lab = Nodes()
        lab.hashes["B"], lab.in_group = "60", False
        self.assertEqual([], product.configuration(lab, patience=0))

    def test_a_node_that_is_off_is_not_asked_for_ever(self):
        lab = Nodes()
        lab.off = {"B"}
        self.assertEqual([], product.configuration(lab, patience=60))
        self.assertEqual(2, len(lab.ran))

    def test_nothing_is_installed_yet(self):
        lab = Nodes()
        lab.answer = lambda node, line: "sh: 1: hvctl: not found"
        self.assertEqual([], product.configuration(lab, patience=0))
        self.assertEqual([], product.disks(lab))


class Disks(unittest.TestCase):
    def findings(self, lab, heard=()):
        return product.disks(lab, types.SimpleNamespace(of=lambda vm: [r for r in heard if r.vm == vm]))

    def read(self, lab):
        return [node for node, line in lab.ran if "flushbufs" in line]

    def test_everything_is_there(self):
        lab = Nodes()
        self.assertEqual([], self.findings(lab))
        self.assertEqual(["A", "B"], self.read(lab))
        self.assertEqual("stopped", lab.vm["state"])

    def test_a_record_the_console_announced_is_missing_on_one_side(self):
        lab = Nodes()
        lab.disks["B"] = records(39)
        self.assertEqual(["vm1 on B: record 40 was acknowledged, the disk has 39"], self.findings(lab))

    def test_a_record_only_the_collector_heard_of_is_missing(self):
        self.assertEqual(2, len(self.findings(Nodes(), heard=reports("a", records=41))))

    def test_another_vms_reports_do_not_count(self):
        self.assertEqual([], self.findings(Nodes(), heard=reports("a", vm="vm2", records=41)))

    def test_a_hole_and_two_writers_at_once(self):
        lab = Nodes()
        lab.disks = {"A": records(40, beyond=3), "B": records(40, mixed=True)}
        found = self.findings(lab)
        self.assertRegex(found[0], "vm1 on A: 3 records after a gap at 41")
        self.assertRegex(found[1], "vm1 on B: records of two boots are mixed")

    def test_a_copy_that_is_behind_by_its_own_word_is_not_held_to_it(self):
        lab = Nodes()
        lab.legs, lab.disks["B"] = {"A": ("UpToDate", "Outdated"), "B": ("Outdated", "UpToDate")}, records(12)
        self.assertEqual([], self.findings(lab))
        self.assertEqual(["A"], self.read(lab))

    def test_a_copy_that_calls_itself_current_alone_counts_for_the_owner_only(self):
        lab = Nodes()
        lab.legs, lab.disks["B"] = {"A": ("UpToDate", "DUnknown"), "B": ("UpToDate", "DUnknown")}, records(12)
        self.assertEqual([], self.findings(lab))
        lab.vm["owner"] = "B"
        self.assertEqual(["vm1 on B: record 40 was acknowledged, the disk has 12"], self.findings(lab))

    def test_a_local_disk_is_read_where_it_is(self):
        lab = Nodes()
        lab.vm["volumes"] = [{"name": "vm1-0", "kind": "local", "device": "/dev/vg0/mcv-vm1-0"}]
        lab.disks["A"] = records(1)
        self.assertEqual(["vm1 on A: record 40 was acknowledged, the disk has 1"], self.findings(lab))

    def test_a_disk_that_cannot_be_read_is_told(self):
        lab = Nodes()
        plain = lab.answer
        lab.answer = lambda node, line: "records: cannot open it" if "flushbufs" in line else plain(node, line)
        self.assertRegex(self.findings(lab)[0], "vm1 on A: /dev/vg0/mcv-vm1-0 cannot be read: records: cannot open it")

    def test_a_guest_that_cannot_be_ended_is_told(self):
        lab = Nodes()
        lab.kill_works = False
        with unittest.mock.patch.object(product, "wait_until", side_effect=product.TimedOut("still runs")):
            self.assertEqual(["vm1 could not be ended"], self.findings(lab))
        self.assertEqual([], self.read(lab))

    def test_who_keeps_the_lab_keeps_its_guests(self):
        lab = Nodes()
        self.assertEqual([], product.disks(lab, end_guests=False))
        self.assertEqual("running", lab.vm["state"])

    def test_what_the_disk_has_beyond_the_last_word_is_no_loss(self):
        self.assertEqual([], lost_records("vm1", 40, records(41)))


class Case(unittest.TestCase):
    """A finding makes the test red that it came after, and a lost record the class."""

    def run_class(self, lab, reports_heard):
        class Story(LabTest):
            @classmethod
            def setUpClass(cls):
                cls.lab, cls.auditor = lab, Auditor()
                lab.collector = types.SimpleNamespace(reports=reports_heard, of=lambda vm: [], close=lambda: None)
                lab.collect = lambda where: where
                cls.auditor.watch(lab.collector)
                cls.addClassCleanup(cls.audit_disks)

            def test_that_sees_nothing(self):
                pass

        suite = unittest.defaultTestLoader.loadTestsFromTestCase(Story)
        with unittest.mock.patch("sys.stderr", io.StringIO()), unittest.mock.patch.dict("os.environ", LAB_EVIDENCE="/nonexistent"):
            return unittest.TextTestRunner(stream=io.StringIO()).run(suite)

    def test_nothing_planted_is_green(self):
        self.assertTrue(self.run_class(Nodes(), reports("aab")).wasSuccessful())

    def test_a_double_run_is_red(self):
        result = self.run_class(Nodes(), reports("aba"))
        self.assertIn("ran twice", result.failures[0][1])

    def test_a_lost_record_is_red(self):
        lab = Nodes()
        lab.disks["A"] = records(3)
        result = self.run_class(lab, [])
        self.assertIn("record 40 was acknowledged", result.errors[0][1])


if __name__ == "__main__":
    unittest.main()
