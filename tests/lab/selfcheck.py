#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that the lab is what tests take it for: real DRBD, corosync and KVM guests on two nodes, and faults that bite.

Knows nothing of the product. Run: tests/lab/selfcheck.py   (-v shows each step; environment as of vagrant/qemu-lab.sh)
"""

import base64
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Guest, LabTest, wait_until  # noqa: E402
from harness.audit import lost_records  # noqa: E402
from harness.guest import read_records  # noqa: E402

DRBD = """resource r0 {
  device /dev/drbd0; disk /dev/vg0/r0; meta-disk internal;
  net { protocol C; cram-hmac-alg sha1; shared-secret selfcheck; ping-timeout 30; timeout 100; }
  on A { address 10.77.1.11:7789; }
  on B { address 10.77.1.12:7789; }
}
"""
COROSYNC = """totem {
  version: 2
  cluster_name: selfcheck
  transport: knet
  crypto_cipher: aes256
  crypto_hash: sha256
  token: 5000
}
nodelist {
  node {
    name: A
    nodeid: 1
    ring0_addr: 10.77.0.11
  }
  node {
    name: B
    nodeid: 2
    ring0_addr: 10.77.0.12
  }
}
quorum {
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 1
}
logging {
  to_syslog: yes
}
"""


class SelfCheck(LabTest):
    """Steps of one story, in the order of their names; a later one stands on the earlier ones."""

    guest = None
    has_product = False

    def drbd(self, node):
        return self.lab.text(node, "drbdadm cstate r0; drbdadm role r0; drbdadm dstate r0").split()

    def members(self, node):
        output = self.lab.run(node, "corosync-quorumtool -l", check=False).stdout
        return sorted(word for line in output.splitlines() for word in line.split() if word in ("A", "B"))

    def test_1_nodes(self):
        for node in ("A", "B"):
            self.assertEqual(self.lab.text(node, "uname -n"), node)
            self.lab.run(node, "test -c /dev/kvm && vgs vg0 && grep -q 8.4 /sys/module/drbd/version")
            self.assertEqual(self.lab.text(node, "cat /sys/module/kvm/parameters/tsc_tolerance_ppm"), "5000")
            self.lab.run(node, "systemctl is-active mcv-lab-kvm-hold && fuser -s /dev/kvm")
            self.assertIn("prohibit-password", self.lab.text(node, "sshd -T | sed s/without-password/prohibit-password/"))
            self.assertEqual(self.lab.text(node, "systemctl is-active corosync || true"), "inactive")
        self.lab.run("A", "ping -c 1 -W 5 10.77.0.12 && ping -c 1 -W 5 10.77.1.12 && ping -c 1 -W 5 10.77.2.12")
        keys = [self.lab.text(node, "cat /etc/ssh/ssh_host_ed25519_key.pub") for node in ("A", "B")]
        self.assertNotEqual(*keys)

    def test_2_drbd(self):
        for node in ("A", "B"):
            self.lab.run(node, "lvcreate -qq -y -Wn --thinpool pool -L 1G vg0 && lvcreate -qq -y -Wn -V 64M -T vg0/pool -n r0")
            self.lab.write(node, "/etc/drbd.d/r0.res", DRBD)
            self.lab.run(node, "drbdadm create-md --force r0 && drbdadm up r0")
        self.lab.run("A", "drbdadm wait-connect r0 && drbdadm -- --clear-bitmap new-current-uuid r0/0")
        for node in ("A", "B"):
            self.lab.expect(node, "drbdadm dstate r0", lambda text: text.strip() == "UpToDate/UpToDate", 30)
        self.lab.run("A", "drbdadm primary r0")

    def test_3_corosync(self):
        key = base64.b64encode(os.urandom(256)).decode()
        for node in ("A", "B"):
            self.lab.write(node, "/etc/corosync/corosync.conf", COROSYNC)
            self.lab.run(node, "umask 077; base64 -d >/etc/corosync/authkey", stdin=key)
            self.lab.run(node, "systemctl start corosync", timeout=300)
        wait_until(lambda: self.members("A") == self.members("B") == ["A", "B"], 90, "both nodes are members")
        self.lab.cut("A", "cluster")
        wait_until(lambda: self.members("A") == ["A"] and self.members("B") == ["B"], 60, "each node is alone")
        self.assertIn("Connected", self.drbd("A"))  # the other link is untouched
        self.lab.heal("A", "cluster")
        wait_until(lambda: self.members("A") == ["A", "B"], 60, "both are members again")

    def test_4_guest(self):
        self.lab.run("A", "ip link add br0 type bridge && ip link set eth4 master br0 && ip link set br0 up")
        self.lab.run("A", "ip tuntap add tap0 mode tap && ip link set tap0 master br0 up")
        options = f"mcv.ip=10.77.3.50/24 mcv.collector={self.lab.collector.target}"
        type(self).guest = Guest(self.lab, "A", "vm1", "/dev/drbd0", tap="tap0", options=options)
        self.guest.wait_records(10)
        wait_until(lambda: len(self.lab.collector.of("vm1")) >= 5, 60, "the collector hears vm1")
        self.guest.press_power()
        console = self.guest.console()
        self.assertIn("powering off", console)
        self.assertEqual([], lost_records("vm1", self.guest.records(), read_records(self.lab, "A", "/dev/drbd0")))

    def test_5_one_way_and_slow(self):
        self.lab.cut("A", "drbd", "out")
        wait_until(lambda: "Connected" not in self.drbd("A"), 60, "DRBD notices the cut")
        self.lab.heal("A", "drbd")
        wait_until(lambda: "Connected" in self.drbd("A"), 60, "DRBD is connected again")
        self.lab.slow("A", "mgmt", 150)
        average = self.lab.text("A", "ping -q -c 3 -W 10 10.77.2.12 | sed -n 's,.*= [^/]*/\\([0-9.]*\\)/.*,\\1,p'")
        self.assertGreater(float(average), 300)
        self.lab.pause("B")
        self.lab.run("A", "! ping -q -c 1 -W 2 10.77.2.12")
        self.lab.reset()
        self.lab.run("A", "ping -q -c 1 -W 10 10.77.2.12")

    def test_6_power_cut(self):
        wait_until(lambda: "UpToDate/UpToDate" in self.drbd("A"), 60, "both disks are good")
        guest = Guest(self.lab, "A", "vm1b", "/dev/drbd0")
        acknowledged = guest.wait_records(guest_found(guest) + 10)
        self.lab.kill("A")
        wait_until(lambda: "WFConnection" in self.drbd("B"), 90, "B notices that A is gone")
        self.lab.run("B", "drbdadm primary r0")
        self.assertEqual([], lost_records("vm1b", acknowledged, read_records(self.lab, "B", "/dev/drbd0")))
        self.lab.start("A")
        self.lab.run("A", "drbdadm up r0")
        wait_until(lambda: "UpToDate/UpToDate" in self.drbd("A"), 120, "A's disk is good again")
        self.lab.run("A", "systemctl start corosync", timeout=300)
        wait_until(lambda: self.members("B") == ["A", "B"], 90, "A is a member again")


def guest_found(guest):
    """How many records the guest found when it began."""
    text = wait_until(lambda: [line for line in guest.console().splitlines() if line.startswith("found ")], 120, "guest has begun")
    return int(text[0].split()[1])


if __name__ == "__main__":
    unittest.main(failfast=True, verbosity=2)
