#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which files clang's tools look at when nobody says which: in histories made for it."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import compile_db  # noqa: E402
from compile_db import MOST_COMMITS, MOST_FILES, changed_files, choose, singles_of  # noqa: E402


class History(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="mcv-history-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name, "work")
        self.root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("first.cpp")

    def git(self, *words):
        who = ["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=self.root, check=True, capture_output=True)

    def commit(self, *names):
        for name in names:
            path = self.root / name
            path.write_text(path.read_text() + "//\n" if path.exists() else "//\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", names[0])

    def changed(self):
        return changed_files(self.root)

    def test_on_main_what_came_lately_the_latest_first(self):
        for number in range(MOST_COMMITS):
            self.commit(f"{number}.cpp", "notes.md")
        names, label = self.changed()
        self.assertEqual([f"{number}.cpp" for number in reversed(range(MOST_COMMITS))], names)
        self.assertEqual(f"in the last {MOST_COMMITS} commits", label)

    def test_a_last_commit_without_code_hides_nothing(self):
        self.commit("a.cpp")
        self.commit("notes.md")
        self.assertEqual("a.cpp", self.changed()[0][0])

    def test_on_main_since_the_last_release(self):
        self.commit("a.cpp")
        self.git("tag", "v1")
        self.commit("b.cpp")
        self.assertEqual((["b.cpp"], "since v1"), self.changed())

    def test_on_a_branch_what_it_brings_and_what_is_not_committed(self):
        self.git("checkout", "-q", "-b", "other")
        self.commit("a.cpp")
        self.commit("b.cpp")
        (self.root / "first.cpp").write_text("changed\n")
        (self.root / "new.cpp").write_text("new\n")
        self.assertEqual((["first.cpp", "new.cpp", "b.cpp", "a.cpp"], "on this branch"), self.changed())

    def test_a_header_stands_for_its_source(self):
        self.git("checkout", "-q", "-b", "other")
        self.commit("a.h")
        self.assertEqual(["a.cpp"], self.changed()[0])

    def test_a_shallow_clone_does_not_call_everything_changed(self):
        self.commit("a.cpp")
        self.commit("b.cpp")
        for depth, expected in ((1, []), (2, ["b.cpp"])):
            copy = self.root.parent / f"copy{depth}"
            subprocess.run(["git", "clone", "-q", "--depth", str(depth), f"file://{self.root}", copy], check=True, capture_output=True)
            self.assertEqual(expected, changed_files(copy)[0])

    def test_without_git_nothing_is_known(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertEqual([], changed_files(empty)[0])


class Choice(unittest.TestCase):
    known = [f"{number:03}.cpp" for number in range(300)]

    def test_the_latest_and_it_says_how_many(self):
        changed = [name for name in reversed(self.known)]
        chosen, line = choose(self.known, ["gone.cpp", *changed], "lately")
        self.assertEqual(changed[:MOST_FILES], chosen)
        self.assertEqual(f"{MOST_FILES} of the 300 files changed lately, of 300 in all", line)

    def test_never_nothing(self):
        chosen, line = choose(self.known, ["notes.cpp"], "lately")
        self.assertTrue(0 < len(chosen) <= MOST_FILES)
        self.assertIn(f"a sample of {len(chosen)} of 300 files", line)

    def test_samples_of_all_commits_cover_every_file(self):
        seen = {name for salt in range(300) for name in choose(self.known, [], "lately", salt)[0]}
        self.assertEqual(set(self.known), seen)

    def test_nothing_is_compiled(self):
        self.assertEqual([], choose([], [], "lately")[0])


class Entries(unittest.TestCase):
    def test_this_tree_has_a_choice(self):
        names, _ = compile_db.changed_files()
        chosen, _ = choose([str(path.relative_to(compile_db.ROOT)) for path in compile_db.ROOT.glob("src/**/*.cpp")], names, "lately")
        self.assertTrue(chosen)


class Unity(unittest.TestCase):
    def test_a_unity_file_stands_for_its_sources(self):
        with tempfile.TemporaryDirectory(prefix="mcv-unity-") as scratch:
            unity = pathlib.Path(scratch, "Unity", "unity_0_cxx.cxx")
            unity.parent.mkdir()
            unity.write_text('/* generated */\n#include "/tree/a.cpp"\n#include "/tree/b.cpp"\n')
            found = singles_of({"directory": "/tree", "file": str(unity), "command": f"c++ -DX=1 -o x.o -c {unity}"})
        self.assertEqual([("/tree/a.cpp", "c++ -DX=1 -o x.o -c /tree/a.cpp"), ("/tree/b.cpp", "c++ -DX=1 -o x.o -c /tree/b.cpp")], [(entry["file"], entry["command"]) for entry in found])

    def test_other_entries_stay(self):
        entry = {"directory": "/tree", "file": "/tree/a.cpp", "command": "c++ -c /tree/a.cpp"}
        self.assertEqual([entry], singles_of(entry))


if __name__ == "__main__":
    unittest.main()
