# SPDX-License-Identifier: Apache-2.0
"""The test guest under plain QEMU/KVM inside a node, without the product: what the product's own guests are compared with."""

import json
import re
import shlex

from .wait import wait_until

FILES = "/usr/share/mcv-lab/guest"


def highest_record(console):
    """The highest N of `record N` on a console, 0 when there is none."""
    return max((int(number) for number in re.findall(r"^record (\d+)\r?$", console, re.MULTILINE)), default=0)


def read_records(lab, node, device):
    """What the records tool says about a device of a node."""
    return json.loads(lab.run(node, [f"{FILES}/records", device], check=False, timeout=300).stdout)


class Guest:
    """One run of the test guest on a node's block device."""

    def __init__(self, lab, node, name, device, tap=None, options=""):
        self.lab, self.node, self.name = lab, node, name
        self.base = f"/run/{name}"
        words = (
            f"systemd-run --quiet --collect --unit=guest-{name} qemu-system-x86_64 -name {name} -nodefaults -display none -no-reboot"
            f" -accel kvm -cpu host -machine q35 -m 128 -kernel {FILES}/vmlinux -initrd {FILES}/initramfs"
        ).split()
        words += ["-append", f"console=ttyS0 quiet panic=1 mcv.vm={name} {options}".strip()]
        words += ["-drive", f"file={device},if=none,id=disk,format=raw,cache=none,aio=native", "-device", "virtio-blk-pci,drive=disk"]
        words += ["-chardev", f"file,id=console,path={self.base}.console", "-serial", "chardev:console"]
        words += ["-qmp", f"unix:{self.base}.qmp,server=on,wait=off"]
        if tap:
            words += ["-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no", "-device", "virtio-net-pci,netdev=net,romfile="]
        lab.run(node, words)

    def console(self):
        return self.lab.run(self.node, ["cat", f"{self.base}.console"], check=False).stdout

    def records(self):
        """The highest acknowledged record so far."""
        return highest_record(self.console())

    def wait_records(self, count, timeout=120):
        return wait_until(lambda: self.records() >= count and self.records(), timeout, f"{self.name}: record {count}")

    def is_running(self):
        return self.lab.run(self.node, f"systemctl is-active --quiet guest-{self.name}", check=False).returncode == 0

    def qmp(self, command):
        lines = '{"execute":"qmp_capabilities"}\n' + json.dumps({"execute": command}) + "\n"
        return self.lab.text(self.node, f"socat -t2 - UNIX-CONNECT:{shlex.quote(self.base)}.qmp", stdin=lines)

    def press_power(self, timeout=60):
        """The power button; returns when the guest has ended."""
        self.qmp("system_powerdown")
        wait_until(lambda: not self.is_running(), timeout, f"{self.name} ended after the power button")
