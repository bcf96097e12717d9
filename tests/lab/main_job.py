#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job of mcv on two emulated nodes, command by command: init, join, a replicated VM, a move, a verify.

Run by itself (vagrant/demo.sh does) it shows each command with what it prints and leaves the lab up; main_job_test.py runs
the same steps as a test.
"""

import json
import os
import pathlib
import re
import shlex
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "unit" / "cli"))
from harness import Collector, Lab, contract, wait_until  # noqa: E402
from harness.collector import TARGET  # noqa: E402
from harness.lab import TOP  # noqa: E402
from harness.wait import SLOW  # noqa: E402
from terminal import Pty  # noqa: E402

GUEST = "/usr/share/mcv-lab/guest"
VM_OPTIONS = [
    "--cpus", "1", "--memory", "128M", "--disk-size", "256M", "--storage-type", "drbd", "--network", "lan",
    "--kernel", f"{GUEST}/vmlinuz", "--initramfs", f"{GUEST}/initramfs",
]  # fmt: skip
LAN_CARD = "eth4"  # of each node; the guests' network is what is plugged into it


def cmdline(name):
    """The guest has an address on the guest LAN and reports to a machine there (harness/collector.py)."""
    address = f"10.77.3.{16 + zlib.crc32(name.encode()) % 224}"
    return f"console=ttyS0 quiet panic=1 mcv.vm={name} mcv.ip={address}/24 mcv.collector={TARGET}"


def package():
    """The newest .deb of the release build."""
    found = sorted((TOP / "build-release").glob("mcv_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit("there is no package yet: tests/run.sh package")
    return found[-1]


class MainJob:
    """Each method is one step of the story and checks what it promises."""

    def __init__(self, lab, show=None):
        self.lab = lab
        self.show = show or (lambda text: None)
        self.boots_heard = set()
        self.password = "vagrant"  # of the account of that name on B
        self.ran = []  # the words of each hvctl command that was shown

    def hvctl(self, node, *words, timeout=600, check=True, stdin=None):
        self.ran.append(list(words))
        self.show(f"\n{node}# hvctl {shlex.join(words)}")
        result = self.lab.run(node, ["hvctl", *words], timeout=timeout, check=check, stdin=stdin)
        self.show((result.stdout + result.stderr).rstrip())
        return result

    def ask(self, node, *words):
        """The JSON of a command, without showing it."""
        return contract.check(words, json.loads(self.lab.run(node, ["hvctl", *words, "-o", "json"], timeout=120).stdout))

    def ask_partial(self, node, *words):
        """The same while the other node is away."""
        return contract.check(words, json.loads(self.lab.run(node, ["hvctl", *words, "-o", "json"], timeout=120, check=False).stdout))

    def install(self):
        self.lab.install(package())
        binary = os.environ.get("MCV_CLOUD_HYPERVISOR")
        if binary:
            for node in ("A", "B"):
                self.lab.push(node, binary, "/usr/bin/cloud-hypervisor")
                self.lab.run(node, "chmod 755 /usr/bin/cloud-hypervisor && systemctl restart mcvd")
        else:
            self.show("SKIPPED: cloud-hypervisor is not used here (MCV_CLOUD_HYPERVISOR names no binary); the guest runs in QEMU")

    def init_nodes(self):
        for node, number in (("A", 11), ("B", 12)):
            self.hvctl(node, "node", "init", "--all", "--uplink", LAN_CARD)
            self.hvctl(node, "node", "init", "--all")  # again: idempotent, and the uplink stays
            self.hvctl(node, "node", "--set-ip-address", f"10.77.0.{number}")
            self.hvctl(node, "node", "--set-drbd-address", f"10.77.1.{number}")
        self.lab.after_boot = self.is_plugged_in

    def is_plugged_in(self, node):
        """After a boot the bridge has its uplink again, by mcvd: otherwise nobody would hear the guests of this node."""
        self.lab.expect(node, f"ip -o link show dev {LAN_CARD}", lambda text: " master br0 " in text and ",UP" in text, 180, f"the bridge of {node} has its uplink again")

    def host_key(self):
        line = self.lab.text("B", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
        return re.search(r"SHA256:\S+", line).group()

    def join(self):
        """By the password of a user with sudo: Debian's sshd lets nobody in with root's password."""
        self.hvctl("A", "cluster", "--add-node", "--node", "B", "--ip-address", "10.77.0.12", "--user", "vagrant",
                   "--password-stdin", "--fingerprint", self.host_key(), stdin=f"{self.password}\n")  # fmt: skip
        self.are_together()

    def are_together(self):
        for node in ("A", "B"):
            info = self.ask(node, "info")
            assert info["cluster_state"] == "cluster", info
            assert info["peer"]["in_group"], info
        assert self.ask("A", "info")["hash"] == self.ask("B", "info")["hash"]

    def storage_and_network(self):
        self.hvctl("A", "storage", "create", "fast", "--vg", "vg0", "--thin")
        self.hvctl("A", "drbd", "enable")
        self.hvctl("A", "network", "create", "lan", "--bridge", "br0")

    def create(self, name="vm1"):
        self.hvctl("A", "vm", "create", name, *VM_OPTIONS, "--cmdline", cmdline(name))
        volume = next(v for v in self.ask("A", "drbd", "list")["volumes"] if v["vm"] == name)
        assert (volume["disk"], volume["peer_disk"]) == ("UpToDate", "UpToDate"), volume

    def create_local(self, name, node="A"):
        options = ["local" if word == "drbd" else word for word in VM_OPTIONS]
        self.hvctl(node, "vm", "create", name, *options, "--cmdline", cmdline(name))

    def records(self, node, name="vm1"):
        """The highest record the guest announced on its console, as the daemon on this node logged it."""
        log = self.lab.run(node, ["cat", f"/var/log/mcv/console/{name}.log"], check=False).stdout
        return max((int(n) for n in re.findall(r"^record (\d+)", log, re.MULTILINE)), default=0)

    def start(self, node="A", name="vm1"):
        before = self.records(node, name)
        self.hvctl(node, "vm", "start", name)
        wanted = "cloud-hypervisor" if os.environ.get("MCV_CLOUD_HYPERVISOR") else "qemu"
        assert self.vm(node, name)["hypervisor"] == wanted, self.vm(node, name)
        self.writes_on(node, before, name)

    def writes_on(self, node, before, name="vm1"):
        """A real KVM guest announces records that are on both disks."""
        seen = wait_until(lambda: self.records(node, name) > before + 2 and self.records(node, name), 600, f"{name} writes on {node}", interval=2)
        self.show(f"{node}: {name} has written record {seen} (fsynced, on both nodes)")
        return seen

    def heard(self, node="A", name="vm1"):
        """Frames pass the VM's card: a run that was not heard yet is, outside the nodes, from the address that `vm info` shows."""
        mac = self.vm(node, name)["nics"][0]["mac"]

        def new_run():
            return next((report for report in self.lab.collector.of(name) if report.boot not in self.boots_heard), None)

        report = wait_until(new_run, 120, f"{name} on {node} is heard on the guest LAN")
        self.boots_heard.add(report.boot)
        assert report.mac == mac, f"{name} has the card {mac}, its report came from {report.mac}"
        self.show(f"{node}: {name} is heard on the guest LAN, from {report.mac}")

    def console(self, node="A", name="vm1"):
        """At a terminal: what the guest printed before, then what it prints now, until Ctrl-] is typed. The guest goes on."""
        command = f"hvctl vm console {name}"
        self.show(f"\n{node}# {command}    (and Ctrl-] when it has written two more records)")
        awaited = self.records(node, name) + 2
        self.ran.append(command.split()[1:])
        terminal = Pty(["ssh", "-tt", *self.lab.ssh_words(node)[1:], command], columns=120)
        terminal.read_until(f"record {awaited}\r".encode(), 120 * SLOW)
        terminal.type(b"\x1d")
        code, shown = terminal.end(60 * SLOW)
        lines = [line.strip() for line in shown.decode(errors="replace").splitlines() if line.strip()]
        assert code == 0, lines
        self.show("\n".join(lines[:4] + ["..."] + lines[-6:]))
        self.writes_on(node, awaited, name)

    def stamp_records(self, node, name="vm1"):
        """From now on each record of the guest gets a time of the node's clock since boot, on the node that runs it."""
        loop = f"tail -n 0 -F /var/log/mcv/console/{name}.log | while read -r line; do read -r now _ </proc/uptime; echo \"$now $line\"; done >/run/{name}.stamps"
        self.lab.run(node, f"systemctl stop stamps-{name} 2>/dev/null; systemd-run --quiet --collect --unit=stamps-{name} bash -c {shlex.quote(loop)}")

    def largest_gap(self, node, name="vm1"):
        """Seconds between two records that were acknowledged one after the other, since stamp_records."""
        text = self.lab.run(node, ["cat", f"/run/{name}.stamps"]).stdout
        times = [float(at) for at in re.findall(r"^([0-9.]+) record \d+", text, re.MULTILINE)]
        assert len(times) > 10, text[-500:]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def console_from(self, node, name="vm1"):
        """The guest's words on a node that does not own it: what it printed before, and what it prints now."""
        owner = self.vm(node, name)["owner"]
        assert owner != node, f"{name} is {owner}'s"
        shown = self.lab.run(node, f"timeout 10 hvctl vm console {name} --replay 4K </dev/null 2>/dev/null", check=False, timeout=120).stdout
        numbers = [int(n) for n in re.findall(r"record (\d+)", shown)]
        assert numbers and max(numbers) > min(numbers), f"the console of {name} on {node} showed: {shown!r}"
        self.show(f"{node}: the console of {name}, which runs on {owner}, shows records {min(numbers)} to {max(numbers)}")

    def power_off_inside(self, node, name="vm1"):
        """As its user would: through the console. An empty line first: a console that was taken over again may begin with a stray byte."""
        self.lab.run(node, f"(echo; echo poweroff; sleep 2) | timeout 60 hvctl vm console {name} >/dev/null 2>&1", check=False)

    def migrate(self, source="A", target="B", name="vm1"):
        self.console_from(target, name)
        written = self.records(source, name)
        words = ["hvctl", "migrate", "--node", target, name, "--wait-for-shutdown", "--start-after-migration"]
        self.show(f"\n{source}# {shlex.join(words)}    (and the guest is shut down from inside meanwhile)")
        self.ran.append(words[1:])
        move = self.lab.spawn(source, shlex.join(words), stdout=-1, stderr=-1, text=True)
        # A guest that is off before the move begins is another story: the daemon is busy releasing its disk.
        wait_until(lambda: any(operation["kind"] == "vm-migrate" and operation["state"] == "running" for operation in self.ask(source, "op", "list")["operations"]), 120, "the move waits for the shutdown", interval=0.5)

        def has_left():
            vm = self.vm(source, name)
            return vm["state"] == "stopped" or vm["owner"] == target

        def shut_down():
            # Typed on the node that does not own the VM: its keys reach the guest, too. Once it left, they would reach it there.
            if not has_left():
                self.power_off_inside(target, name)
            return has_left()

        wait_until(shut_down, 300, f"{name} is shut down on {source}", interval=1)
        out, err = move.communicate(timeout=900)
        self.show((out + err).rstrip())
        assert move.returncode == 0, out + err
        assert self.vm(target, name)["owner"] == target
        seen = self.writes_on(target, written, name)
        assert seen > written, f"record {written} was announced on {source}, {target} continued at {seen}"

    def vm(self, node, name="vm1"):
        return self.ask(node, "vm", "info", name)

    def verify(self, node="B"):
        result = self.hvctl(node, "verify", "--all", timeout=1800)
        assert result.returncode == 0, result
        for asked in ("A", "B"):
            volumes = self.ask(asked, "drbd", "list")["volumes"]
            assert all(volume["verdict"]["kind"] == "clean" for volume in volumes), volumes

    def access(self):
        """An account of the machine may look and start, and no more."""
        self.lab.run("A", "id alice 2>/dev/null || useradd alice")
        self.hvctl("A", "user", "add", "alice")
        self.hvctl("A", "grant", "add", "--user", "alice", "--role", "operator", "--vm", "vm1")
        seen = self.as_user("A", "alice", "vm", "list", "-q")
        assert seen.stdout.split() == ["vm1"], seen
        refused = self.as_user("A", "alice", "vm", "delete", "vm1", "--yes")
        assert refused.returncode == 3 and "[permission-denied]" in refused.stderr, refused

    def as_user(self, node, user, *words):
        self.show(f"\n{user}@{node}$ hvctl {shlex.join(words)}")
        result = self.lab.run(node, ["runuser", "-u", user, "--", "hvctl", *words], check=False, timeout=600)
        self.show((result.stdout + result.stderr).rstrip())
        return result

    def info(self):
        self.hvctl("A", "info")
        self.hvctl("A", "vm", "list")

    STEPS = ("install", "init_nodes", "join", "storage_and_network", "create", "start", "console", "heard", "migrate", "verify", "access", "info")

    def run(self):
        for step in self.STEPS:
            getattr(self, step)()


def main():
    lab = Lab(os.environ.setdefault("LAB_DIR", "/tmp/mcv-demo"))
    print(f"booting two emulated nodes (lab directory {lab.directory})", flush=True)
    lab.up()
    lab.collector = Collector(lab)
    MainJob(lab, show=lambda text: print(text, flush=True)).run()
    runner = "vagrant/qemu-lab.sh"
    print(f"\nThe lab stays up. Log in:  LAB_DIR={lab.directory} {runner} ssh A\nEnd it:  LAB_DIR={lab.directory} {runner} down")


if __name__ == "__main__":
    main()
