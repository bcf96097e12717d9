#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs QMP commands: qmp.py SOCKET COMMAND [JSON-ARGUMENTS] [COMMAND [JSON-ARGUMENTS]]... prints each answer as JSON."""

import json
import socket
import sys


def answer_of(stream):
    """The next line that is an answer; events are skipped."""
    for line in stream:
        message = json.loads(line)
        if "return" in message or "error" in message:
            return message
    raise SystemExit("qmp: connection closed")


def main(path, words):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(120)
    connection.connect(path)
    stream = connection.makefile("rw", encoding="utf-8")
    stream.readline()  # greeting
    commands = [{"execute": "qmp_capabilities"}]
    for word in words:
        if word.startswith("{"):
            commands[-1]["arguments"] = json.loads(word)
        else:
            commands.append({"execute": word})
    for command in commands:
        stream.write(json.dumps(command) + "\n")
        stream.flush()
        answer = answer_of(stream)
        if "error" in answer:
            raise SystemExit(f"qmp: {command['execute']}: {answer['error']['desc']}")
        if command["execute"] != "qmp_capabilities":
            print(json.dumps(answer["return"]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
