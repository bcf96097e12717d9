#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on two real nodes, and what must be refused on the way."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import LabTest, wait_until  # noqa: E402
from main_job import MainJob  # noqa: E402


class MainJobOnTwoNodes(LabTest):
    def refused(self, job, code, exit_code, *words, stdin=None):
        result = job.hvctl("A", *words, check=False, stdin=stdin)
        self.assertEqual(exit_code, result.returncode, result.stdout + result.stderr)
        self.assertIn(f"[{code}]", result.stderr)
        self.assertIn("next:", result.stderr)

    def test_join_create_start_migrate_verify(self):
        job = MainJob(self.lab, show=lambda text: print(text, file=sys.stderr, flush=True))
        job.install()
        self.refused(job, "node-not-initialised", 6, "vm", "create", "vm1", "--memory", "128M")
        job.init_nodes()
        add = ["cluster", "add-node", "--node", "B", "--ip-address", "10.77.0.12", "--fingerprint", job.host_key()]
        self.refused(job, "root-login-refused", 3, *add, "--password-stdin", stdin="lab-root\n")
        self.refused(job, "wrong-password", 3, *add, "--user", "vagrant", "--password-stdin", stdin="wrong\n")
        self.refused(job, "host-unreachable", 7, "cluster", "add-node", "--node", "B", "--ip-address", "10.77.0.99", "--password-stdin", stdin="x\n")
        job.join()
        self.refused(job, "already-clustered", 6, *add, "--user", "vagrant", "--password-stdin", stdin="vagrant\n")
        job.storage_and_network()
        job.create()
        job.start()
        job.heard("A")
        self.refused(job, "guest-running", 6, "migrate", "--node", "B", "vm1")
        self.refused(job, "guest-running", 6, "vm", "delete", "vm1", "--yes")
        self.daemon_restart_keeps_the_guest(job)
        job.migrate()
        job.heard("B")
        job.verify()
        self.a_difference_closes_the_gate(job)
        self.stop_and_delete_leave_nothing(job)

    def daemon_restart_keeps_the_guest(self, job):
        pid = job.lab.text("A", "systemctl show -p MainPID --value mcv-vm-vm1.service")
        for fault in ("systemctl restart mcvd", "systemctl kill -s KILL --kill-whom=main mcvd"):
            before = job.records("A")
            job.lab.run("A", fault)
            job.lab.expect("A", "hvctl vm list", lambda text: "running" in text, 120, f"mcvd is back after {fault}")
            job.writes_on("A", before)
            self.assertEqual(pid, job.lab.text("A", "systemctl show -p MainPID --value mcv-vm-vm1.service"))

    def a_difference_closes_the_gate(self, job):
        """A block of A's leg is changed behind DRBD's back: found, and the VM neither starts nor moves without a reason."""
        job.hvctl("A", "vm", "stop", "vm1")
        job.lab.expect("B", "hvctl vm list", lambda text: "stopped" in text, 60)
        job.lab.run("A", "dd if=/dev/urandom of=/dev/vg0/mcv-vm1-0 bs=4096 count=1 seek=30000 conv=notrunc oflag=direct status=none")
        found = job.hvctl("A", "verify", "vm1", check=False, timeout=1800)
        self.assertEqual(20, found.returncode, found.stdout + found.stderr)
        self.assertIn("mismatch", found.stdout)
        self.refused(job, "verify-gate", 6, "vm", "start", "vm1")
        self.refused(job, "verify-gate", 6, "migrate", "--node", "A", "vm1")
        job.hvctl("A", "vm", "start", "vm1", "--override", "a test of the override")
        job.lab.expect("B", "journalctl -b -u mcvd -o cat --no-pager", lambda text: "a test of the override" in text, 30)

    def stop_and_delete_leave_nothing(self, job):
        job.hvctl("A", "vm", "kill", "vm1")
        job.lab.expect("B", "hvctl vm list", lambda text: "stopped" in text, 60)
        self.audit_disks()  # once it is deleted there is nothing to read
        job.hvctl("A", "vm", "delete", "vm1", "--yes")
        for node in ("A", "B"):
            self.assertNotIn("vm1", job.lab.text(node, "lvs --noheadings -o lv_name; ls /etc/drbd.d; drbdsetup events2 --now; ip -br link; systemctl list-units --all 'mcv-vm-*'"))
        wait_until(lambda: job.ask("A", "info")["hash"] == job.ask("B", "info")["hash"], 30, "both configurations are equal")


if __name__ == "__main__":
    unittest.main()
