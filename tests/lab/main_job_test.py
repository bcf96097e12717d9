#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on two real nodes, and what must be refused on the way."""

import hashlib
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import LabTest, SecretWatch, wait_until  # noqa: E402
from main_job import MainJob, package  # noqa: E402  (which knows the way to the next two)
from examples import examples_of, not_run  # noqa: E402
from openapi import ROOT  # noqa: E402


# What a VM leaves behind would be seen here. Its name is in all of it but the tap's, which is a hash (src/net/names.h).
REMAINS = "lvs --noheadings -o lv_name; ls /etc/drbd.d; drbdsetup events2 --now; ip -br link; systemctl list-units --all 'mcv-vm-*'"
ANY_TAP = r"\bmcv[0-9a-f]{12}\b"


def tap_of(name, card=0):
    return "mcv" + hashlib.sha256(f"{name}/{card}".encode()).hexdigest()[:12]


class MainJobOnTwoNodes(LabTest):
    def refused(self, job, code, exit_code, *words, stdin=None, node="A"):
        result = job.hvctl(node, *words, check=False, stdin=stdin)
        self.assertEqual(exit_code, result.returncode, result.stdout + result.stderr)
        self.assertIn(f"[{code}]", result.stderr)
        self.assertIn("next:", result.stderr)

    def test_join_create_start_migrate_verify(self):
        job = MainJob(self.lab, show=lambda text: print(text, file=sys.stderr, flush=True))
        job.install()
        watch = SecretWatch(self.lab)
        watch.begin()
        job.password = watch.new_password("B", "vagrant")
        self.refused(job, "node-not-initialised", 6, "vm", "create", "vm1", "--memory", "128M")
        job.init_nodes()
        watch.invite("B")
        add = ["cluster", "add-node", "--node", "B", "--ip-address", "10.77.0.12", "--fingerprint", job.host_key()]
        self.refused(job, "root-login-refused", 3, *add, "--password-stdin", stdin=watch.plant("root's password that was typed") + "\n")
        self.refused(job, "wrong-password", 3, *add, "--user", "vagrant", "--password-stdin", stdin=watch.plant("the wrong password that was typed") + "\n")
        self.refused(job, "host-unreachable", 7, "cluster", "add-node", "--node", "B", "--ip-address", "10.77.0.99", "--password-stdin", stdin="x\n")
        job.join()
        self.refused(job, "already-clustered", 6, *add, "--user", "vagrant", "--password-stdin", stdin=job.password + "\n")
        job.storage_and_network()
        job.create()
        job.start()
        self.lab.expect("A", "journalctl -b -o cat --no-pager MCV_VM=vm1", lambda text: "begins: start vm1" in text and "vm1 is running" in text, 30, "the journal finds the start by the VM")
        job.console("A")
        job.heard("A")
        self.refused(job, "guest-running", 6, "migrate", "--node", "B", "vm1")
        self.refused(job, "guest-running", 6, "vm", "delete", "vm1", "--yes")
        self.daemon_restart_keeps_the_guest(job)
        self.changed_and_reset(job)
        job.migrate()
        job.heard("B")
        job.verify()
        self.verify_as_the_timer_does(job)
        self.a_move_typed_on_the_target(job)
        self.a_difference_closes_the_gate(job)
        job.access()
        # The other node knows the grant, and has no such account.
        self.assertNotEqual(0, self.lab.run("B", "runuser -u alice -- hvctl vm list", check=False).returncode)
        self.assertEqual([], not_run(examples_of(ROOT / "README.md"), job.ran), "the README leads through nothing that was not typed here")
        self.stop_and_delete_leave_nothing(job)
        self.assertEqual([], watch.findings(), "no secret leaves its place")

    def daemon_restart_keeps_the_guest(self, job):
        def process(unit):
            return job.lab.text("A", f"systemctl show -p MainPID --value {unit}.service")

        def on_node(command):
            return lambda: job.lab.run("A", command)

        def hang():
            daemon = process("mcvd")
            job.lab.run("A", "systemctl kill -s STOP --kill-whom=main mcvd")
            wait_until(lambda: process("mcvd") not in (daemon, "0"), 180, "the watchdog ended the daemon that hangs")
            job.lab.run("A", "rm -r /run/systemd/system/mcvd.service.d && systemctl daemon-reload")

        guest = process("mcv-vm-vm1")
        # For the restart and the hang: seconds in place of the minute it ships with.
        job.lab.run("A", "mkdir -p /run/systemd/system/mcvd.service.d && printf '[Service]\\nWatchdogSec=20\\n' > /run/systemd/system/mcvd.service.d/watchdog.conf && systemctl daemon-reload")
        faults = {
            "a restart": on_node("systemctl restart mcvd"),
            "a hang": hang,
            "SIGKILL": on_node("systemctl kill -s KILL --kill-whom=main mcvd"),
            "an upgrade of the package": lambda: job.lab.install(package(), "A"),
        }
        for name, fault in faults.items():
            before, daemon = job.records("A"), process("mcvd")
            fault()
            job.lab.expect("A", "hvctl vm list", lambda text: "running" in text, 120, f"mcvd is back after {name}")
            self.assertNotIn(process("mcvd"), (daemon, "0"), name)
            job.writes_on("A", before)
            self.assertEqual(guest, process("mcv-vm-vm1"), name)

    def changed_and_reset(self, job):
        job.hvctl("B", "vm", "update", "vm1", "--autostart", "on")
        for node in ("A", "B"):
            self.assertTrue(job.vm(node)["autostart"])
        job.hvctl("A", "vm", "update", "vm1", "--autostart", "off")
        before = job.records("A")
        job.hvctl("B", "vm", "reset", "vm1")
        job.heard("A")  # another boot of it
        job.writes_on("A", before)

    def verify_as_the_timer_does(self, job):
        """In the service's sandbox: the verdict of now replaces the one of before."""

        def verdict():
            return job.ask("B", "drbd", "list")["volumes"][0]["verdict"]

        before = verdict()
        job.lab.run("B", "systemctl start mcv-verify.service", timeout=1800)
        self.assertEqual("success", job.lab.text("B", "systemctl show -p Result --value mcv-verify.service"))
        after = verdict()
        self.assertEqual("clean", after["kind"])
        self.assertGreater(after["wall_seconds"], before["wall_seconds"])

    def a_move_typed_on_the_target(self, job):
        """The VM is off and B's; A fetches it."""
        self.assertIn(tap_of("vm1"), job.lab.text("B", REMAINS))
        job.hvctl("A", "vm", "stop", "vm1")
        job.lab.expect("B", "hvctl vm list", lambda text: "stopped" in text, 60)
        job.hvctl("A", "migrate", "--node", "A", "vm1")
        for node in ("A", "B"):
            self.assertEqual("A", job.vm(node)["owner"])

    def a_difference_closes_the_gate(self, job):
        """A block of B's leg is changed behind DRBD's back: found, and the VM neither starts nor moves without a reason."""
        job.lab.run("B", "dd if=/dev/urandom of=/dev/vg0/mcv-vm1-0 bs=4096 count=1 seek=30000 conv=notrunc oflag=direct status=none")
        found = job.hvctl("A", "verify", "vm1", check=False, timeout=1800)
        self.assertEqual(20, found.returncode, found.stdout + found.stderr)
        self.assertIn("mismatch", found.stdout)
        self.refused(job, "verify-gate", 6, "vm", "start", "vm1", node="B")
        self.refused(job, "verify-gate", 6, "migrate", "--node", "B", "vm1", node="B")
        job.hvctl("B", "vm", "start", "vm1", "--override", "a test of the override")
        job.lab.expect("A", "journalctl -b -u mcvd -o cat --no-pager", lambda text: "a test of the override" in text, 30)

    def stop_and_delete_leave_nothing(self, job):
        job.hvctl("B", "vm", "kill", "vm1")
        job.lab.expect("A", "hvctl vm list", lambda text: "stopped" in text, 60)
        self.audit_disks()  # once it is deleted there is nothing to read
        job.hvctl("A", "vm", "delete", "vm1", "--yes")
        for node in ("A", "B"):
            remains = job.lab.text(node, REMAINS)
            self.assertNotIn("vm1", remains)
            self.assertNotRegex(remains, ANY_TAP)
        wait_until(lambda: job.ask("A", "info")["hash"] == job.ask("B", "info")["hash"], 30, "both configurations are equal")


if __name__ == "__main__":
    unittest.main()
