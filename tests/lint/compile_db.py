# SPDX-License-Identifier: Apache-2.0
"""Which files clang's tools look at, and with which arguments. Shared by coroutines.py and clang_tidy.py."""
import json
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
# GCC's own flags and the precompiled header are unknown to clang.
DROP_WITH_VALUE = {"-include", "-o", "-MF", "-MT", "-MQ"}
DROP = re.compile(r"^(-Winvalid-pch|-W.*|-MD|-MMD|-c|-fsanitize=.*|-fno-omit-frame-pointer|-fstack-protector.*|-g\d?|-O\d|-fuse-ld=.*)$")


def changed_files():
    def git(*arguments):
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True).stdout.split()
    head = git("rev-parse", "HEAD")
    base = git("merge-base", "HEAD", "origin/main") or git("merge-base", "HEAD", "main")
    if not base or base == head:
        base = ["HEAD~1"]  # on main itself: what the last commit brought
    names = set(git("diff", "--name-only", base[0])) | set(git("ls-files", "--others", "--exclude-standard"))
    return {str(ROOT / name) for name in names}


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
    if rest == ["--all"]:
        wanted = None
    elif rest:
        wanted = {str(pathlib.Path(name).resolve()) for name in rest}
    else:
        wanted = {name for name in changed_files() if name.endswith(".cpp")}
    chosen = []
    for entry in entries:
        path = pathlib.Path(entry["file"])
        if not path.is_file() or str(ROOT) not in str(path) or str(build.resolve()) in str(path):
            continue
        if wanted is None or str(path) in wanted:
            chosen.append(entry)
    return chosen
