# SPDX-License-Identifier: Apache-2.0
"""What lies on a node without a record that explains it, and what a record demands and is not there.

`look` reads one node; `findings` is pure: it compares the machine with what `hvctl` on that node says of the configuration. Nothing of
it knows which operations ran before.
"""

import hashlib
import json
import re
import shlex
import subprocess

from .product import are_connected
from .wait import TimedOut, wait_until

FIRST_PORT, LAST_PORT = 7900, 8799  # of DRBD (docs/operations.md)
TAP = re.compile(r"mcv[0-9a-f]{12}$")

HVCTL = {
    "info": "info",
    "vms": "vm list",
    "pools": "storage list",
    "networks": "network list",
    "quarantine": "storage list-quarantined",
    "snapshots": "storage list-snapshots",
    "operations": "op list",
}
MACHINE = {
    "lvs": "lvs --reportformat json -o vg_name,lv_name,lv_tags",
    "resource_files": "ls -1A /etc/drbd.d",
    "drbd": "drbdsetup events2 --now 2>/dev/null; true",
    "links": "ip -j -d link",
    "units": "systemctl list-units --all --plain --no-legend --no-pager 'mcv-vm-*'",
    "cgroups": "ls -1 /sys/fs/cgroup/mcv.slice 2>/dev/null | grep '^mcv-vm-'; true",
    "processes": "ps -o pid=,unit=,comm= -u mcv-guest; true",
    "listening": "ss -Hltn",
    "run": "find /run/mcv -mindepth 1 -printf '%P\\n'",
    "state": "find /var/lib/mcv -mindepth 1 -printf '%P\\n'",
}
MARK = "@@@ "

# What the daemon keeps by itself (regular expressions of paths).
RUN_KNOWN = ("(mcvd|drbd-helper|drbd-events)\\.sock(\\.lock)?", "vm", "runs", "step-hold")
STATE_KNOWN = ("store\\.sqlite(-wal|-shm|\\.reserve)?", "keys", "keys/node\\.pem", "secrets\\.json", "bridges\\.json")


def script():
    """Prints every part under a line with its name; a part that fails is empty."""
    parts = {**{name: f"hvctl -o json {words}" for name, words in HVCTL.items()}, **MACHINE}
    return "\n".join(f"echo {shlex.quote(MARK + name)}\n{command} 2>/dev/null" for name, command in parts.items())


def sections(text):
    """name -> text of it"""
    parts, name = {}, None
    for line in text.splitlines():
        if line.startswith(MARK):
            name = line[len(MARK) :]
            parts[name] = ""
        elif name:
            parts[name] += line + "\n"
    return parts


def tap_of(vm, card):
    """src/net/names.h"""
    return "mcv" + hashlib.sha256(f"{vm}/{card}".encode()).hexdigest()[:12]


def parse(text):
    """The sections as values. Raises ValueError when the node did not answer all of it."""
    parts = sections(text)
    seen = {name: json.loads(parts.get(name) or "") for name in HVCTL}
    seen["lvs"] = {(row["vg_name"], row["lv_name"]): row["lv_tags"].split(",") for row in json.loads(parts["lvs"])["report"][0]["lv"]}
    seen["resource_files"] = parts["resource_files"].split()
    seen["drbd"] = drbd_minors(parts["drbd"])
    seen["taps"] = {link["ifname"]: link.get("master") for link in json.loads(parts["links"]) if link.get("linkinfo", {}).get("info_kind") == "tun"}
    seen["units"] = [line.split()[0] for line in parts["units"].splitlines() if line.split()]
    seen["cgroups"] = parts["cgroups"].split()
    seen["processes"] = [line.split(None, 2) for line in parts["processes"].splitlines() if line.split()]
    seen["ports"] = {int(line.split()[3].rsplit(":", 1)[1]) for line in parts["listening"].splitlines() if len(line.split()) > 3}
    seen["run"] = parts["run"].split()
    seen["state"] = parts["state"].split()
    return seen


def drbd_minors(events):
    """resource -> minor (None while it has no device), of `drbdsetup events2 --now`."""
    minors = {}
    for line in events.splitlines():
        words = line.split()
        if words[:2] not in (["exists", "resource"], ["exists", "device"]):
            continue
        fields = dict(word.split(":", 1) for word in words[2:] if ":" in word)
        minors.setdefault(fields["name"], None)
        if "minor" in fields:
            minors[fields["name"]] = int(fields["minor"])
    return minors


