#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes go the way the CMake link lines say, and only that way.

A module is a folder under src/ (or tests/sim) with mcv_module() or add_library()/add_executable() in its CMakeLists.txt.
Its LINKS line, followed through, is what it may include. Also checks that the modules have no cycle, and the house
rules on headers: which Asio headers and which system calls may appear where.
"""
import pathlib
import posixpath
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
SUFFIXES = {".h", ".cpp"}

# Everything else asks the host interfaces (DESIGN 3, architecture: coroutine rule 10).
EDGE = ("daemon", "cli")
EDGE_HEADERS = re.compile(
    r"^(boost/asio/(io_context|steady_timer|system_timer|detached|posix|local|ip/(?!address)|ssl|signal_set|thread_pool)|boost/beast|corosync/|libssh/|sqlite3|systemd/|sys/|unistd\.h|fcntl\.h|spawn\.h|netdb\.h|thread$|mutex$|future$|filesystem$|fstream$)"
)
# Small programs of their own, run by the kernel, that are not part of the daemon.
OWN_PROGRAMS = ("storage/drbd/helper/", "cluster/membership/corosync_", "cluster/peer/ssh_")
BANNED_CODE = [
    (re.compile(r"\bdetached\b"), "detached swallows exceptions; use TaskGroup::spawn", ("cli",)),
    (re.compile(r"\bstd::this_thread::sleep|\busleep\(|\bnanosleep\("), "wait on the clock of the host, or for a condition", ()),
    (re.compile(r"\bstd::system\(|[^_\w.>:]system\(|\bpopen\("), "no shell: argv through host::Processes", ()),
    (re.compile(r"\bsteady_clock::now\(|\bsystem_clock::now\(|\bclock_gettime\("), "time comes from host::Clock", EDGE),
    (re.compile(r"\bstd::random_device|\bgetrandom\(|[^_\w]rand\("), "chance comes from host::Random", EDGE),
    (re.compile(r"\bstd::mutex\b|\bstd::lock_guard\b"), "one thread decides; the pool is in daemon/host", EDGE),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def strip_comments(text):
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)


def read_modules():
    """target -> (folder, direct links); a folder may hold several targets."""
    modules = {}
    for path in sorted(SOURCE.rglob("CMakeLists.txt")):
        folder = path.parent.relative_to(SOURCE).as_posix()
        text = re.sub(r"#[^\n]*", "", path.read_text())
        for call in re.finditer(r"mcv_module\(\s*([\w-]+)(.*?)\)", text, re.S):
            links = re.search(r"\bLINKS\b(.*)", call.group(2), re.S)
            words = links.group(1).split() if links else []
            sources = re.search(r"\bSOURCES\b(.*?)(?:\bLINKS\b|$)", call.group(2), re.S)
            modules[call.group(1)] = [folder, set(words), sources.group(1).split() if sources else []]
        for call in re.finditer(r"add_(?:executable|library)\(\s*([\w-]+)(.*?)\)", text, re.S):
            modules.setdefault(call.group(1), [folder, set(), [w for w in call.group(2).split() if w.endswith(".cpp")]])
        for call in re.finditer(r"target_link_libraries\(\s*([\w-]+)(.*?)\)", text, re.S):
            if call.group(1) in modules:
                modules[call.group(1)][1] |= {w for w in call.group(2).split() if w not in ("PUBLIC", "PRIVATE", "INTERFACE")}
    return modules


def closure(modules, target):
    seen, todo = set(), [target]
    while todo:
        for link in modules.get(todo.pop(), ("", (), ()))[1]:
            if link in modules and link not in seen:
                seen.add(link)
                todo.append(link)
    return seen


def main():
    problems = []
    modules = read_modules()
    for target in modules:
        if target in closure(modules, target):
            problems.append(f"CMake: {target} links to itself in a circle")

    # A file belongs to the targets that list it; a header to those of the .cpp of its name, else of its folder, else to
    # the deepest folder above it that has a target.
    owners, in_folder, at_folder = {}, {}, {}
    for target, (folder, _, sources) in modules.items():
        at_folder.setdefault(folder, set()).add(target)
        for source in sources:
            file = posixpath.normpath(posixpath.join(folder, source))
            owners.setdefault(file, set()).add(target)
            in_folder.setdefault(posixpath.dirname(file), set()).add(target)

    def owners_of(relative):
        stem = posixpath.splitext(relative)[0]
        if relative in owners or stem + ".cpp" in owners:
            return owners.get(relative, set()) | owners.get(stem + ".cpp", set())
        folder = posixpath.dirname(relative)
        if folder in in_folder:
            return in_folder[folder]
        while folder and folder not in at_folder:
            folder = posixpath.dirname(folder)
        return at_folder.get(folder, set())

    reach = {target: closure(modules, target) | {target} for target in modules}

    def is_leaf(header):
        """Constants shared with a small program: it includes nothing of ours."""
        return not re.search(r'^\s*#\s*include\s*"', (SOURCE / header).read_text(), re.M)

    for path in sorted(SOURCE.rglob("*")):
        if path.suffix not in SUFFIXES:
            continue
        relative = path.relative_to(SOURCE).as_posix()
        mine = owners_of(relative)
        text = path.read_text()
        at_edge = relative.startswith(EDGE) or relative.startswith(OWN_PROGRAMS)
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(2)
            where = f"src/{relative}:{number}"
            if match.group(1) == '"':
                if not (SOURCE / header).is_file():
                    if (path.parent / header).is_file():
                        problems.append(f"{where}: include \"{header}\" by its path under src/")
                    continue  # error_codes.def and generated files are found by the compiler
                theirs = owners_of(header)
                below = header.startswith(posixpath.dirname(relative) + "/") and is_leaf(header)
                if mine and theirs and not below and not any(reach[target] & theirs for target in mine):
                    problems.append(f"{where}: {'/'.join(sorted(mine))} may not include {header}: add {'/'.join(sorted(theirs))} to its LINKS, or ask whether the arrow is right")
            elif not at_edge and EDGE_HEADERS.match(header):
                problems.append(f"{where}: <{header}> belongs behind a host interface (src/daemon/host)")
        code = strip_comments(text)
        for number, line in enumerate(code.splitlines(), 1):
            for pattern, reason, except_in in BANNED_CODE:
                if pattern.search(line) and not (except_in and at_edge) and not relative.startswith(OWN_PROGRAMS):
                    problems.append(f"src/{relative}:{number}: {reason}")

    for problem in problems:
        print(problem)
    print(f"{len(modules)} modules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
