# SPDX-License-Identifier: Apache-2.0
"""Every hvctl command that a message or a document tells the operator to type exists, with the options it is given."""
import os
import re
import subprocess
import unittest

from openapi import ROOT

# "hvctl" as the subject of a sentence, not a command.
PROSE = {"asks", "against", "names", "only", "follows", "itself", "reported", "on", "by", "there", "to", "is", "or", "and", "never", "in", "of", "talks", "prints", "from"}
GLOBAL = {"help", "-o", "-q", "-v", "-vv", "-h", "--help", "--quiet", "--yes", "--dry-run", "--wait", "--no-wait", "--version", "--output", "--verbose", "--no-color"}
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
COMMAND = re.compile(r"hvctl ((?:[^;,.()`'\"|\n\\]|\.\.\.)+)")
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]


def spellings():
    lines = subprocess.run([os.environ["CLI_TABLE"], "options"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: set(options.split()) for name, _, options in (line.partition("\t") for line in lines)}


def hints():
    """(where, words after hvctl), of string literals in the sources and of the documents."""
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".cpp", ".h", ".def"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.lstrip().startswith("//"):
                continue
            for literal in STRING.findall(line):
                for found in COMMAND.finditer(literal[1:-1]):
                    yield f"{path.relative_to(ROOT)}:{number}", found.group(1).split()
    for path in DOCUMENTS:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for found in COMMAND.finditer(line):
                yield f"{path.relative_to(ROOT)}:{number}", found.group(1).split()


def command_of(words, known):
    """The longest known spelling that the words begin with, or None."""
    for length in (3, 2, 1):
        if len(words) >= length and " ".join(words[:length]) in known:
            return " ".join(words[:length])
    return None


class Hints(unittest.TestCase):
    def test_name_commands_that_exist(self):
        known, wrong, seen = spellings(), [], 0
        nouns = {name.split()[0] for name in known}
        for where, words in hints():
            if words[0] in PROSE or not re.fullmatch(r"-?-?[a-z][a-z-]*", words[0]):
                continue
            seen += 1
            name = command_of(words, known)
            if name is None:
                if words[0] not in GLOBAL and not (words[0] in nouns and len(words) == 1):
                    wrong.append(f"{where}: there is no 'hvctl {' '.join(words[:2])}'")
                continue
            for word in words:
                if word.startswith("--") and word not in known[name] | GLOBAL and word not in name.split():
                    wrong.append(f"{where}: 'hvctl {name}' has no {word}")
        self.assertGreater(seen, 100, "the search finds the hints")
        self.assertEqual([], wrong)


if __name__ == "__main__":
    unittest.main()
