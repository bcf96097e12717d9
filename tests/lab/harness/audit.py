# SPDX-License-Identifier: Apache-2.0
"""What must never happen, looked for after every lab test whatever the test was about.

A check is a function without arguments that returns a list of findings (text). Tests and later parts of the product add
their own by `auditor.add(name, check)`; the ones here need no knowledge of the product.
"""

import json


def double_runs(reports):
    """Findings where two boots of one VM were heard in turns: boot X, then Y, then X again."""
    findings = []
    ended, current = {}, {}
    for report in reports:
        boot = current.get(report.vm)
        if boot == report.boot:
            continue
        if boot is not None:
            ended.setdefault(report.vm, set()).add(boot)
        if report.boot in ended.get(report.vm, ()):
            findings.append(f"{report.vm} ran twice: boot {report.boot} was heard again after {boot}")
            ended[report.vm].discard(report.boot)
        current[report.vm] = report.boot
    return findings


def lost_records(name, acknowledged, records):
    """Findings for a guest's disk: records is the parsed output of the `records` tool, acknowledged the highest `record N` seen."""
    findings = []
    if records["consecutive"] < acknowledged:
        findings.append(f"{name}: record {acknowledged} was acknowledged, the disk has {records['consecutive']}")
    if records["beyond"]:
        findings.append(f"{name}: {records['beyond']} records after a gap at {records['consecutive'] + 1}")
    if records["mixed"]:
        findings.append(f"{name}: records of two boots are mixed: {json.dumps(records['boots'])}")
    return findings


class Auditor:
    """The always-on checks of one lab."""

    def __init__(self):
        self._checks = {}

    def add(self, name, check):
        self._checks[name] = check

    def watch(self, collector):
        self.add("double runs", lambda: double_runs(list(collector.reports)))

    def findings(self):
        return [f"{name}: {finding}" for name, check in self._checks.items() for finding in check()]
