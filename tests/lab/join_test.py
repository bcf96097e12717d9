#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ways into a cluster that the main job does not go: root's password at a terminal, a key, the connect string.

Each way starts from two blank nodes. After each the two nodes hold one configuration.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "unit" / "cli"))
from harness import LabTest  # noqa: E402
from harness.wait import SLOW  # noqa: E402
from main_job import MainJob  # noqa: E402
from terminal import Pty  # noqa: E402

ADD = ["cluster", "--add-node", "--node", "B", "--ip-address", "10.77.0.12"]


class Join(LabTest):
    def setUp(self):
        self.blank_lab()
        self.job = MainJob(self.lab, show=lambda text: print(text, file=sys.stderr, flush=True))
        try:
            self.job.install()
            self.job.init_nodes()
        except Exception:
            self._save_evidence()  # a failure here calls no tearDown
            raise

    def together(self):
        self.job.are_together()
        for node in ("A", "B"):
            self.assertIn("two_node: 1", self.lab.text(node, "cat /etc/corosync/corosync.conf"))
            self.assertNotIn("lab-root", self.lab.text(node, "journalctl -b -u mcvd --no-pager; cat /etc/corosync/corosync.conf"))

    def test_root_password_at_a_terminal(self):
        """As two freshly installed servers whose sshd was told to take root's password."""
        self.lab.run("B", "echo PermitRootLogin yes >/etc/ssh/sshd_config.d/root.conf && systemctl reload ssh")
        fingerprint = self.job.host_key()
        terminal = Pty(["ssh", "-tt", *self.lab.ssh_words("A")[1:], "hvctl " + " ".join(ADD)], columns=120)
        shown = terminal.read_until(b"(yes/no)?", 120 * SLOW)
        self.assertIn(fingerprint.encode(), shown)
        terminal.type(b"yes\r")
        terminal.read_until(b"Password of root@10.77.0.12:", 120 * SLOW)
        terminal.type(b"lab-root\r")
        code, shown = terminal.end(300 * SLOW)
        self.assertEqual(0, code, shown)
        self.assertNotIn(b"lab-root", shown)  # no echo
        self.assertIn(b"NOT encrypted", shown)
        self.together()

    def test_key_with_name_mismatch_and_not_blank_refused_first(self):
        self.lab.run("A", "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
        key = self.lab.text("A", "cat /root/.ssh/id_ed25519.pub")
        self.lab.run("B", "cat >>/root/.ssh/authorized_keys", stdin=key + "\n")
        add = [*ADD, "--fingerprint", self.job.host_key()]
        self.refused("name-mismatch", "cluster", "add-node", "--node", "C", *add[4:])
        # B has something of its own: it would be lost, so it is refused, and stays.
        self.job.hvctl("B", "network", "create", "mine", "--bridge", "br0")
        shown = self.refused("node-not-suitable", *add)
        self.assertRegex(shown, r"blank\s+fail")
        self.assertIn("mine", self.lab.text("B", "hvctl network list"))
        self.job.hvctl("B", "network", "delete", "mine", "--yes")
        # A clock that is far off would make every log useless.
        self.lab.run("B", "timedatectl set-ntp false; date -s '+2 hours'")
        shown = self.refused("node-not-suitable", *add)
        self.assertRegex(shown, r"clock\s+fail")
        self.lab.run("B", "date -s '-2 hours'")
        self.job.hvctl("A", *add, "--check-only")
        self.assertNotEqual("cluster", self.job.ask("A", "info")["cluster_state"])
        self.job.hvctl("A", *add)
        self.together()

    def test_connect_string_while_a_guest_runs(self):
        """A cluster of one runs VMs on local disks; what it has is on both nodes afterwards, and the guest noticed nothing."""
        self.job.hvctl("A", "storage", "create", "fast", "--vg", "vg0", "--thin")
        self.job.hvctl("A", "network", "create", "lan", "--bridge", "br0")
        self.job.create_local("early")
        self.job.start("A", "early")
        pid = self.lab.text("A", "systemctl show -p MainPID --value mcv-vm-early.service")
        self.assertNotEqual("0", pid)
        wrong = self.job.hvctl("B", "cluster", "get-connect-string", "--ip-address", "10.77.0.99", check=False)
        self.assertNotEqual(0, wrong.returncode)
        self.assertIn("next:", wrong.stderr)
        line = re.search(r"mcv1:\S+", self.lab.text("B", "hvctl cluster get-connect-string --ip-address 10.77.0.12")).group()
        self.job.hvctl("A", "cluster", "add-node", "--connect-string", "-", stdin=line + "\n")
        self.together()
        self.assertEqual(pid, self.lab.text("A", "systemctl show -p MainPID --value mcv-vm-early.service"))
        self.job.writes_on("A", self.job.records("A", "early"), "early")
        for words, name in ((("storage", "list"), "fast"), (("network", "list"), "lan"), (("vm", "list"), "early")):
            self.assertIn(name, self.lab.text("B", ["hvctl", *words]))
        self.lab.run("B", "lvs vg0 | grep -w mcv-fast")
        # Used once: it lets nobody in again.
        again = self.job.hvctl("A", "cluster", "add-node", "--connect-string", "-", stdin=line + "\n", check=False)
        self.assertIn("[already-clustered]", again.stderr)

    def refused(self, code, *words):
        result = self.job.hvctl("A", *words, check=False)
        self.assertNotEqual(0, result.returncode)
        self.assertIn(f"[{code}]", result.stderr)
        self.assertIn("next:", result.stderr)
        return result.stdout + result.stderr


if __name__ == "__main__":
    unittest.main()
