#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Coroutine lint: runs coroutines.query over files of a compilation database.

  coroutines.py BUILD_DIR            files changed against origin/main, on main itself those of the last commit (and uncommitted ones)
  coroutines.py BUILD_DIR --all      every file that mentions co_await or co_return
  coroutines.py BUILD_DIR FILE…      these
  coroutines.py --self-test          the query finds each of its known bad statements and none of the good ones
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from compile_db import ROOT, arguments_of, chosen_entries

QUERY = pathlib.Path(__file__).resolve().parent / "coroutines.query"
TOOL = os.environ.get("CLANG_QUERY", "clang-query-14")
FINDING = re.compile(r'^(.*?):(\d+):(\d+): note: "root" binds here')


def ask(folder, entry):
    return entry, subprocess.run([TOOL, "-p", folder, "-f", str(QUERY), entry["file"]], capture_output=True, text=True)


def check(entries):
    findings = set()
    with tempfile.TemporaryDirectory() as folder:
        database = [{"directory": e["directory"], "file": e["file"], "arguments": arguments_of(e)} for e in entries]
        (pathlib.Path(folder) / "compile_commands.json").write_text(json.dumps(database))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            answers = list(pool.map(lambda entry: ask(folder, entry), entries))
        for entry, done in answers:
            if "error:" in done.stdout + done.stderr:
                lines = [line for line in (done.stdout + done.stderr).splitlines() if "error:" in line]
                print(f"{entry['file']}: clang could not read it: {lines[0]}")
                findings.add((entry["file"], 0, "unreadable"))
            for line in done.stdout.splitlines():
                match = FINDING.match(line)
                if match and (str(ROOT) in match.group(1) or match.group(1) == entry["file"]):
                    findings.add((match.group(1), int(match.group(2)), "co_await in one statement with a lambda, braces or ?:"))
    return findings


BAD = {
    "lambda": "co_await f([copy] { return copy.size(); });",
    "designated": "co_await g(Options{.name = copy});",
    "braces": "co_await g({copy});",
    "pair of awaits": "Pair p{co_await h(), co_await h()}; (void)p;",
    "conditional": "std::string t = copy.empty() ? co_await h() : std::string(\"x\"); (void)t;",
}
GOOD = {
    "named lambda": "auto work = [copy] { return copy.size(); }; co_await f(std::move(work));",
    "named options": "Options options{copy}; co_await g(std::move(options));",
    "if": "if (copy == co_await h()) { co_return; }",
    "declaration": "std::string a = co_await h(); std::string b = co_await h(); Pair p{a, b}; (void)p;",
}
FRAME = """#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
struct Options {{ std::string name; }};
struct Pair {{ std::string a, b; }};
boost::asio::awaitable<void> f(std::function<std::size_t()>);
boost::asio::awaitable<void> g(Options);
boost::asio::awaitable<std::string> h();
boost::asio::awaitable<void> one(std::string copy) {{ {body} co_return; }}
"""


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, cases in (("bad", BAD), ("good", GOOD)):
            for name, body in cases.items():
                path = pathlib.Path(folder) / "case.cpp"
                path.write_text(FRAME.format(body=body))
                found = check([{"directory": folder, "file": str(path), "arguments": ["clang++", "-std=c++20", "-DBOOST_ASIO_NO_DEPRECATED", str(path)]}])
                unreadable = any(f[2] == "unreadable" for f in found)
                if unreadable or bool(found) != (kind == "bad"):
                    wrong.append(f"{kind} statement '{name}': {'found' if found else 'not found'}")
    for line in wrong:
        print(line)
    print(f"{len(BAD) + len(GOOD)} statements, {len(wrong)} wrong")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    chosen = [entry for entry in chosen_entries(sys.argv[1:]) if re.search(r"\bco_(await|return)\b", pathlib.Path(entry["file"]).read_text())]
    findings = check(chosen)
    for path, line, what in sorted(findings):
        print(f"{path}:{line}: {what}")
    print(f"{len(chosen)} files, {len(findings)} problems")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
