# SPDX-License-Identifier: Apache-2.0
"""The hvctl binary against a socket that answers as told: what the tests of each theme begin with."""
import os
import pathlib
import subprocess
import tempfile
import unittest

from fake_mcvd import FakeMcvd

HVCTL = os.environ["HVCTL"]
GIB = 1 << 30


def vm(name, state="running", **changes):
    volume = {"name": f"{name}-0", "pool": "fast", "kind": "drbd", "size": GIB, "device": "/dev/drbd1", "minor": 1, "port": 7001, "redundant": True,
              "verdict": {"kind": "never"}}
    view = {"name": name, "uuid": "11111111-2222-4333-8444-555555555555", "owner": "A", "state": state, "hypervisor": "qemu", "cpus": 2, "memory": GIB,
            "volumes": [volume], "nics": [{"network": "lan", "mac": "52:54:00:00:00:01"}],
            "boot": {"kernel": "/srv/vmlinuz", "initramfs": "", "cmdline": "console=ttyS0", "firmware": ""}, "lock": None, "delete_protection": False,
            "autostart": False, "pending": [], "last_exit": "none", "configured_hypervisor": "auto", "warnings": []}
    return {**view, **changes}


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="hvctl-")
        self.addCleanup(self.directory.cleanup)
        self.socket = str(pathlib.Path(self.directory.name) / "s")
        self.fake = None

    def serve(self, answers):
        self.fake = FakeMcvd(self.socket, answers)
        self.addCleanup(self.fake.close)
        return self.fake

    def command(self, *words):
        return [HVCTL, "--socket", self.socket, *words]

    def run_hvctl(self, *words, stdin=subprocess.DEVNULL, text_in=None, expect=0):
        done = subprocess.run(self.command(*words), stdin=None if text_in is not None else stdin, input=text_in, capture_output=True, text=True, timeout=30,
                              start_new_session=True)
        self.assertEqual(done.returncode, expect, f"{words}\n{done.stdout}\n{done.stderr}")
        if self.fake:
            self.assertEqual(self.fake.violations, [])
        return done
