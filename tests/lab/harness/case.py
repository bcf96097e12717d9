# SPDX-License-Identifier: Apache-2.0
"""Base of lab tests: one lab a class, the auditor after every test, evidence saved when a test failed.

With LAB_KEEP=1 the lab stays up after the tests (log in: vagrant/qemu-lab.sh ssh NODE with the same LAB_DIR).
"""

import os
import pathlib
import sys
import tempfile
import unittest

from .audit import Auditor
from .lab import Lab


def evidence_directory():
    return pathlib.Path(os.environ.get("LAB_EVIDENCE") or tempfile.mkdtemp(prefix="mcv-lab-evidence-"))


class LabTest(unittest.TestCase):
    nodes = ()  # all of nodes.conf
    lab = None

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

    def tearDown(self):
        if self._has_failed():
            self._save_evidence()
        findings = self.auditor.findings()
        if findings:
            self._save_evidence()
            self.fail("the auditor found:\n" + "\n".join(findings))

    def _has_failed(self):
        outcome = self._outcome
        result = outcome.result
        return any(test is self for test, _ in result.failures + result.errors)

    def _save_evidence(self):
        where = self.lab.collect(evidence_directory() / self.id())
        print(f"\nevidence of {self.id()}: {where}", file=sys.stderr)
