#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line and an idle daemon, natively: a real mcvd on this machine, in namespaces and directories of its own.

Prints the start of hvctl, `vm list` with 1,000 VMs against it, the times of 100 clients that list at once while an operation runs,
and what an idle mcvd takes. As root, after `tests/run.sh package`:

    tests/bench/cli.py [BUILD-DIRECTORY [VMS]]
"""

import concurrent.futures
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
CONFIG = """[daemon]
state_directory = "{0}/state"
run_directory = "{0}/run"
socket = "{0}/run/mcvd.sock"
clients = 512
[guests]
user = "daemon"
console_directory = "{0}/console"
"""


class Native:
    """One node, with a directory for its disks. `hvctl` takes the words of a command."""

    def __init__(self, build, where):
        self.mcvd, self.program = build / "src/daemon/mcvd", build / "src/cli/hvctl"
        self.socket = where / "run/mcvd.sock"
        for name in ("state", "run", "console", "disks"):
            (where / name).mkdir()
        (where / "mcvd.toml").write_text(CONFIG.format(where))
        self.log = (where / "log").open("w+")
        self.daemon = subprocess.Popen([self.mcvd, "--config", where / "mcvd.toml"], stdout=self.log, stderr=self.log)
        while subprocess.run(self.words("info"), capture_output=True, check=False).returncode != 0:
            if self.daemon.poll() is not None:
                sys.exit((where / "log").read_text())

    def words(self, *words):
        return [str(self.program), *words, "--socket", str(self.socket)]

    def hvctl(self, *words):
        done = subprocess.run(self.words(*words), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"hvctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def end(self):
        self.daemon.terminate()
        self.daemon.wait(30)


def milliseconds(words):
    began = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def told(name, samples, goal=""):
    samples = sorted(samples)
    middle, late = statistics.median(samples), samples[int(len(samples) * 0.99) - 1]
    print(f"{name:44} median {middle:7.2f} ms   p99 {late:7.2f} ms   ({len(samples)} runs) {goal}", flush=True)
    return middle


def in_turns(rounds, *commands):
    """Samples of each, taken in turns, so that what disturbs one disturbs all."""
    samples = [[] for _ in commands]
    for _ in range(rounds):
        for command, mine in zip(commands, samples):
            mine.append(milliseconds(command))
    return samples


def resident(pid):
    """(MiB resident, seconds of processor time so far)"""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return kib / 1024, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(node, seconds, name):
    began = resident(node.daemon.pid)[1]
    time.sleep(seconds)  # what is measured is the time itself
    mib, used = resident(node.daemon.pid)
    print(f"mcvd idle, {name:33} {mib:.1f} MiB resident (goal 40), {(used - began) / seconds * 100:.2f} % of a core (goal 0.5)", flush=True)


def measure(build, vms, where):
    node = Native(build, where)
    try:
        node.hvctl("node", "init")
        node.hvctl("storage", "create", "disks", "--dir", str(where / "disks"))
        idle(node, 30, "no VMs:")
        for first in range(0, vms, 50):
            node.hvctl("vm", "create", *[f"vm{number}" for number in range(first, min(first + 50, vms))], "--storage-type", "local", "--disk-size", "4M", "--kernel", "/etc/hostname")
        version, listing = in_turns(50, [str(node.program), "--version"], node.words("vm", "list"))
        start = told("hvctl --version", version, "goal: under 10 ms")
        ratio = told(f"hvctl vm list, {vms} VMs", listing) / start
        print(f"{'':44} ratio {ratio:.2f} (goal 3)", flush=True)
        samples = []
        with concurrent.futures.ThreadPoolExecutor(101) as pool:
            work = pool.submit(node.hvctl, "vm", "create", *[f"more{number}" for number in range(20)], "--storage-type", "local", "--disk-size", "4M", "--kernel", "/etc/hostname")
            clients = [pool.submit(in_turns, 5, node.words("vm", "list", "-q")) for _ in range(100)]
            for client in clients:
                samples += client.result()[0]
            work.result()
        told("100 clients list while VMs are made", samples)
        idle(node, 60, f"{vms} VMs:")
    finally:
        node.end()


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TOP / "build-release").resolve()
    vms = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    if "MCV_BENCH_INSIDE" not in os.environ:
        os.environ["MCV_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", sys.executable, __file__, str(build), str(vms)])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if not pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        subprocess.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], check=True)  # here alone
    where = pathlib.Path(tempfile.mkdtemp(prefix="mcv-bench-", dir="/var/tmp"))
    where.chmod(0o755)
    try:
        measure(build, vms, where)
    finally:
        shutil.rmtree(where)


if __name__ == "__main__":
    main()
