# SPDX-License-Identifier: Apache-2.0
"""What must hold on nodes that run mcv, whatever a test was about: one configuration, and no acknowledged record lost.

Findings are lists of text, as in audit.py. A node that is off, or has no mcv yet, says nothing and is not asked twice.
"""

import json
import subprocess

from . import contract
from .audit import lost_records
from .guest import FILES, highest_record
from .lab import Lab
from .wait import TimedOut, wait_until


def ask(lab, node, *words):
    """The JSON of an hvctl command, None when there is no answer."""
    try:
        answer = json.loads(lab.run(node, ["hvctl", *words, "-o", "json"], check=False, timeout=60).stdout)
    except (ValueError, subprocess.TimeoutExpired):
        return None
    if not isinstance(answer, dict):
        return None
    # A test of the harness answers by itself, and with less.
    return contract.check(words, answer) if isinstance(lab, Lab) else answer


def are_connected(infos):
    """infos: node -> the answer of `hvctl info`, or None."""
    return len(infos) > 1 and all(info and (info.get("peer") or {}).get("in_group") for info in infos.values())


def diverged(infos):
    """Findings where nodes that see each other hold different configurations."""
    if not are_connected(infos) or len({info["hash"] for info in infos.values()}) == 1:
        return []
    return ["the configurations differ: " + ", ".join(f"{node} has {info['hash']}" for node, info in infos.items())]


def configuration(lab, patience=30):
    """Findings that stay: a change that is on its way arrives within moments."""
    seen = []

    def agrees():
        seen[:] = diverged({node: ask(lab, node, "info") for node in lab.nodes})
        return not seen

    try:
        wait_until(agrees, patience, "one configuration", interval=1)
    except TimedOut:
        return list(seen)
    return []


def whole_legs(vm, lists):
    """Nodes whose copy of a replicated disk must have everything the guest was told is durable.

    lists: node -> the answer of `hvctl drbd list` there, or None. The owner's copy counts when it is current, the other one when
    both nodes say so.
    """
    disk = vm["volumes"][0]["name"]
    nodes = []
    for node, answer in lists.items():
        for volume in (answer or {}).get("volumes", []):
            is_current = volume["disk"] == "UpToDate" and (node == vm["owner"] or volume["peer_disk"] == "UpToDate")
            if volume["volume"] == disk and is_current:
                nodes.append(node)
    return nodes


def read_leg(lab, node, device):
    """What the guest wrote, read beside the page cache: DRBD writes to the device without it."""
    done = lab.run(node, f"blockdev --flushbufs {device} && {FILES}/records {device}", check=False, timeout=300)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"unreadable": (done.stdout + done.stderr).strip()}


def acknowledged(lab, name, collector=None):
    """The highest record that the guest called durable: on its console on any node, or to the collector."""
    consoles = [lab.run(node, ["cat", f"/var/log/mcv/console/{name}.log"], check=False).stdout for node in lab.nodes]
    heard = [report.records for report in collector.of(name)] if collector else []
    return max([highest_record(text) for text in consoles] + heard, default=0)


def end_guest(lab, vm):
    """As a power cut of the guest; True when it is off."""
    node, name = vm["owner"], vm["name"]
    lab.run(node, ["hvctl", "vm", "kill", name], check=False, timeout=120)
    try:
        return wait_until(lambda: (ask(lab, node, "vm", "info", name) or {}).get("state") == "stopped", 60, f"{name} is off", interval=1)
    except TimedOut:
        return False


def disks(lab, collector=None, end_guests=True):
    """Findings on the first disk of each VM, whose guest is ended first; with end_guests False only VMs that are off are looked at."""
    lists = [answer for answer in (ask(lab, node, "vm", "list") for node in lab.nodes) if answer]
    findings = []
    for vm in lists[0]["vms"] if lists else []:
        name, off = vm["name"], vm["state"] == "stopped"
        if not off and end_guests:
            off = end_guest(lab, vm)
            if not off:
                findings.append(f"{name} could not be ended")
        if off and vm["volumes"]:
            findings += disk_of(lab, vm, acknowledged(lab, name, collector))
    return findings


def disk_of(lab, vm, highest):
    """Findings on the copies of one VM's first disk. The VM is off."""
    volume = vm["volumes"][0]
    if volume["kind"] == "drbd":
        nodes = whole_legs(vm, {node: ask(lab, node, "drbd", "list") for node in lab.nodes})
        device = f"/dev/vg0/mcv-{volume['name']}"
    else:
        nodes, device = [vm["owner"]], volume["device"]
    findings = []
    for node in nodes:
        records = read_leg(lab, node, device)
        where = f"{vm['name']} on {node}"
        if "unreadable" in records:
            findings.append(f"{where}: {device} cannot be read: {records['unreadable']}")
        else:
            findings += lost_records(where, highest, records)
    return findings
