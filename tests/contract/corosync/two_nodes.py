#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two corosync daemons in namespaces of this test, one node program on each; proposals from both sides, a cut link, a
killed node, a killed corosync, a rolling upgrade. Needs root, unshare, nsenter, ip and corosync; says so and exits 77 without
them.  two_nodes.py PROGRAM [--record DIRECTORY]: records a small store instead."""
import contextlib
import json
import os
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

ADDRESS = {"A": "10.213.77.1", "B": "10.213.77.2"}
started = time.monotonic()


def note(text):
    print(f"[{time.monotonic() - started:6.2f} s] {text}", flush=True)


def skip(why):
    print("*" * 78 + f"\nNOT TESTED: corosync contract: {why}\n" + "*" * 78, flush=True)
    sys.exit(77)


def run(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=20)


def wait_for(what, condition, bound):
    end = time.monotonic() + bound
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {bound} s: {what}")


class Node:
    """A namespace with its own network, /run, /dev/shm, /var/lib/corosync and /etc/corosync, and what runs in it."""

    def __init__(self, name, program, directory):
        self.name, self.program = name, program
        self.database = os.path.join(directory, f"{name}.db")
        self.log = os.path.join(directory, f"{name}.corosync.log")
        self.corosync = self.daemon = None
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "--ipc", "--propagation", "private", "sleep", "600"])
        own = os.readlink("/proc/self/ns/net")
        wait_for("the namespace", lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own and
                 open(f"/proc/{self.holder.pid}/comm").read().strip() == "sleep", 5)
        self.inside = ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "-i"]
        for place in ("/run", "/dev/shm", "/var/lib/corosync", "/etc/corosync"):
            run(*self.inside, "mount", "-t", "tmpfs", "tmpfs", place)
        run(*self.inside, "ip", "link", "set", "lo", "up")

    def address(self, device):
        run("ip", "link", "set", device, "netns", str(self.holder.pid))
        run(*self.inside, "ip", "addr", "add", ADDRESS[self.name] + "/24", "dev", device)
        run(*self.inside, "ip", "link", "set", device, "up")

    def start_corosync(self, conf, key):
        # As written by the product, but logging where this test can show it.
        text = open(conf).read().replace("to_logfile: no", f"to_logfile: yes\n    logfile: {self.log}").replace("to_syslog: yes", "to_syslog: no")
        for path, data in (("corosync.conf", text.encode()), ("authkey", open(key, "rb").read())):
            subprocess.run([*self.inside, "tee", f"/etc/corosync/{path}"], input=data, check=True, stdout=subprocess.DEVNULL)
        run(*self.inside, "chmod", "0400", "/etc/corosync/authkey")
        self.corosync = subprocess.Popen([*self.inside, "corosync", "-f"], stdout=subprocess.DEVNULL)

    def start_daemon(self, knows=1):
        self.answers, self.decided = queue.Queue(), {}
        self.daemon = subprocess.Popen([*self.inside, self.program, self.name, self.database, str(knows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, args=(self.daemon, self.answers, self.decided), daemon=True).start()
        return self.answers.get(timeout=10)

    @staticmethod
    def read(daemon, answers, decided):
        for line in daemon.stdout:
            answer = json.loads(line)
            if "tag" in answer:
                decided[answer["tag"]] = answer
            else:
                answers.put(answer)

    def tell(self, line):
        self.daemon.stdin.write(line + "\n")
        self.daemon.stdin.flush()

    def ask(self, line, bound=10):
        self.tell(line)
        answer = self.answers.get(timeout=bound)
        assert "error" not in answer, f"{self.name}: {line}: {answer}"
        return answer

    def link(self):
        return self.ask("status")["link"]

    def kill_daemon(self):
        os.kill(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait()

    def upgrade(self, knows):
        """Another build: killed, started, in the group again. What it says when it does not serve."""
        self.kill_daemon()
        said = self.start_daemon(knows)
        if "error" not in said:
            self.ask("start")
        return said

    def rows(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute("select tab, key, value from record order by tab, key").fetchall()

    def propose(self, tag, key, value, bound=15):
        self.tell(f"propose {tag} {key} {value}")
        return wait_for(f"the answer to {tag}", lambda: self.decided.get(tag), bound)

    def end(self):
        for process in (self.daemon, self.corosync, self.holder):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def equal(a, b):
    one, other = a.ask("status"), b.ask("status")
    return one["hash"] == other["hash"] and one["state"] == other["state"] and one


def together(a, b, bound=20):
    wait_for("both together", lambda: a.link() == "together" and b.link() == "together", bound)
    assert equal(a, b), "together and not equal"


def settled(nodes, tags):
    """What each side says about each id, once both have to agree."""
    for tag in tags:
        says = {node.name: node.ask(f"outcome {tag}@0")["outcome"] for node in nodes}
        assert says["A"] == says["B"] and says["A"] in ("committed", "not-applied"), (tag, says)
        yield tag, says["A"]


def record(a, b, directory):
    """A short life of both, and A's store of it, whole: for tests/data/store (docs/formats.md)."""
    for i in range(5):
        for node in (a, b):
            assert node.propose(f"early{node.name}{i}", f"k{i}", node.name).get("both") is True
            wait_for("equal", lambda: equal(a, b), 5)
    assert a.ask("append one")["there"] is True and b.ask("append two")["there"] is True
    b.kill_daemon()
    wait_for("A apart", lambda: a.link() == "apart", 10)
    a.ask("take")
    for i in range(5):
        assert a.propose(f"alone{i}", f"k{i}", "alone").get("both") is False
    a.ask("append three")
    b.start_daemon()
    b.ask("start")
    together(a, b, 20)
    assert b.propose("again", "k0", "again").get("both") is True
    wait_for("equal", lambda: equal(a, b), 5)
    said = a.ask("status")
    a.kill_daemon()
    os.makedirs(directory)
    file = os.path.join(directory, "store.sqlite")
    with contextlib.closing(sqlite3.connect(a.database)) as live, contextlib.closing(sqlite3.connect(file)) as copy:
        live.backup(copy)
        rows = {table: copy.execute("select value from record where tab = ?", (table,)).fetchall() for table in ("log", "node_record")}
    kinds = [json.loads(value)["kind"] for value, in rows["node_record"]]
    expected = {"node": "A", "format": 1, "generation": said["generation"], "index": said["index"], "hash": said["hash"], "state": said["state"],
                "entries": len(rows["log"]), "records": {kind: kinds.count(kind) for kind in sorted(set(kinds))}, "operations": 0}  # fmt: skip
    with open(os.path.join(directory, "expected.json"), "w") as out:
        out.write(json.dumps(expected, indent=2) + "\n")
    note(f"recorded in {directory}: {expected}")


