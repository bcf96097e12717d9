# SPDX-License-Identifier: Apache-2.0
"""The committed manual is what the command table makes, and reads as a manual page."""
import os
import shutil
import subprocess
import unittest

from openapi import ROOT


class Manual(unittest.TestCase):
    def test_is_up_to_date(self):
        made = subprocess.run([os.environ["CLI_TABLE"], "manual"], check=True, capture_output=True, text=True).stdout
        self.assertEqual((ROOT / "docs" / "man" / "hvctl.1").read_text(), made, "make it anew: cli_table manual > docs/man/hvctl.1")

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_has_no_complaint(self):
        for page in sorted((ROOT / "docs" / "man").iterdir()):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(page)], capture_output=True, text=True)
            self.assertEqual(done.stderr, "", page.name)


if __name__ == "__main__":
    unittest.main()
