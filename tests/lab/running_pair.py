# SPDX-License-Identifier: Apache-2.0
"""Where most lab tests begin: two nodes that are one cluster, and vm1 that runs on A and writes to both disks."""

import sys

from harness import LabTest, wait_until
from harness.case import evidence_directory
from main_job import MainJob


class RunningPair(LabTest):
    """Tests of a class are steps of one story, in the order of their names; a later one stands on the earlier ones."""

    job_type = MainJob

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.job = cls.job_type(cls.lab, show=lambda text: print(text, file=sys.stderr, flush=True))
        try:
            cls.job.install()
            cls.job.init_nodes()
            cls.job.join()
            cls.job.storage_and_network()
            cls.job.create()
            cls.job.start()
            cls.prepare()
        except Exception:
            cls.lab.collect(evidence_directory() / cls.__name__)
            raise

    @classmethod
    def prepare(cls):
        """What else a class begins with; a failure saves evidence like any other of the beginning."""

    def said(self, node, *words):
        """Without the line breaks."""
        return " ".join(self.job.hvctl(node, *words, check=False).stdout.split())

    def refused(self, node, codes, *words):
        """codes: one, or several of which one is given. Returns the refusal without its line breaks."""
        result = self.job.hvctl(node, *words, check=False)
        self.assertNotEqual(0, result.returncode, result.stdout)
        expected = [codes] if isinstance(codes, str) else codes
        self.assertTrue(any(f"[{code}]" in result.stderr for code in expected), result.stderr)
        self.assertIn("next:", result.stderr)
        return " ".join(result.stderr.split())

    def volume(self, node):
        return self.job.ask_partial(node, "drbd", "list")["volumes"][0]

    def is_redundant(self, node):
        volume = self.volume(node)
        return (volume["disk"], volume["peer_disk"], volume["suspended"]) == ("UpToDate", "UpToDate", "no")

    def is_held(self, node):
        return any(volume["suspended"] != "no" for volume in self.job.ask_partial(node, "drbd", "list")["volumes"])

    def sees_no_other(self, node, other):
        wait_until(lambda: self.lab.run(node, ["hvctl", "info"], check=False).returncode == 22, 120, f"{node} sees that {other} does not answer")

    def confirm_down(self, survivor, dead):
        """Typed again until the kernel has noticed that the other one is gone. Returns what was said, without its line breaks."""

        def confirmed():
            result = self.job.hvctl(survivor, "cluster", "confirm-down", dead, "--yes", check=False)
            return result.returncode == 0 and result

        return " ".join(wait_until(confirmed, 120, f"{dead} is confirmed down", interval=2).stdout.split())

    def runs_no_guest(self, node):
        self.assertEqual("", self.lab.text(node, "systemctl list-units --plain --no-legend 'mcv-vm-*'"))

    def largest_gap_heard(self, since, name="vm1"):
        """Seconds between two records that were acknowledged one after the other, as heard outside the nodes since `since`
        (time.monotonic()); whichever node runs the guest, and while nobody does."""
        heard = [report for report in self.lab.collector.of(name) if report.at >= since]
        grown, highest = [], -1
        for report in heard:
            if report.records > highest:
                grown.append(report.at)
                highest = report.records
        self.assertGreater(len(grown), 5, f"{name} was not heard")
        return max(later - earlier for earlier, later in zip(grown, grown[1:]))

    def are_equal(self):
        wait_until(lambda: self.job.ask("A", "info")["hash"] == self.job.ask("B", "info")["hash"], 60, "both configurations are equal")
