# SPDX-License-Identifier: Apache-2.0
"""Which files clang's tools look at, and with which arguments. Shared by coroutines.py and clang_tidy.py.

  compile_db.py BUILD_DIR     says which files a run without arguments looks at
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# GCC's own flags and the precompiled header are unknown to clang.
DROP_WITH_VALUE = {"-include", "-o", "-MF", "-MT", "-MQ"}
DROP = re.compile(r"^(-Winvalid-pch|-W.*|-MD|-MMD|-c|-fsanitize=.*|-fno-omit-frame-pointer|-fstack-protector.*|-g\d?|-O\d|-fuse-ld=.*)$")


# What a run without arguments looks at: minutes, not an hour. All files: tests/run.sh tidy
MOST_FILES = 8
MOST_COMMITS = 30


def git(*arguments, root=ROOT):
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True).stdout.split()


def recent_range(root):
    """(arguments of git log, their name): on a branch what it brings, on main what came since the last release or lately."""
    head = git("rev-parse", "HEAD", root=root)
    base = git("merge-base", "HEAD", "origin/main", root=root) or git("merge-base", "HEAD", "main", root=root)
    if base and base != head:
        return [f"{base[0]}..HEAD"], "on this branch"
    tag = git("describe", "--tags", "--abbrev=0", "HEAD~1", root=root)
    if tag:
        return [f"{tag[0]}..HEAD"], f"since {tag[0]}"
    return [f"--max-count={MOST_COMMITS}"], f"in the last {MOST_COMMITS} commits"


def sources_of(names):
    """The .cpp files among them, and those that headers among them belong to; each once."""
    found = (name[: -len(".h")] + ".cpp" if name.endswith(".h") else name for name in names)
    return list(dict.fromkeys(name for name in found if name.endswith(".cpp")))


def changed_files(root=ROOT):
    """(names of sources, the latest change first; where the changes are)"""
    where, label = recent_range(root)
    # The oldest commit of a shallow clone seems to bring every file: it says nothing.
    shallow = git("rev-parse", "--git-path", "shallow", root=root)
    grafts = pathlib.Path(root, shallow[0]) if shallow else None
    ends = grafts.read_text().split() if grafts and grafts.is_file() else []
    commits = [commit for commit in git("log", "--no-merges", "--format=%H", *where, root=root) if commit not in ends]
    names = git("diff", "--name-only", "HEAD", root=root) + git("ls-files", "--others", "--exclude-standard", root=root)
    if commits:
        names += git("log", "--no-walk=unsorted", "--no-merges", "--format=", "--name-only", *commits, root=root)
    return sources_of(names), label


def choose(known, changed, label, salt=0):
    """(files to look at, one line that says which). known: every file that is compiled, changed: names, the latest first."""
    present = [name for name in changed if name in set(known)]
    if not present:
        # No history here (a shallow clone, an archive), or nothing compiled was changed: an even sample, another for another commit.
        every = sorted(known)
        step = max(1, -(-len(every) // MOST_FILES))
        chosen = every[salt % step :: step]
        return chosen, f"no compiled file is known to have changed {label}: a sample of {len(chosen)} of {len(every)} files"
    chosen = present[:MOST_FILES]
    return chosen, f"{len(chosen)} of the {len(present)} files changed {label}, of {len(known)} in all"


def arguments_of(entry):
    words = entry["arguments"] if "arguments" in entry else shlex.split(entry["command"])
    kept, skip = [], False
    # A launcher (ccache, cmake -E env) stands in front of the compiler.
    begin = next((i for i, w in enumerate(words) if re.search(r"(\+\+|clang|gcc|cc)(-\d+)?$", w) and not w.endswith("ccache")), 0)
    for word in words[begin + 1:]:
        if skip:
            skip = False
        elif word in DROP_WITH_VALUE:
            skip = True
        elif not DROP.match(word) and word != entry["file"]:
            kept.append(word)
    return ["clang++", *kept, "-Wno-everything", "-c", entry["file"]]


def chosen_entries(words):
    """Entries of the compilation database for BUILD_DIR [--all | FILE…]; without a choice, of the changed files."""
    build = pathlib.Path(words[0])
    entries = json.loads((build / "compile_commands.json").read_text())
    rest = words[1:]
    entries = [single for entry in entries for single in singles_of(entry)]
    mine = [entry for entry in entries if is_source(pathlib.Path(entry["file"]), build)]
    if rest == ["--all"]:
        return mine
    if rest:
        wanted = {str(pathlib.Path(name).resolve()) for name in rest}
    else:
        names, line = choose_now(mine)
        wanted = {str(ROOT / name) for name in names}
        print(line)
    return [entry for entry in mine if entry["file"] in wanted]


UNITY = re.compile(r'^#include "(.+\.cpp)"$', re.MULTILINE)


def singles_of(entry):
    """The sources of a unity build's file, each with its command; any other entry as it is."""
    path = pathlib.Path(entry["file"])
    if path.parent.name != "Unity":
        return [entry]
    command = entry.get("command") or shlex.join(entry["arguments"])
    rest = {key: value for key, value in entry.items() if key not in ("arguments", "output")}
    return [{**rest, "file": source, "command": command.replace(entry["file"], source)} for source in UNITY.findall(path.read_text())]


def is_source(path, build):
    return path.is_file() and str(ROOT) in str(path) and str(build.resolve()) not in str(path)


def choose_now(entries):
    changed, label = changed_files()
    known = [str(pathlib.Path(entry["file"]).relative_to(ROOT)) for entry in entries]
    head = git("rev-parse", "--short=6", "HEAD")
    return choose(known, changed, label, int(head[0], 16) if head else 0)


if __name__ == "__main__":
    chosen_entries(sys.argv[1:2])
