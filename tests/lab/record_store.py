#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records a node's store for tests/data/store: what the present build leaves on a disk, and what has to be found in it.

    tests/lab/record_store.py tests/data/store/NAME      about 8 minutes

Two nodes with the package of build-release: a join, a replicated VM that runs, a verify, a power cut of B that A is told of,
changes on A alone, and B back. Then A's store as mcvd left it, and beside it what was in it, counted here from the rows.
"""

import contextlib
import hashlib
import json
import pathlib
import sqlite3
import sys
from collections import Counter

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Lab, wait_until  # noqa: E402
from main_job import MainJob  # noqa: E402


def cluster():
    lab = Lab()
    lab.up()
    job = MainJob(lab)
    for step in ("install", "init_nodes", "join", "storage_and_network", "create"):
        getattr(job, step)()
    return lab, job


def live_a_little(lab, job):
    job.hvctl("A", "vm", "start", "vm1")
    job.verify("B")
    lab.kill("B")
    wait_until(lambda: job.hvctl("A", "cluster", "confirm-down", "B", "--yes", check=False).returncode == 0, 180, "B is confirmed down", interval=2)
    for option in ("--autostart", "--delete-protection"):
        job.hvctl("A", "vm", "update", "vm1", option, "on")
    lab.start("B")
    wait_until(lambda: all(job.ask(node, "info")["link"] == "together" for node in ("A", "B")), 300, "the nodes are together", interval=1)
    wait_until(lambda: all(v["disk"] == v["peer_disk"] == "UpToDate" for v in job.ask("A", "drbd", "list")["volumes"]), 300, "both copies are equal", interval=1)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def found_in(file, info):
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = {}
        for table, key, value in database.execute("select tab, key, value from record"):
            text = [part.decode() if isinstance(part, bytes) else part for part in (table, key, value)]
            rows.setdefault(text[0], {})[text[1]] = text[2]
    state = {}
    for key, value in rows["state"].items():
        kind, name = key.split("/", 1)
        state.setdefault(kind, {})[name] = json.loads(value)
    facts = json.loads(rows["meta"]["facts"])
    if (facts["index"], facts["hash"]) != (info["index"], info["hash"]):
        raise SystemExit(f"the store says {facts}, hvctl info said {info['index']} {info['hash']}")
    return {
        "node": info["node"], "version": info["version"], "format": facts["format"], "generation": info["generation"], "index": facts["index"], "hash": facts["hash"],
        "state": hashlib.sha256(canonical(state).encode()).hexdigest(), "entries": len(rows["log"]),
        "records": dict(sorted(Counter(json.loads(value)["kind"] for value in rows.get("node_record", {}).values()).items())),
        "operations": len({key.split("/")[0] for key in rows.get("operations", {}) if "/" in key}),
    }  # fmt: skip


def record(lab, job, directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)
    info = job.ask("A", "info")
    lab.run("A", "mkdir /root/recorded; systemctl stop mcvd; cp /var/lib/mcv/store.sqlite* /root/recorded; systemctl start mcvd")
    # mcvd ends without closing it, so its last commits are in the log beside it.
    lab.run("A", "sqlite3 /root/recorded/store.sqlite '.backup /root/recorded/whole.sqlite'")
    lab.pull("A", "/root/recorded/whole.sqlite", directory / "store.sqlite")
    expected = found_in(directory / "store.sqlite", info)
    (directory / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
    print(json.dumps(expected, indent=2))


def main():
    lab, job = cluster()
    with lab:
        live_a_little(lab, job)
        record(lab, job, sys.argv[1])


if __name__ == "__main__":
    main()
