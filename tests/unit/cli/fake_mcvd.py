# SPDX-License-Identifier: Apache-2.0
"""A socket that answers as a test tells it, and checks every request against config/openapi.json.

It knows nothing of clusters: only for how hvctl parses, renders and fails. The real daemon is in the integration tests.
"""
import base64
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

from openapi import Api

API = Api()

CONNECT_STRING = "mcv1:" + base64.urlsafe_b64encode(json.dumps(
    {"address": "10.77.0.12", "fingerprint": "a" * 64, "name": "B", "port": 8801, "token": "secret-token-012345", "version": "0.1.0"},
    separators=(",", ":")).encode()).decode().rstrip("=")
INFO = {"node": "A", "version": "0.1.0", "cluster_state": "single", "generation": 1, "index": 1, "hash": "", "format": 1, "peer": None, "nodes": [], "drbd": {"enabled": False},
        "vms": {"total": 0, "running": 0}, "hypervisors": [], "warnings": []}
CHECKS = {"suitable": True, "suitability": [{"check": "blank", "status": "pass", "text": "B is blank", "fix": ""},
                                            {"check": "clock-skew", "status": "warn", "text": "3 s apart", "fix": "timedatectl set-ntp true"}]}


class Answer:
    """status and JSON body; `raw` bytes are sent as they are instead of any answer, `events` as one chunk a line."""

    def __init__(self, status=200, body=None, raw=None, events=None, cut=False, hold=None, kind="application/json"):
        self.status, self.body, self.raw, self.events, self.cut, self.hold, self.kind = status, body, raw, events, cut, hold, kind


def problem(code, status, detail, safe="", next_command=""):
    return Answer(status, {"type": f"urn:mcv:error:{code}", "title": "conflict", "status": status, "detail": detail, "code": code, "safe": safe, "next": next_command})


def operation(state="running", percent=None, text="", steps=(), result=None, error=None, operation_id="A-17"):
    return {
        "id": operation_id, "kind": "start", "object": "vm1", "summary": "start vm1", "state": state, "started_wall": 1700000000,
        "steps": [{"action": action, "node": node, "state": step_state, "text": step_text} for action, node, step_state, step_text in steps],
        "progress": {"percent": percent, "text": text}, "result": result, "error": error,
    }


def started(**fields):
    return Answer(202, {"operation": operation(**fields)})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

    def handle_any(self):
        length = int(self.headers.get("Content-Length", 0))
        text = self.rfile.read(length)
        body = json.loads(text) if text else None
        fake = self.server.fake
        fake.requests.append((self.command, self.path, body))
        found = API.find(self.command, self.path)
        if found is None:
            fake.violations.append(f"{self.command} {self.path} is not in the API")
        else:
            schema = API.body_schema(found[1])
            if schema is not None and (body is not None or found[1]["requestBody"]["required"]):
                fake.violations += [f"{self.command} {self.path}: {one}" for one in API.errors(schema, body)]
            elif body is not None:
                fake.violations.append(f"{self.command} {self.path} has a body it must not have")
        answer = fake.next_answer(self.command, self.path)
        if callable(answer):
            return answer(self)
        self.send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def send(self, answer):
        self.close_connection = True
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            return
        if answer.events is not None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in answer.events:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            if answer.hold is not None:
                answer.hold.wait(20)
            if not answer.cut:
                self.wfile.write(b"0\r\n\r\n")
            return
        text = json.dumps(answer.body if answer.body is not None else {}).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_):
        pass  # a client that goes away is part of several tests


class FakeMcvd:
    """answers: {"GET /v1/vms": Answer or a list of them, used in order, the last one for ever}"""

    def __init__(self, path, answers):
        self.answers = {key: list(value) if isinstance(value, list) else [value] for key, value in answers.items()}
        self.requests, self.violations = [], []
        self.lock = threading.Lock()
        self.server = Server(str(path), Handler)
        self.server.fake = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def next_answer(self, method, target):
        with self.lock:
            exact = self.answers.get(f"{method} {target}")
            waiting = exact or self.answers.get(f"{method} {target.split('?')[0]}")
            if not waiting:
                return problem("not-found", 404, f"no answer for {method} {target}")
            if "dry_run=true" in target and not exact and isinstance(waiting[0], Answer):
                return waiting[0] if waiting[0].status >= 400 or "plan" in (waiting[0].body or {}) else Answer(body={"plan": []})  # refused as the change itself would be
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def changes(self):
        """(method, target) of what changes anything: neither a look nor a dry run."""
        return [(method, target) for method, target, _ in self.requests if method != "GET" and "dry_run=true" not in target]

    def bodies(self, method, path):
        """Of the changes asked for; dry runs are none."""
        return [body for known_method, target, body in self.requests if known_method == method and target.split("?")[0] == path and "dry_run=true" not in target]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def echo_console(first):
    """Answers an upgrade, sends `first`, then gives every byte back in upper case."""

    def answer(handler):
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcv-console\r\n\r\n" + first)
        handler.wfile.flush()
        while True:
            try:
                data = handler.connection.recv(4096)
            except OSError:
                return
            if not data:
                return
            handler.connection.sendall(data.upper())

    return answer
