#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An orderly reboot and power-off of either node under the policy run-alone: the leaver's consent decides, not the policy."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import leaving  # noqa: E402


class RunAloneLeave(leaving.Leaving):
    @classmethod
    def prepare(cls):
        cls.job.hvctl("A", "cluster", "update", "--peer-loss", "run-alone", "--yes")


if __name__ == "__main__":
    unittest.main()
