# SPDX-License-Identifier: Apache-2.0
"""The committed manual is what the command table and docs/operations.md make, reads as manual pages, and is installed."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from openapi import ROOT

PAGES = ROOT / "docs" / "man"
AGAIN = "make the manual anew: ninja -C build-dev manual"


def cli_table(*words):
    return subprocess.run([os.environ["CLI_TABLE"], *words], check=True, capture_output=True, text=True).stdout


def pages():
    return sorted(page for page in PAGES.iterdir() if re.fullmatch(r"\.\d", page.suffix))


class Manual(unittest.TestCase):
    def test_pages_of_commands_are_up_to_date(self):
        with tempfile.TemporaryDirectory(prefix="manual-") as directory:
            cli_table("manual", directory)
            made = {page.name: page.read_text() for page in pathlib.Path(directory).iterdir()}
        self.assertGreater(len(made), 8)
        committed = {page.name: page.read_text() for page in pages() if page.name.startswith("hvctl")}
        self.assertEqual(sorted(committed), sorted(made), AGAIN)
        for name, text in made.items():
            self.assertEqual(committed[name], text, f"{name}: {AGAIN}")

    def test_page_of_errors_is_up_to_date_and_has_each_code(self):
        made = subprocess.run([sys.executable, "-B", PAGES / "errors.py", os.environ["CLI_TABLE"]], check=True, capture_output=True, text=True).stdout
        self.assertEqual((PAGES / "mcv-errors.7").read_text(), made, AGAIN)
        codes = [line.split("\t")[0] for line in cli_table("errors").splitlines()]
        self.assertEqual(sorted(codes), sorted(name.replace("\\-", "-") for name in re.findall(r"^\.SS (\S+)$", made, re.M)))

    def test_each_section_of_the_runbook_says_what_is_safe_and_what_to_type(self):
        """What is unharmed in words that say so; what to type as a command in backticks."""
        safe = re.compile(r"\b(nothing|no (password|disk|write|request)|goes on|go on|runs? on|keeps? running|kept|undone|left alone|stands?|stays?|untouched|not touched|without it|as (it was|they were|before))\b", re.I)
        parts = re.split(r"^(##+ .*)$", (ROOT / "docs" / "operations.md").read_text(), flags=re.M)
        group_is_safe, wrong, seen = False, [], 0
        for title, text in zip(parts[1::2], parts[2::2]):
            if not title.startswith("### "):
                group_is_safe = bool(safe.search(text) or "both nodes as they were" in text)
                continue
            seen += 1
            text = " ".join(text.split())
            if not group_is_safe and not safe.search(text):
                wrong.append(f"{title}: what is safe?")
            if not re.search(r"`(hvctl|apt|systemctl|journalctl|drbd|lv|vgs|df|dmesg|ls|ip |ping|ssh|sudo|timedatectl|getent|modprobe|dpkg|lsof|namei|uname|--)", text):
                wrong.append(f"{title}: what to type?")
        self.assertGreater(seen, 60)
        self.assertEqual([], wrong)

    def test_every_command_is_in_the_overview_and_has_a_page(self):
        names = {line.split("\t")[0] for line in cli_table("options").splitlines()}
        overview = (PAGES / "hvctl.1").read_text().replace("\\-", "-")
        in_overview = {found for found in re.findall(r"^\\fBhvctl ([a-z -]+?)(?= [^a-z]|\\fR)", overview, re.M) if found in names}
        self.assertGreater(len(in_overview), 40)
        for word in {name.split()[0] for name in in_overview}:
            self.assertTrue((PAGES / f"hvctl-{word}.1").is_file(), word)
            self.assertIn(f"hvctl-{word} (1)", overview)

    def test_exit_codes_are_the_same_in_manual_runbook_and_code(self):
        manual = (PAGES / "hvctl.1").read_text()
        manual = re.findall(r"^\\fB(\d+)\\fR$", manual[manual.index(".SH EXIT STATUS"):], re.M)
        runbook = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "operations.md").read_text(), re.M)
        self.assertEqual(manual, runbook)
        self.assertLessEqual({line.split("\t")[2] for line in cli_table("errors").splitlines()}, set(manual))
        kinds = re.findall(r"^\| (\d+) \|.*?`?([a-z_]+)`? \|$", (ROOT / "docs" / "operations.md").read_text(), re.M)
        known = {tuple(line.split("\t")[1:]) for line in cli_table("errors").splitlines()}
        for status, kind in kinds:
            if any(kind == name for name, _ in known):
                self.assertIn((kind, status), known)

    def test_every_key_of_the_configuration_file_is_in_its_page(self):
        """Against the file that is shipped, in which every key stands as a comment."""
        shipped = re.findall(r"^#?\s*([a-z_]+) *=", (ROOT / "config" / "mcvd.toml").read_text(), re.M)
        page = re.findall(r"^\.B ([a-z_]+)$", (PAGES / "mcvd.toml.5").read_text(), re.M)
        self.assertEqual(sorted(shipped), sorted(page))

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_has_no_complaint(self):
        for page in pages():
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(page)], capture_output=True, text=True)
            self.assertEqual(done.stderr, "", page.name)

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_renders_every_page_without_a_warning(self):
        for page in pages():
            done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], capture_output=True, text=True,
                                  env={**os.environ, "MANROFFSEQ": "", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
            self.assertEqual((done.returncode, done.stderr), (0, ""), page.name)
            self.assertGreater(len(done.stdout), 500, page.name)

    def test_every_page_is_installed(self):
        made = pathlib.Path(os.environ["BUILD"], "cmake_install.cmake").read_text()
        for page in pages():
            self.assertIn(f"docs/man/{page.name}\"", made)
        for section in sorted({page.suffix[1:] for page in pages()}):
            self.assertIn(f"/usr/share/man/man{section}\" TYPE FILE".replace("/usr/", ""), made.replace("${CMAKE_INSTALL_PREFIX}/", ""), section)


if __name__ == "__main__":
    unittest.main()
