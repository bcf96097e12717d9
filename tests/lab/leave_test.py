#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An orderly reboot and power-off of either node under the policy freeze; stopping mcvd or asking for it is no leave."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import leaving  # noqa: E402


class Leave(leaving.Leaving):
    def test_1_stopping_or_asking_is_no_leave(self):
        refused = self.lab.run("B", ["hvctl", "node", "leave"], check=False)
        self.assertNotEqual(0, refused.returncode, refused.stdout)
        self.assertIn("[not-confirmed]", refused.stderr)
        self.lab.run("B", "systemctl restart mcvd")
        self.lab.run("B", "systemctl stop mcv-leave && systemctl start mcv-leave")
        self.lab.expect("A", "hvctl info", lambda text: "connected" in text, 60, "the nodes share the configuration")
        self.assertNotIn("left in order", self.lab.run("A", ["hvctl", "info"], check=False).stdout)


if __name__ == "__main__":
    unittest.main()
