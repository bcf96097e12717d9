# SPDX-License-Identifier: Apache-2.0
"""The commands that the documents show for typing: lines of their code blocks, with or without a prompt."""
import re
import shlex

from openapi import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "packaging" / "debian" / "README.Debian", *sorted((ROOT / "docs").glob("*.md"))]
# "A#", "A#B#" (on both nodes), "$", "root@A:~#", or the times of a crontab before a command.
PROMPT = re.compile(r"^\s+((?:[AB][#$])+|[#$]|root@\w+:\S*#|(?:[0-9*]+ ){5} *root)?\s*(?:sudo )?(hvctl [a-z-].*)$")
LEGACY = {"--add-node", "--remove-node", "--get-connect-string", "--set-ip-address", "--set-drbd-address", "--enable", "--list"}


class Example:
    """`words` without "hvctl"; `nodes` as the prompt names them, "" without one."""

    def __init__(self, where, nodes, words):
        self.where, self.nodes, self.words = where, nodes, words

    def __repr__(self):
        return f"{self.where}: hvctl {shlex.join(self.words)}"


def examples_of(path):
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        found = PROMPT.match(line)
        # Four spaces make a code block; a paragraph's line of a list may be indented by two.
        if not found or not line.startswith("    " if path.suffix == ".md" else "  "):
            continue
        text = found.group(2)
        while text.endswith("\\"):
            text = text[:-1] + lines[number].strip()
            number += 1
        # A file of Debian's describes a command in a second column.
        if path.suffix != ".md":
            text = re.split(r" {3,}", text)[0]
        yield Example(f"{path.relative_to(ROOT)}:{number}", re.sub(r"[^AB]", "", found.group(1) or ""), shlex.split(text, comments=True)[1:])


# What stands for a value where the text names a command, and one that it may be.
STANDS_FOR = {"VM": "vm1", "NODE": "B", "OTHER": "B", "DISK": "vm1-0", "ID": "A-17", "IP": "10.77.0.12", "ADDRESS": "10.77.0.12", "SIZE": "10G", "FILE": "/srv/x", "POOL": "fast",
              "COMMAND": "vm list", "U": "admin", "N": "2", "WHEN": "Sun 02:00", "TIME": "5m", "TEXT": "text", "VALUE": "text", "NETWORK": "lan", "USER": "admin"}
INLINE = re.compile(r"`(?:sudo )?(hvctl [a-z][^`]*)`")


def named_in(path):
    """Commands in the text of a Markdown file, with a value for each word in capitals. A bare name of a command and a pattern
    ([VM|DISK], ...) are no examples."""
    text = re.sub(r"^    .*$", "", path.read_text(), flags=re.M)
    for found in INLINE.finditer(text):
        line = " ".join(found.group(1).split())
        if re.search(r"[\[\]|…]|\.\.\.", line):
            continue
        where = f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
        words = [STANDS_FOR.get(word, word) for word in shlex.split(line)[1:]]
        yield Example(where, "", " ".join(words).split() if "COMMAND" in line else words)


def shape(words):
    """What is asked, without what it is asked of: ("cluster add-node", {"--node", "--ip-address"}), however it is spelled."""
    options = {word.split("=")[0] for word in words if word.startswith("--")}
    names = [word for word in words if not word.startswith("-")]
    legacy = sorted(options & LEGACY)
    if legacy and words[1].startswith("--"):
        return f"{words[0]} {legacy[0][2:]}", options - {legacy[0]}
    if not names:
        return "", options
    one_word = names[0] in ("info", "migrate", "verify", "resync")
    return names[0] if one_word else " ".join(names[:2]), options


def not_run(examples, ran):
    """The examples that no list of words in `ran` asks for, with at least their options."""
    shapes = [shape(words) for words in ran]
    return [example for example in examples if not any(shape(example.words)[0] == name and shape(example.words)[1] <= options for name, options in shapes)]
