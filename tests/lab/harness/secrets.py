# SPDX-License-Identifier: Apache-2.0
"""No secret leaves the place it belongs to: not in what hvctl printed, in the journal, in guests' consoles, in the configuration and
audit that mcv keeps, nor on the command line of any process.

A watch plants secrets of its own (passwords, an invitation), reads those that mcv made on the nodes, and at the end searches for all
of them: as text, in hex and in base64, whole and in pieces. It plants a canary in each kind of place as well: a search that does not
find that one is blind, and says so.
"""

import base64
import json
import re
import secrets
import shlex

PIECE = 16  # bytes: whoever has that much of a secret has too much
SHORTEST = 12

SECRET_FILES = ("/var/lib/mcv/secrets.json", "/var/lib/mcv/keys/node.pem", "/etc/corosync/authkey")
ARGV = "/run/lab-argv"
PATTERNS, HITS = "/run/lab-patterns", "/run/lab-hits"
SAMPLER = f"while sleep 2; do ps -eww -o args= >>{ARGV}; done"

# On each node: what prints the whole of a place.
PLACES = {
    "journal": "journalctl --no-pager -o verbose",
    "consoles": "cat /var/log/mcv/console/*",
    "store": "cat /var/lib/mcv/store.sqlite*",
    "processes": f"cat {ARGV}",
}
# And what hvctl tells of what mcv keeps. Each is asked as a table and as JSON.
ANSWERS = ("info", "node list", "vm list", "op list", "audit --limit 5000", "drbd list", "storage list", "network list", "user list", "grant list", "verify --history")

# drbdadm gives drbdsetup the options of a connection as words: no other way leads into DRBD 8.4's kernel module. For that moment
# the shared secret, which authenticates the other leg and encrypts nothing, is on a command line. mcv itself hands over a file.
KNOWN = [("processes", "drbd-shared-secret", re.compile(r"^(\S*/)?drbdsetup(-84)? "))]


def pieces(value):
    """Every PIECE bytes, and the last ones: of a part that is twice as long at least one is whole."""
    starts = [*range(0, max(len(value) - PIECE, 0) + 1, PIECE), max(len(value) - PIECE, 0)]
    return {value[start : start + PIECE] for start in starts}


