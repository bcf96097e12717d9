# SPDX-License-Identifier: Apache-2.0
"""Where most lab tests begin: two nodes that are one cluster, and vm1 that runs on A and writes to both disks."""

import sys

from harness import LabTest, wait_until
from harness.case import evidence_directory
from main_job import MainJob


class RunningPair(LabTest):
    """Tests of a class are steps of one story, in the order of their names; a later one stands on the earlier ones."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.job = MainJob(cls.lab, show=lambda text: print(text, file=sys.stderr, flush=True))
        try:
            cls.job.install()
            cls.job.init_nodes()
            cls.job.join()
            cls.job.storage_and_network()
            cls.job.create()
            cls.job.start()
        except Exception:
            cls.lab.collect(evidence_directory() / cls.__name__)
            raise

    def refused(self, node, codes, *words):
        """codes: one, or several of which one is given."""
        result = self.job.hvctl(node, *words, check=False)
        self.assertNotEqual(0, result.returncode, result.stdout)
        expected = [codes] if isinstance(codes, str) else codes
        self.assertTrue(any(f"[{code}]" in result.stderr for code in expected), result.stderr)
        self.assertIn("next:", result.stderr)
        return result.stderr

    def volume(self, node):
        return self.job.ask_partial(node, "drbd", "list")["volumes"][0]

    def is_redundant(self, node):
        volume = self.volume(node)
        return (volume["disk"], volume["peer_disk"], volume["suspended"]) == ("UpToDate", "UpToDate", "no")

    def are_equal(self):
        wait_until(lambda: self.job.ask("A", "info")["hash"] == self.job.ask("B", "info")["hash"], 60, "both configurations are equal")