def main():
    program = os.path.abspath(sys.argv[1])
    if os.geteuid() != 0:
        skip("namespaces need root")
    for tool in ("unshare", "nsenter", "ip", "corosync"):
        if shutil.which(tool) is None:
            skip(f"{tool} is not installed")
    directory = tempfile.mkdtemp(prefix="mcv-corosync-", dir="/var/tmp")
    nodes = []
    device = [f"mcvt{os.getpid() % 100000}{side}" for side in "ab"]
    try:
        a, b = (Node(name, program, directory) for name in "AB")
        nodes += [a, b]
        run("ip", "link", "add", device[0], "type", "veth", "peer", "name", device[1])
        a.address(device[0])
        b.address(device[1])

        # As the join does: A adds B, writes the configuration, B adopts it.
        assert a.start_daemon()["link"] == "uninitialised"
        b.start_daemon()
        a.ask("init")
        assert a.ask(f"nodes {ADDRESS['A']} {ADDRESS['B']}")["link"] == "apart"
        conf, key, snapshot = (os.path.join(directory, name) for name in ("conf", "key", "snapshot"))
        a.ask(f"conf {conf} {key}")
        a.ask(f"snapshot {snapshot}")
        b.ask(f"adopt {snapshot}")
        for node in (a, b):
            node.start_corosync(conf, key)
            node.ask("start")
        together(a, b, 30)
        note("together")
        if sys.argv[2:3] == ["--record"]:
            return record(a, b, os.path.abspath(sys.argv[3]))

        # Both sides at once, all promised on both nodes.
        for i in range(100):
            a.tell(f"propose a{i} a{i} x")
            b.tell(f"propose b{i} b{i} x")
        wait_for("all decided", lambda: len(a.decided) >= 100 and len(b.decided) >= 100, 30)
        for answer in [*a.decided.values(), *b.decided.values()]:
            assert answer.get("both") is True, answer
        wait_for("equal", lambda: equal(a, b), 5)
        times = sorted(a.propose(f"t{i}", "t", str(i))["ms"] for i in range(40))
        note(f"200 changes from both sides; then one at a time: median {times[20]:.1f} ms, worst {times[-1]:.1f} ms")
        assert a.ask("append one")["there"] is True
        wait_for("the record at B", lambda: b.ask("status")["records"] == 1, 5)

        # The link is cut under load from both sides.
        a.tell("load ca")
        b.tell("load cb")
        wait_for("load", lambda: "ca20" in a.decided and "cb20" in b.decided, 20)
        run(*a.inside, "ip", "link", "set", device[0], "down")
        cut = time.monotonic()
        wait_for("both apart", lambda: a.link() == "apart" and b.link() == "apart", 15)
        note(f"cut seen by both after {time.monotonic() - cut:.1f} s")
        refused = a.propose("late", "late", "x")
        assert refused["error"] == "no-authority" and "corosync" in refused["next"], refused
        assert a.ask("append two")["there"] is False
        a.kill_daemon()
        b.kill_daemon()
        promised = {tag: answer for node in nodes for tag, answer in node.decided.items() if "index" in answer}
        unsure = {tag for node in nodes for tag, answer in node.decided.items() if answer.get("error") == "outcome-unknown"}
        # Killed and cut: what was promised is there when they meet again.
        for node in nodes:
            node.start_daemon()
            node.ask("start")
        run(*a.inside, "ip", "link", "set", device[0], "up")
        healed = time.monotonic()
        together(a, b, 30)
        note(f"together {time.monotonic() - healed:.1f} s after the link came back; {len(promised)} promises, {len(unsure)} unknown")
        for tag, outcome in settled(nodes, promised):
            assert outcome == "committed", tag
        list(settled(nodes, unsure))
        assert dict(settled(nodes, ["late"]))["late"] == "not-applied"
        wait_for("the second record at B", lambda: b.ask("status")["records"] == 2, 5)

        # One daemon is killed in the middle of a load from both sides, five times.
        promised = {}
        for round_number in range(5):
            victim, other = (a, b) if round_number % 2 else (b, a)
            victim.tell(f"load v{round_number}x")
            other.tell(f"load o{round_number}x")
            wait_for("load", lambda: f"v{round_number}x3" in victim.decided and f"o{round_number}x3" in other.decided, 20)
            victim.kill_daemon()
            wait_for("the loss is seen", lambda: other.link() == "apart", 10)
            promised.update({tag: 1 for node in nodes for tag, answer in node.decided.items() if "index" in answer})
            # The other's load ends here as well: its next round starts from rest.
            other.kill_daemon()
            for node in nodes:
                node.start_daemon()
                node.ask("start")
            together(a, b, 20)
        for tag, outcome in settled(nodes, promised):
            assert outcome == "committed", tag
        note(f"10 kills under load: all {len(promised)} promises kept")

        # Corosync itself dies under one node: refused with the command that helps, and back by itself.
        dead = b.corosync
        inner = subprocess.run(["pgrep", "-P", str(dead.pid)], capture_output=True, text=True).stdout.split()
        for pid in inner or [str(dead.pid)]:
            os.kill(int(pid), signal.SIGKILL)
        dead.wait()
        wait_for("B sees it", lambda: b.link() == "apart", 10)
        refused = b.propose("nogroup", "nogroup", "x")
        assert refused["next"] == "systemctl start corosync", refused
        b.start_corosync(conf, key)
        together(a, b, 30)
        assert b.propose("again", "again", "x").get("both") is True
        note("corosync killed and started again: together")

        # Authority while the peer's daemon is gone; it takes the whole state afterwards.
        b.kill_daemon()
        wait_for("A apart", lambda: a.link() == "apart", 10)
        assert a.ask("take")["generation"] == 2
        for i in range(20):
            assert a.propose(f"g{i}", f"g{i}", "x").get("both") is False
        b.start_daemon()
        b.ask("start")
        together(a, b, 20)
        assert b.ask("status")["generation"] == 2
        assert b.propose("end", "end", "x").get("both") is True
        note("generation taken over by the older side")

        # A rolling upgrade: B knows the next format, then A, then it is raised; the older build is kept out of it.
        b.upgrade(2)
        together(a, b, 20)
        for node in (a, b):
            assert node.propose(f"mixed{node.name}", "mixed", node.name).get("both") is True
            assert node.propose(f"early{node.name}", "format", "2")["error"] == "format-unknown"
        wait_for("equal", lambda: equal(a, b), 5)
        b.upgrade(1)
        together(a, b, 20)
        for node in (a, b):
            node.upgrade(2)
        together(a, b, 20)
        assert a.propose("raise", "format", "2").get("both") is True
        assert b.propose("raised", "mixed", "raised").get("both") is True
        wait_for("equal", lambda: equal(a, b), 5)
        assert a.ask("status")["format"] == 2
        b.kill_daemon()
        before = b.rows()
        said = b.start_daemon(1)
        assert said.get("error") == "format-unknown", said
        b.daemon.wait(10)
        assert b.rows() == before, "an older build changed a store of the next format"
        b.start_daemon(2)
        b.ask("start")
        together(a, b, 20)
        assert b.propose("after", "mixed", "after").get("both") is True
        note("rolled to the next format; done")
    except BaseException:
        for node in nodes:
            if os.path.exists(node.log):
                print(f"--- corosync of {node.name}, last lines ---\n" + "".join(open(node.log).readlines()[-15:]))
        raise
    finally:
        for node in nodes:
            node.end()
        subprocess.run(["ip", "link", "del", device[0]], stderr=subprocess.DEVNULL)
        shutil.rmtree(directory, ignore_errors=True)


main()
