# SPDX-License-Identifier: Apache-2.0
"""A real mcvd on this machine, in namespaces and directories of its own: what the native benchmarks begin with."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

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


def resident(pid):
    """(MiB resident, seconds of processor time so far)"""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return kib / 1024, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_natively(script, measure, second):
    """measure(build, number, where) as root in namespaces of its own; its result is the exit code.

    The script's words are [BUILD-DIRECTORY [NUMBER]]; `second` stands for a NUMBER that is not given.
    """
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TOP / "build-release").resolve()
    number = int(sys.argv[2]) if len(sys.argv) > 2 else second
    if "MCV_BENCH_INSIDE" not in os.environ:
        os.environ["MCV_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", sys.executable, script, str(build), str(number)])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if not pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        subprocess.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], check=True)  # here alone
    where = pathlib.Path(tempfile.mkdtemp(prefix="mcv-bench-", dir="/var/tmp"))
    where.chmod(0o755)
    try:
        sys.exit(measure(build, number, where))
    finally:
        shutil.rmtree(where)
