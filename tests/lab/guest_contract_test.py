#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both hypervisor drivers, one suite, real guests in a node: the contract that the fakes of the unit tests are held to.

QEMU is on every node and must pass. cloud-hypervisor runs when MCV_CLOUD_HYPERVISOR names a binary or the PATH has one;
otherwise that half is skipped, and this test says so loudly. MCV_GUEST_CASES (a GoogleTest filter) chooses cases.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import LabTest  # noqa: E402
from harness.lab import TOP  # noqa: E402

SUITE = TOP / "build-release" / "tests" / "contract" / "hv" / "hv_contract_test"
RUNNER = TOP / "tests" / "contract" / "hv" / "run-in-node.sh"


def cloud_hypervisor():
    named = os.environ.get("MCV_CLOUD_HYPERVISOR")
    if named:
        return named
    return shutil.which("cloud-hypervisor")


def count(output, driver):
    return len(re.findall(rf"^\[       OK \] \S*/{driver}\b", output, re.MULTILINE))


class GuestContract(LabTest):
    nodes = ("A",)
    has_product = False

    def test_every_driver_keeps_the_contract(self):
        vmm = cloud_hypervisor()
        environment = {**self.lab.environment, "MCV_CLOUD_HYPERVISOR": vmm or "", "LAB_SLOW": os.environ.get("LAB_SLOW", "2")}
        cases = os.environ.get("MCV_GUEST_CASES", "*")
        output = []
        with subprocess.Popen([RUNNER, SUITE, "A", f"--gtest_filter={cases}"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as suite:
            for line in suite.stdout:
                print(line, end="", file=sys.stderr, flush=True)
                output.append(line)
        text = "".join(output)
        self.assertEqual(0, suite.returncode, "the suite failed, see above")
        least = 7 if cases == "*" else 1
        self.assertGreaterEqual(count(text, "qemu"), least, "the suite did not run with QEMU")
        if vmm:
            self.assertGreaterEqual(count(text, "cloud_hypervisor"), least, "the suite did not run with cloud-hypervisor")
        else:
            print("NOT RUN with cloud-hypervisor: set MCV_CLOUD_HYPERVISOR to a binary (v53 or newer)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    unittest.main()