class Expected:
    """What the configuration explains on the node that told it."""

    def __init__(self, seen):
        node = seen["info"]["node"]
        pools = {pool["name"]: pool for pool in seen["pools"]["pools"]}
        groups = {name: next((there.get("volume_group", pool["volume_group"]) for there in pool["nodes"] if there["node"] == node), pool["volume_group"]) for name, pool in pools.items()}
        self.lvs = {(groups[name], pool["thin_pool"]) for name, pool in pools.items() if pool["kind"] == "thin"}
        self.resources = {}
        self.ports = set()
        self.taps = {}
        self.units = set()
        self.vms = {vm["name"] for vm in seen["vms"]["vms"]}
        bridges = {network["name"]: network["bridge"] for network in seen["networks"]["networks"]}
        for vm in seen["vms"]["vms"]:
            for volume in vm["volumes"]:
                self._volume(volume, pools, groups, vm["owner"] == node)
            if vm["owner"] == node and vm["state"] not in ("stopped", "deleting", "unknown"):
                self.units.add(f"mcv-vm-{vm['name']}.service")
                for card, nic in enumerate(vm["nics"]):
                    self.taps[tap_of(vm["name"], card)] = bridges[nic["network"]]

    def _volume(self, volume, pools, groups, is_owner):
        name = f"mcv-{volume['name']}"
        in_group = pools[volume["pool"]]["kind"] != "directory"
        if volume["kind"] == "drbd":
            self.resources[name] = volume["minor"]
            self.ports.add(volume["port"])
            self.lvs |= {(groups[volume["pool"]], name), (groups[volume["pool"]], f"{name}.md")}
        elif is_owner and in_group:
            self.lvs.add((groups[volume["pool"]], name))


def known(path, patterns):
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def of_vm(path):
    """The VM that a path below /run/mcv is about, else None."""
    found = re.match(r"vm/([^/]+)|runs/(.+)\.(json|console)$", path)
    return found and (found.group(1) or found.group(2))


def quarantined(name, seen):
    return re.sub(r"\.md$", "", name) in {copy["name"] for copy in seen["quarantine"]["copies"]}


def kept_by_a_repair(name, seen):
    """A snapshot of a disk that is there and was not found equal since."""
    volumes = {volume["name"]: volume for vm in seen["vms"]["vms"] for volume in vm["volumes"]}
    for snapshot in seen["snapshots"]["snapshots"]:
        if snapshot["name"] == name and snapshot["node"] == seen["info"]["node"] and snapshot["volume"] in volumes:
            return volumes[snapshot["volume"]]["verdict"]["kind"] != "clean"
    return False


def findings(seen):
    """Of one node, from what parse() returned: "orphan …" and "missing …"."""
    want = Expected(seen)
    orphans, missing = [], []
    ours = {lv for lv, tags in seen["lvs"].items() if "mcv" in tags or lv[1].startswith(("mcv-", "mcvq-", "mcvs-"))}
    orphans += [f"logical volume {group}/{name}" for group, name in sorted(ours - want.lvs) if not quarantined(name, seen) and not kept_by_a_repair(name, seen)]
    missing += [f"logical volume {group}/{name}" for group, name in sorted(want.lvs - set(seen["lvs"]))]
    files = {name for name in seen["resource_files"] if name.startswith((".mcv-", "mcv-"))}
    wanted_files = {f"{name}.res" for name in want.resources}
    orphans += [f"resource file {name}" for name in sorted(files - wanted_files)]
    missing += [f"resource file {name}" for name in sorted(wanted_files - files)]
    orphans += [f"DRBD resource {name}, minor {minor}" for name, minor in sorted(seen["drbd"].items()) if name.startswith("mcv-") and name not in want.resources]
    missing += [f"DRBD resource {name}, minor {minor}" for name, minor in sorted(want.resources.items()) if seen["drbd"].get(name) != minor]
    orphans += [f"port {port} listens" for port in sorted(seen["ports"]) if FIRST_PORT <= port <= LAST_PORT and port not in want.ports]
    orphans += [f"tap {tap}" for tap in sorted(seen["taps"]) if TAP.match(tap) and tap not in want.taps]
    missing += [f"tap {tap} in {bridge}" for tap, bridge in sorted(want.taps.items()) if seen["taps"].get(tap) != bridge]
    orphans += [f"service {unit}" for unit in sorted(set(seen["units"]) | set(seen["cgroups"])) if unit not in want.units]
    missing += [f"service {unit}" for unit in sorted(want.units - set(seen["units"]))]
    orphans += [f"process {pid} ({command}) of {unit}" for pid, unit, command in seen["processes"] if unit not in want.units]
    orphans += [f"/run/mcv/{path}" for path in seen["run"] if not known(path, RUN_KNOWN) and of_vm(path) not in want.vms]
    orphans += [f"/var/lib/mcv/{path}" for path in seen["state"] if not known(path, STATE_KNOWN)]
    return [f"orphan {text}" for text in orphans] + [f"missing {text}" for text in missing]


def look(lab, node):
    """What parse() makes of a node now; None when it does not answer."""
    try:
        return parse(lab.run(node, script(), check=False, timeout=120).stdout)
    except (ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return None


def is_idle(seen):
    return all(operation["state"] != "running" for operation in seen["operations"]["operations"])


def audit(lab, patience=60):
    """Findings that stay, of nodes that are one cluster and do nothing. Others are not judged: they may be on their way."""
    found = []

    def is_well():
        views = {node: look(lab, node) for node in lab.nodes}
        if not all(views.values()) or not are_connected({node: seen["info"] for node, seen in views.items()}):
            found[:] = []
            return True
        if not all(is_idle(seen) for seen in views.values()):
            found[:] = []
            return False
        found[:] = [f"{node}: {text}" for node, seen in views.items() for text in findings(seen)]
        return not found

    try:
        wait_until(is_well, patience, "no orphan", interval=1)
    except TimedOut:
        return list(found)
    return []
