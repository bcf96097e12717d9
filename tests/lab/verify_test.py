#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A verify on real nodes: found is what differs, whatever happens to the run, and nothing else closes the gate.

The simulator (mcv_sim --kind verify) goes through every combination; here each thing happens once, to real kernels. To be cut off in
the middle a verify has to take a while, so the rate of the volume is turned down in the kernel for it.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from harness.lab import TOP  # noqa: E402
from main_job import VM_OPTIONS, cmdline  # noqa: E402
from running_pair import RunningPair  # noqa: E402

BLOCK = 30000  # of 4 KiB, where the guest does not write
REWRITTEN = 40000


def other(node):
    return "B" if node == "A" else "A"


class Verify(RunningPair):
    @classmethod
    def prepare(cls):
        # A disk that is compared within one look at it.
        options = ["4M" if word == "256M" else word for word in VM_OPTIONS]
        cls.job.hvctl("A", "vm", "create", "tiny", *options, "--cmdline", cmdline("tiny"))

    def tearDown(self):
        if not self._has_failed():
            self.lab.heal()
            self.is_well()
        super().tearDown()

    # --- what is seen ---
    def is_well(self):
        """Both nodes in contact, nothing under way, every copy current and no verify in a kernel."""

        def settled():
            for node in ("A", "B"):
                info = self.job.ask_partial(node, "info")
                volumes = self.job.ask_partial(node, "drbd", "list")["volumes"]
                running = [operation for operation in self.job.ask_partial(node, "op", "list")["operations"] if operation["state"] == "running"]
                current = all((v["disk"], v["peer_disk"], v["suspended"], v["replication"]) == ("UpToDate", "UpToDate", "no", "Established") for v in volumes)
                if not (info["peer"]["in_group"] and volumes and current) or running:
                    return False
            return True

        wait_until(settled, 600, "both nodes are well and do nothing", interval=2)

    def disk(self, node, name="vm1-0"):
        return next(volume for volume in self.job.ask_partial(node, "drbd", "list")["volumes"] if volume["volume"] == name)

    def history(self, node, name="vm1"):
        return self.job.ask_partial(node, "verify", "--history", name)["runs"]

    def one_history(self, name="vm1"):
        """The same on both nodes; it is shipped within a moment."""
        wait_until(lambda: self.history("A", name) == self.history("B", name), 60, "both nodes tell one history", interval=1)
        runs = self.history("A", name)
        self.assertFalse([run for run in runs if run["result"] in ("running", "unknown")], runs)
        return runs

    def operations_of_timers(self):
        return {run["operation"] for run in self.one_history() if run["asked_by"] == "timer"}

    def comparing(self):
        """Per node the volumes its kernel compares as the asking side, with per cent."""
        found = {}
        for node in ("A", "B"):
            text = self.lab.run(node, "cat /proc/drbd", check=False).stdout
            for minor, state, rest in re.findall(r"^ *(\d+): cs:(\S+)(.*?)(?=^ *\d+: cs:|\Z)", text, re.MULTILINE | re.DOTALL):
                percent = re.search(r"verified: *([0-9.]+)%", rest)
                if state == "VerifyS":
                    found[(node, minor)] = float(percent.group(1)) if percent else 0.0
        return found

    # --- what is done ---
    def slowly(self, kib_per_second=3000, name="vm1-0"):
        minor = self.disk("A", name)["minor"]
        for node in ("A", "B"):
            self.lab.run(node, f"drbdsetup disk-options {minor} --c-plan-ahead=0 --resync-rate={kib_per_second}k")

    def fast_again(self):
        for node in ("A", "B"):
            self.lab.run(node, "for r in /etc/drbd.d/mcv-*.res; do n=$(basename $r .res); drbdadm -c $r adjust $n; done")

    def begin(self, node, *words):
        return self.lab.spawn(node, "hvctl verify " + " ".join(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, process, expect):
        out, err = process.communicate(timeout=1800)
        print(out + err, file=sys.stderr)
        self.assertIn(process.returncode, [expect] if isinstance(expect, int) else expect, out + err)
        return out + err

    def in_the_middle(self):
        return wait_until(lambda: any(percent >= 10 for percent in self.comparing().values()), 180, "a verify is under way", interval=0.3)

    def verify(self, node, expect, *names):
        done = self.job.hvctl(node, "verify", *(names or ("--all",)), check=False, timeout=1800)
        self.assertEqual(expect, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def finds_nothing(self, node="A"):
        self.verify(node, 0)
        for asked in ("A", "B"):
            self.assertEqual("clean", self.disk(asked)["verdict"]["kind"])

    # --- the story ---
    def test_1_from_either_node_one_history(self):
        for node in ("A", "B"):
            before = {run["operation"] for run in self.one_history()}
            self.finds_nothing(node)
            self.assertNotIn(self.one_history()[0]["operation"], before)
        for name in ("vm1", "tiny"):
            runs = self.one_history(name)
            self.assertEqual(["clean", "clean"], [run["result"] for run in runs[:2]])
            self.assertEqual({"root"}, {run["asked_by"] for run in runs[:2]})
        self.assertIn("clean", self.job.hvctl("B", "verify", "--history", "vm1-0").stdout)

    def test_2_two_at_once_are_one(self):
        self.slowly()
        first = self.begin("A", "--all", "--scheduled")
        self.in_the_middle()
        second = self.begin("B", "--all", "--scheduled", "--quiet")
        third = self.begin("B", "tiny")
        seen = []

        def is_over():
            seen.append(len(self.comparing()))
            return first.poll() is not None

        wait_until(is_over, 600, "the first one ends", interval=0.2)
        self.end(first, 0)
        self.assertEqual("", self.end(second, 0))
        self.end(third, 0)
        self.assertEqual(1, max(seen))
        self.fast_again()
        self.assertEqual(1, len(self.operations_of_timers()))

    def test_3_two_disks_side_by_side_when_told_so(self):
        self.job.hvctl("B", "cluster", "update", "--verify-parallel", "2")
        self.slowly()
        self.slowly(50, "tiny-0")
        run = self.begin("A", "--all")
        wait_until(lambda: len(self.comparing()) == 2, 120, "two disks are compared at once", interval=0.3)
        self.end(run, 0)
        self.fast_again()
        self.job.hvctl("A", "cluster", "update", "--verify-parallel", "1")

    def test_4_the_link_is_lost_in_the_middle(self):
        """The guest writes on meanwhile, on its own copy; afterwards both are equal again."""
        self.slowly()
        run = self.begin("B", "vm1")
        self.in_the_middle()
        before = self.job.records("A")
        self.lab.cut("B", "drbd")
        self.assertIn("could-not-verify", self.end(run, 21))
        self.job.writes_on("A", before)
        self.lab.heal()
        self.is_well()
        self.assertEqual("clean", self.disk("B")["verdict"]["kind"], "the earlier verdict stands")
        self.assertEqual("could-not-verify", self.one_history()[0]["result"])
        self.fast_again()
        self.finds_nothing("B")

    def test_5_a_daemon_is_killed_in_the_middle(self):
        for victim in ("A", "B"):
            self.slowly()
            run = self.begin("A", "vm1")
            self.in_the_middle()
            self.lab.run(victim, "systemctl kill -s KILL mcvd")
            run.communicate(timeout=600)
            self.fast_again()
            self.is_well()
            runs = self.one_history()
            if victim == "A":
                self.assertEqual(["clean", "cut-off"], [seen["result"] for seen in runs[:2]], runs[:2])
                self.assertEqual(runs[0]["operation"], runs[1]["operation"])
            else:
                # Without the other daemon no verdict can be shared, unless it was back by then.
                self.assertIn(runs[0]["result"], ("clean", "could-not-verify"))
            self.assertEqual({}, self.comparing(), "nothing is left in a kernel")
            self.finds_nothing(victim)

    def test_6_a_node_loses_its_power_in_the_middle(self):
        self.slowly()
        run = self.begin("A", "vm1")
        self.in_the_middle()
        self.lab.kill("B")
        self.end(run, 21)
        self.lab.start("B")
        self.is_well()
        self.finds_nothing("A")
        self.slowly()
        run = self.begin("B", "vm1")
        self.in_the_middle()
        self.lab.kill("A")
        run.kill()
        run.communicate()
        self.lab.start("A")
        self.is_well()
        self.assertEqual("cut-off", next(seen for seen in self.one_history() if seen["result"] != "clean")["result"])
        self.finds_nothing("B")
        self.assertEqual("stopped", self.job.vm("A")["state"])
        self.job.start("A")

    def changed(self, node):
        """One block of a leg, behind DRBD's back. Returns how it was."""
        device = "/dev/vg0/mcv-vm1-0"
        self.lab.run(node, f"dd if={device} of=/run/saved bs=4096 count=1 skip={BLOCK} iflag=direct status=none")
        self.lab.run(node, f"dd if=/dev/urandom of={device} bs=4096 count=1 seek={BLOCK} conv=notrunc oflag=direct status=none")

    def put_back(self, node):
        self.lab.run(node, f"dd if=/run/saved of=/dev/vg0/mcv-vm1-0 bs=4096 count=1 seek={BLOCK} conv=notrunc oflag=direct status=none")

    def is_found(self, node, runs_on):
        """Found, counted and gated from both nodes; lifted by a clean verify."""
        self.changed(node)
        self.assertIn("mismatch", self.verify(other(node), 20, "vm1"))
        for asked in ("A", "B"):
            seen = self.disk(asked)
            self.assertEqual("mismatch", seen["verdict"]["kind"])
            self.assertEqual([{"start": BLOCK * 8, "count": 8}], seen["verdict"]["ranges"])
            self.assertGreaterEqual(seen["out_of_sync_kib"], 4)
            if not runs_on:
                self.refused(asked, "verify-gate", "vm", "start", "vm1")
            self.refused(asked, "verify-gate", "migrate", "--node", "B", "vm1", *(["--wait-for-shutdown"] if runs_on else []))
        run = self.one_history()[0]
        self.assertEqual(("mismatch", 1, 1), (run["result"], run["blocks"], run["range_count"]))
        self.put_back(node)
        self.finds_nothing(node)
        self.job.hvctl("A", "migrate", "--node", "B", "vm1", "--dry-run", *(["--wait-for-shutdown"] if runs_on else []))

    def test_7_either_leg_is_changed_while_the_guest_runs(self):
        for node in ("B", "A"):
            self.is_found(node, runs_on=True)
        self.job.writes_on("A", self.job.records("A"))

    def test_8_a_difference_and_the_link_lost_close_the_gate_too(self):
        """What was seen to differ stays on record when the run does not end."""
        self.changed("B")
        self.slowly()
        run = self.begin("A", "vm1")
        minor = self.disk("A")["minor"]
        self.lab.expect("A", "dmesg", lambda text: f"drbd{minor}: Out of sync: start={BLOCK * 8}" in text.split("Starting Online Verify")[-1], 300, "the difference was seen")
        self.lab.cut("B", "drbd")
        self.assertIn("suspect", self.end(run, 20))
        self.refused("A", "verify-gate", "migrate", "--node", "B", "vm1", "--wait-for-shutdown")
        self.lab.heal()
        # The marks of the verify are copied from the guest's side as soon as the two meet; that they are equal is not proven by it.
        self.is_well()
        for asked in ("A", "B"):
            self.assertEqual("suspect", self.disk(asked)["verdict"]["kind"])
        self.fast_again()
        self.finds_nothing("B")

    def test_9_the_guest_is_off(self):
        self.job.hvctl("A", "vm", "kill", "vm1")
        self.lab.expect("A", "hvctl vm list", lambda text: "stopped" in text, 60)
        for node in ("B", "A"):
            self.is_found(node, runs_on=False)
        self.pages_rewritten_in_flight()
        self.job.start("A")

    def pages_rewritten_in_flight(self):
        """As by a guest with a swap file: copies differ for moments, and no gate is closed by it."""
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "rewrite"
            subprocess.run(["gcc", "-O2", "-Wall", "-static", "-pthread", "-o", program, TOP / "tests/lab/guest/rewrite.c"], check=True)
            self.lab.push("A", program, "/usr/local/bin/rewrite")
        minor = self.disk("A")["minor"]
        self.lab.run("A", "chmod 755 /usr/local/bin/rewrite && drbdsetup primary " + str(minor))
        self.lab.run("A", f"systemd-run --quiet --collect --unit=rewrite /usr/local/bin/rewrite /dev/drbd{minor} {REWRITTEN}")
        try:
            for node in ("A", "B"):
                self.verify(node, 0, "vm1")
            self.assertEqual("active", self.lab.text("A", "systemctl is-active rewrite"))
        finally:
            self.lab.run("A", f"systemctl stop rewrite; drbdsetup secondary {minor}", check=False)
        self.finds_nothing("A")

    def test_a_old_verifies_are_an_alarm(self):
        self.job.hvctl("A", "cluster", "update", "--verify-age", "1h")
        self.assertFalse(self.disk("B")["verify_overdue"])
        for node in ("A", "B"):
            self.lab.run(node, "date -s '+2 hours'")
        try:
            for node in ("A", "B"):
                self.assertTrue(self.disk(node)["verify_overdue"])
                self.assertIn("compared last", self.said(node, "info"))
                self.assertIn("hvctl verify --all", self.said(node, "drbd", "list"))
                self.lab.run(node, "systemctl restart mcvd")  # it looks at once when it starts
                self.lab.expect(node, "journalctl -b -u mcvd -o cat --no-pager", lambda text: "the copies of vm1-0 were compared last" in text, 60)
            self.is_well()
            self.finds_nothing("B")
            self.assertFalse(self.disk("A")["verify_overdue"])
        finally:
            for node in ("A", "B"):
                self.lab.run(node, "date -s '-2 hours'", check=False)
        self.job.hvctl("A", "cluster", "update", "--verify-age", "off")

    def test_b_the_timers_of_both_nodes_make_one_run(self):
        """As set by the command, on one node; it ends with the setting."""
        self.slowly()
        before = self.operations_of_timers()
        self.refused("A", "bad-request", "cluster", "update", "--verify-calendar", "every now and then")
        self.job.hvctl("A", "cluster", "update", "--verify-calendar", "*-*-* *:*:00")
        try:
            for node in ("A", "B"):
                self.lab.expect(node, "systemctl show -p TimersCalendar --value mcv-verify.timer; systemctl is-active mcv-verify.timer", lambda text: "*:*:00" in text and "\nactive" in text, 120, f"the timer of {node} follows")
            for node in ("A", "B"):
                self.lab.expect(node, "systemctl show -p ActiveState --value mcv-verify.service", lambda text: "activating" in text, 180, f"the timer of {node} has fired")
        finally:
            self.job.hvctl("B", "cluster", "update", "--verify-calendar", "off")
        for node in ("A", "B"):
            self.lab.expect(node, "systemctl is-active mcv-verify.timer", lambda text: text.strip() == "inactive", 120, f"the timer of {node} is off")
            self.lab.expect(node, "systemctl show -p ActiveState --value mcv-verify.service", lambda text: "inactive" in text, 900, f"the verify of {node} has ended")
            self.assertEqual("success", self.lab.text(node, "systemctl show -p Result --value mcv-verify.service"))
        self.fast_again()
        self.assertEqual(1, len(self.operations_of_timers() - before))


if __name__ == "__main__":
    unittest.main()
