#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A rolling upgrade to the next format of the configuration (mcvd --trial-format), under a guest that runs on A.

The newer daemon writes what the older one reads, through restarts and power cuts; then the format is raised; then the older
daemon is installed again, refuses the store, and its guest goes on.
"""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import wait_until  # noqa: E402
from running_pair import RunningPair  # noqa: E402

DROP_IN = "/etc/systemd/system/mcvd.service.d/trial-format.conf"
NEXT_BUILD = "[Service]\nExecStart=\nExecStart=/usr/sbin/mcvd --config /etc/mcv/mcvd.toml --trial-format\n"
# What is in the store, whatever SQLite did with its files.
ROWS = "sqlite3 /var/lib/mcv/store.sqlite 'select * from record order by tab, key' | sha256sum"
ENTRIES = """sqlite3 /var/lib/mcv/store.sqlite "select value from record where tab = 'log' order by key" """


class Formats(RunningPair):
    number = 0

    def install(self, node, is_next):
        command = f"mkdir -p {DROP_IN.rsplit('/', 1)[0]}; cat >{DROP_IN}" if is_next else f"rm -f {DROP_IN}"
        self.lab.run(node, command + "; systemctl daemon-reload; systemctl reset-failed mcvd; systemctl restart mcvd", stdin=NEXT_BUILD if is_next else None, check=is_next)

    def are_one(self):
        wait_until(lambda: all(self.job.ask(node, "info")["link"] == "together" for node in ("A", "B")), 180, "the nodes are together", interval=1)
        self.are_equal()

    def change_from_both(self):
        self.are_one()
        for node in ("A", "B"):
            type(self).number += 1
            self.job.hvctl(node, "vm", "update", "vm1", "--delete-protection", "on" if self.number % 2 else "off", "--yes")
            self.are_equal()

    def entries(self, node):
        """The formats of the entries in a node's store, which mcvd holds open alone: it is stopped for the look."""
        text = self.lab.text(node, f"systemctl stop mcvd; {ENTRIES}; systemctl start mcvd")
        return [json.loads(line)["format"] for line in text.splitlines()]

    def test_1_one_node_knows_the_next_format(self):
        written = self.job.records("A")
        self.install("B", is_next=True)
        self.change_from_both()
        self.assertEqual({"A": 1, "B": 2}, self.job.ask("A", "info")["formats_known"])
        self.assertIn("1 (A knows 1, B knows 2)", self.job.hvctl("B", "info").stdout)
        for node in ("A", "B"):
            self.assertIn("the build on A does not know format 2", self.refused(node, "format-unknown", "cluster", "upgrade-format"))
            self.lab.run(node, "systemctl restart mcvd")
            self.change_from_both()
        self.assertEqual({1}, set(self.entries("B")))
        self.change_from_both()
        self.job.writes_on("A", written)

    def test_2_power_cuts_with_two_builds(self):
        for node in ("B", "A"):
            self.lab.kill(node)
            self.lab.start(node)
            self.change_from_both()
        self.job.start("A")

    def test_3_both_know_it_and_it_is_raised(self):
        written = self.job.records("A")
        self.install("A", is_next=True)
        self.change_from_both()
        self.assertIn("both nodes know 2: hvctl cluster upgrade-format", self.job.hvctl("A", "info").stdout)
        self.job.hvctl("A", "cluster", "upgrade-format")
        self.change_from_both()
        self.assertEqual(2, self.job.ask("B", "info")["format"])
        self.assertEqual([2, 2], self.entries("A")[-2:])
        self.are_one()
        self.job.writes_on("A", written)

    def test_4_the_older_package_refuses_it_and_the_guest_goes_on(self):
        written = self.job.records("A")
        guest = self.lab.text("A", "systemctl show -p MainPID --value 'mcv-vm-*'")
        self.assertTrue(guest)
        self.lab.run("A", "systemctl stop mcvd")
        before = self.lab.text("A", ROWS)
        self.install("A", is_next=False)
        self.lab.expect("A", "journalctl -u mcvd -b -o cat", lambda text: "format-unknown" in text, 60, "the older daemon says why it does not start")
        self.lab.run("A", "systemctl stop mcvd")
        self.assertEqual(before, self.lab.text("A", ROWS))
        self.assertEqual(guest, self.lab.text("A", "systemctl show -p MainPID --value 'mcv-vm-*'"))
        self.install("A", is_next=True)
        self.change_from_both()
        self.job.writes_on("A", written)
        self.assertEqual(guest, self.lab.text("A", "systemctl show -p MainPID --value 'mcv-vm-*'"))


if __name__ == "__main__":
    unittest.main()
