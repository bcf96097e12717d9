#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mcv-errors(7) on standard output, out of the sections of docs/operations.md and the table of codes.

    errors.py CLI_TABLE      the helper of the command table, which knows each code's exit status
"""
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "operations.md"
INTRODUCTION = """\
.\\" SPDX-License-Identifier: Apache-2.0
.\\" Made from docs/operations.md by docs/man/errors.py.
.TH MCV\\-ERRORS 7 "" "mcv" "mcv manual"
.SH NAME
mcv\\-errors \\- what the error codes of hvctl and of the API mean, and what helps
.SH DESCRIPTION
Every error of
.BR hvctl (1)
and of the API has a code in brackets, says what happened, what is safe, and what to type:
.PP
.nf
    error: the last verify of vm2\\-0 found differences in 2 ranges [verify\\-gate]
     safe: vm2 is stopped and stays so; both copies are kept
     next: hvctl drbd list
.fi
.PP
A code never changes its meaning: scripts may compare it (\\-o json, member \\(aqcode\\(aq). Three commands help nearly always,
in this order: \\fBhvctl info\\fR (what is, with warnings), \\fBhvctl op list\\fR (what is being done), \\fBjournalctl \\-u mcvd \\-n 50\\fR
(why). Sections that are named in quotes, "Two histories" say, are those of
.IR /usr/share/doc/mcv/operations.md .
"""
END = """\
.SH SEE ALSO
.BR hvctl (1),
.BR mcvd (8),
.I /usr/share/doc/mcv/operations.md
"""
MARKS = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti", "…": "...", "→": "\\(->"}


def plain(text):
    return "".join(MARKS.get(c, c) for c in text)


def inline(text):
    """`code` and **strong** become bold; [words](link) their words."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text)
    made = "".join(f"\\fB{plain(part.strip('`*'))}\\fR" if part[:1] in ("`", "*") and len(part) > 2 else plain(part) for part in parts)
    return "\\&" + made if made[:1] in (".", "'") else made


def table(lines):
    """The first column as a term, the others below it, each after its title."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    titles, made = rows[0], []
    for row in rows[2:]:
        made += [".TP", inline(row[0])]
        for title, cell in zip(titles[1:], row[1:]):
            made += [inline(f"{title}: {cell}."), ".br"]
        made.pop()
    return made + [".PP"]


def body(text):
    made = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            made += table(lines)
        elif lines[0].startswith("    "):
            made += [".nf", *("    " + plain(line.strip()) for line in lines), ".fi", ".PP"]
        elif lines[0].startswith("- "):
            for item in re.split(r"^- ", block, flags=re.M)[1:]:
                made += [".IP \\(bu 2", inline(" ".join(item.split()))]
            made.append(".PP")
        else:
            made += [inline(" ".join(block.split())), ".PP"]
    return made[:-1] if made[-1] == ".PP" else made


def page(errors, source):
    """`errors`: code -> exit status. The order is that of the document, whose sections tests/lint/error_codes.py holds to the codes."""
    made = []
    for chapter in re.split(r"^## ", source, flags=re.M)[1:]:
        title, _, rest = chapter.partition("\n")
        if not title.startswith("Error codes: "):
            continue
        before, *sections = re.split(r"^### ", rest, flags=re.M)
        made.append(f".SH {title.removeprefix('Error codes: ').upper()}")
        if before.strip():
            made += body(before)
        for section in sections:
            code, _, words = section.partition("\n")
            code = code.strip().strip("`")
            made += [f".SS {plain(code)}", f"Exit status {errors[code]}.", ".PP", *body(words)]
    return INTRODUCTION + "\n".join(made) + "\n" + END


def main():
    rows = subprocess.run([sys.argv[1], "errors"], check=True, capture_output=True, text=True).stdout.splitlines()
    sys.stdout.write(page({code: status for code, _, status in (row.split("\t") for row in rows)}, SOURCE.read_text()))


if __name__ == "__main__":
    main()