def in_base64(piece):
    """As it looks wherever it begins in what was encoded."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(piece)) * 8 // 6
        yield base64.b64encode(bytes(before) + piece).decode()[skipped:whole]


def fragments(value):
    """Texts of which none may be seen. value: bytes"""
    found = set()
    values = {value}
    if re.fullmatch(rb"([0-9a-f]{2}){%d,}" % SHORTEST, value):
        values.add(bytes.fromhex(value.decode()))  # kept as hex, and something else to those who use it
    for piece in (piece for one in values for piece in pieces(one)):
        if piece.isascii() and piece.decode().isprintable():
            found.add(piece.decode())
        found |= {piece.hex(), piece.hex().upper()}
        for text in in_base64(piece):
            found |= {text, text.replace("+", "-").replace("/", "_")}
    return found


def private_part(pem):
    """The private key in a key file that holds its certificate as well; a certificate is public."""
    block = re.search(r"-----BEGIN PRIVATE KEY-----(.+?)-----END PRIVATE KEY-----", pem, re.DOTALL)
    der = base64.b64decode("".join(block.group(1).split()))
    return der[-32:] if len(der) == 48 else der  # Ed25519: 16 bytes that every key begins with


def of_connect_string(text):
    """The token in it: the rest is an address and what is public."""
    body = text.strip().removeprefix("mcv1:")
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["token"]


class Known:
    """Secrets by name, and the text of each that betrays it."""

    def __init__(self):
        self.names = {}  # fragment -> name

    def add(self, name, value):
        data = value.encode() if isinstance(value, str) else value
        if len(data) < SHORTEST:
            raise ValueError(f"{name} is too short to be searched for")
        for text in fragments(data):
            self.names.setdefault(text, name)

    def in_text(self, text):
        """Names of the secrets that are in it."""
        return {name for fragment, name in self.names.items() if fragment in text}

    def patterns(self):
        """One a line. An empty one would be in everything."""
        assert all(self.names) and self.names
        return "".join(f"{fragment}\n" for fragment in sorted(self.names))

    def blacked_out(self, text):
        for fragment, name in self.names.items():
            text = text.replace(fragment, f"<{name}>")
        return text


class SecretWatch:
    """Over one run of a lab: begin() once mcv is on the nodes, findings() at the end."""

    def __init__(self, lab):
        self.lab = lab
        self.known = Known()
        self.canary = secrets.token_hex(PIECE // 2)

    def begin(self):
        self.lab.transcript = []
        for node in self.lab.nodes:
            self.lab.run(node, f"systemd-run --quiet --unit=lab-argv sh -c {shlex.quote(SAMPLER)}")

    # --- planted ---
    def plant(self, name):
        """A new secret to be typed somewhere."""
        value = secrets.token_hex(PIECE)
        self.known.add(name, value)
        return value

    def new_password(self, node, account):
        password = self.plant(f"the password of {account} on {node}")
        self.lab.run(node, "chpasswd", stdin=f"{account}:{password}\n")
        return password

    def invite(self, node):
        """An invitation that is printed where it was asked for, and may be nowhere else."""
        text = self.lab.run(node, ["hvctl", "cluster", "get-connect-string", "--quiet"]).stdout.strip()
        self.lab.transcript.pop()
        token = of_connect_string(text)
        self.known.add(f"the token of an invitation by {node}", token)
        return text

    # --- searched ---
    def findings(self):
        found = []
        for node in self.lab.nodes:
            found += self._read(node)
            self._release_canary(node)
        self._ask()
        self.known.add("canary", self.canary)
        seen = {("hvctl", "hvctl"): self._in_transcript()}
        for node in self.lab.nodes:
            self.lab.write(node, PATTERNS, self.known.patterns(), mode="600")
            for place in PLACES:
                seen[(node, place)] = self._search(node, place)
            self.lab.run(node, ["rm", "-f", PATTERNS, HITS])
        for (node, place), leaks in seen.items():
            found += [f"{node}: {where}" for name, where in leaks if name != "canary"]
            if place in ("hvctl", "journal", "processes") and "canary" not in {name for name, _ in leaks}:
                found.append(f"the search is blind: it does not find what was planted in {place} of {node}")
        return found

    def _read(self, node):
        """The secrets that mcv made there; what cannot be read or can be read by others is a finding."""
        found = []
        modes = self.lab.run(node, ["stat", "-c", "%a %n", *SECRET_FILES], check=False)
        for line in modes.stdout.splitlines():
            mode, path = line.split(" ", 1)
            if int(mode, 8) & 0o077:
                found.append(f"{node}: {path} can be read by others ({mode})")
        texts = [self.lab.run(node, ["base64", "-w0", path], check=False).stdout for path in SECRET_FILES]
        store, key, authkey = (base64.b64decode(text) for text in texts)
        if not (store and key and authkey):
            missing = [path for path, text in zip(SECRET_FILES, texts) if not text]
            return [*found, f"{node}: nothing to search for in {', '.join(missing)}"]
        for name, value in json.loads(store).items():
            self.known.add(name, value)
        self.known.add("corosync-authkey", authkey)
        self.known.add(f"the private key of {node}", private_part(key.decode()))
        return found

    def _release_canary(self, node):
        self.lab.run(node, ["logger", "-t", "lab", f"canary {self.canary}"])
        self.lab.run(node, f"sh -c 'sleep 10; true' {self.canary}; journalctl --sync", check=False)
        self.lab.run(node, ["hvctl", "vm", "info", self.canary], check=False)

    def _ask(self):
        for node in self.lab.nodes:
            for words in ANSWERS:
                for form in ([], ["-o", "json"]):
                    self.lab.run(node, ["hvctl", *words.split(), *form], check=False)

    def _in_transcript(self):
        return [(name, f"{name} in what was printed on {node} by: {self.known.blacked_out(line)}") for node, line, text in self.lab.transcript for name in sorted(self.known.in_text(text))]

    def _search(self, node, place):
        """Searched on the node: a journal is long, and the way from there is slow."""
        hits = f"{PLACES[place]} 2>/dev/null | LC_ALL=C grep -aFf {PATTERNS} >{HITS}; LC_ALL=C grep -aohFf {PATTERNS} {HITS} | sort -u; echo @@@; cut -c1-1000 {HITS} | sort -u | head -n 200"
        fragments_seen, _, lines = self.lab.run(node, hits, check=False, timeout=300).stdout.partition("@@@\n")
        leaks = []
        for name in sorted({self.known.names.get(text, "a secret") for text in fragments_seen.split("\n") if text}):
            of_it = [line for line in lines.splitlines() if name in self.known.in_text(line)]
            excused = [pattern for where, what, pattern in KNOWN if (where, what) == (place, name)]
            left = [line for line in of_it if not any(pattern.search(line) for pattern in excused)]
            if left or not of_it:
                leaks.append((name, f"{name} in {place}: {self.known.blacked_out(left[0])[:300] if left else 'a long line'}"))
        return leaks
