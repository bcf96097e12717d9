# SPDX-License-Identifier: Apache-2.0
"""Base of lab tests: one lab a class, the auditor after every test, evidence saved when a test failed.

With LAB_KEEP=1 the lab stays up after the tests (log in: vagrant/qemu-lab.sh ssh NODE with the same LAB_DIR).
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from . import orphans, product
from .audit import Auditor
from .collector import Collector
from .lab import Lab


def evidence_directory():
    return pathlib.Path(os.environ.get("LAB_EVIDENCE") or tempfile.mkdtemp(prefix="mcv-lab-evidence-"))


class LabTest(unittest.TestCase):
    """What guests report is heard outside the nodes, and no VM may be heard twice at once. With mcv on the nodes their
    configurations are compared after each test, and before the lab goes the guests are ended and their disks read."""

    nodes = ()  # all of nodes.conf
    has_product = True
    lab = None
    failed = False

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.auditor = Auditor()
        if os.environ.get("LAB_KEEP") != "1":
            cls.addClassCleanup(cls.lab.down)
        try:
            cls.lab.up(*cls.nodes)
        except Exception:
            cls.lab.save_consoles(evidence_directory() / cls.__name__)
            raise
        cls.addClassCleanup(cls.stop_listening)
        cls.addClassCleanup(cls.audit_disks)
        cls.listen()

    @classmethod
    def listen(cls):
        cls.stop_listening()
        cls.lab.collector = Collector(cls.lab)
        cls.auditor.watch(cls.lab.collector)
        if cls.has_product:
            cls.auditor.add("configuration", lambda: product.configuration(cls.lab))
            cls.auditor.add("orphans", lambda: orphans.audit(cls.lab))

    @classmethod
    def stop_listening(cls):
        if cls.lab.collector:
            cls.lab.collector.close()
        cls.lab.collector = None

    @classmethod
    def blank_lab(cls):
        """Nodes as new, for a test that begins before there is a cluster."""
        cls.audit_disks()
        cls.stop_listening()
        cls.lab.down()
        cls.lab.up(*cls.nodes)
        cls.listen()

    @classmethod
    def audit_disks(cls):
        if not cls.has_product:
            return
        leave_alone = cls.failed or os.environ.get("LAB_KEEP") == "1"
        try:
            findings = product.disks(cls.lab, cls.lab.collector, end_guests=not leave_alone)
        except subprocess.TimeoutExpired as late:
            findings = [f"the disks were not read: {late}"]
        if findings:
            cls.lab.collect(evidence_directory() / cls.__name__)
            raise AssertionError("the auditor found:\n" + "\n".join(findings))

    def tearDown(self):
        if self._has_failed():
            type(self).failed = True
            self._save_evidence()
        try:
            findings = self.auditor.findings()
        except Exception:
            self._save_evidence()
            raise
        if findings:
            type(self).failed = True
            self._save_evidence()
            self.fail("the auditor found:\n" + "\n".join(findings))

    def _has_failed(self):
        outcome = self._outcome
        result = outcome.result
        return any(test is self for test, _ in result.failures + result.errors)

    def _save_evidence(self):
        where = self.lab.collect(evidence_directory() / self.id())
        print(f"\nevidence of {self.id()}: {where}", file=sys.stderr)
