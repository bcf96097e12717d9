# SPDX-License-Identifier: Apache-2.0
"""The ssh part of the join against a real sshd on loopback.

Users, passwords and sudo rules are bind mounts in a mount namespace of this process: the machine keeps its own. Needs root.
"""
import contextlib
import ctypes
import os
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from fake_mcvd import CHECKS, CONNECT_STRING, INFO, Answer, FakeMcvd, operation, started
from terminal import Pty

HVCTL = os.environ["HVCTL"]
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
USER, USER_PASSWORD, ROOT_PASSWORD = "mcvjoin", "user-planted-4711", "root-planted-0815"
WORK = None  # the module's directory, readable for the test user


def missing():
    """Why these tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("ssh-keygen", "ssh-agent", "ssh-add", "sudo", "openssl", "mount"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    return None if SSHD else "sshd is not installed (package openssh-server)"


def run(*argv, **options):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **options).stdout.strip()


def hashed(password):
    return run("openssl", "passwd", "-6", "-stdin", input=password + "\n")


def replace_file(path, text, mode=0o644):
    """`path` shows `text` in this process's mount namespace."""
    copy = WORK / ("etc" + path.replace("/", "_"))
    copy.write_text(text)
    copy.chmod(mode)
    run("mount", "--bind", str(copy), path)


def make_accounts():
    home = WORK / "home"
    for name in ("root", USER):
        (home / name).mkdir(parents=True)
    os.chown(home / USER, 4711, 4711)
    passwd = pathlib.Path("/etc/passwd").read_text().splitlines()
    passwd = [f"root:x:0:0:root:{home}/root:/bin/sh" if line.startswith("root:") else line for line in passwd]
    replace_file("/etc/passwd", "\n".join([*passwd, f"{USER}:x:4711:4711::{home}/{USER}:/bin/sh", ""]))
    replace_file("/etc/group", pathlib.Path("/etc/group").read_text() + f"{USER}:x:4711:\n")
    shadow = [line for line in pathlib.Path("/etc/shadow").read_text().splitlines() if not line.startswith("root:")]
    replace_file("/etc/shadow", "\n".join([f"root:{hashed(ROOT_PASSWORD)}:19000:0:99999:7:::", *shadow, f"{USER}:{hashed(USER_PASSWORD)}:19000:0:99999:7:::", ""]), 0o640)
    sudo_rule("")


def sudo_rule(tag):
    text = f'Defaults env_reset\nDefaults lecture=never\nDefaults secure_path="{WORK}/bin:/usr/bin:/bin"\nroot ALL=(ALL) ALL\n{USER} ALL=(ALL) {tag}ALL\n'
    with contextlib.suppress(subprocess.CalledProcessError):
        run("umount", "/etc/sudoers")
    replace_file("/etc/sudoers", text, 0o440)


def setUpModule():
    global WORK
    why = missing()
    if why:
        raise unittest.SkipTest(f"SKIPPED: the join over ssh was NOT tested: {why}")
    if ctypes.CDLL(None, use_errno=True).unshare(0x00020000) != 0:  # CLONE_NEWNS
        raise unittest.SkipTest("SKIPPED: the join over ssh was NOT tested: no mount namespace may be made here")
    run("mount", "--make-rprivate", "/")
    WORK = pathlib.Path(tempfile.mkdtemp(prefix="mcv-join-"))
    WORK.chmod(0o755)
    pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    make_accounts()
    for name in ("host", "other", "client"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(WORK / name))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(WORK / "locked"))
    (WORK / "authorized").write_text((WORK / "client.pub").read_text() + (WORK / "locked.pub").read_text())
    (WORK / "bin").mkdir()


def tearDownModule():
    if WORK:
        for path in ("/etc/sudoers", "/etc/shadow", "/etc/group", "/etc/passwd"):
            with contextlib.suppress(subprocess.CalledProcessError):
                run("umount", path)
        shutil.rmtree(WORK, ignore_errors=True)


def fingerprint(name="host"):
    return run("ssh-keygen", "-lf", str(WORK / f"{name}.pub")).split()[1]


class Sshd:
    def __init__(self, *lines):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = WORK / f"sshd-{self.port}"
        config.write_text("\n".join([f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {WORK}/host", f"PidFile {WORK}/pid-{self.port}",
                                     f"AuthorizedKeysFile {WORK}/authorized", "StrictModes no", "UsePAM no", "UseDNS no", "LogLevel ERROR",
                                     f"SetEnv PATH={WORK}/bin:/usr/bin:/bin", *lines, ""]))
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"sshd did not start: {self.process.stderr.read()}") from None
                pause()

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stderr.close()


def pause():
    """Between two looks at a condition that has a deadline."""
    select.select([], [], [], 0.05)


class SshCase(unittest.TestCase):
    def setUp(self):
        self.remote_hvctl(f"""[ "$*" = "cluster get-connect-string --ip-address 127.0.0.1 -o json" ] || {{ echo "wrong: $*" >&2; exit 99; }}
[ "$(id -u)" = 0 ] || {{ echo "not root" >&2; exit 98; }}
echo '{{"connect_string":"{CONNECT_STRING}","expires_seconds":600}}'""")
        self.directory = tempfile.TemporaryDirectory(prefix="hvctl-")
        self.addCleanup(self.directory.cleanup)
        self.socket = str(pathlib.Path(self.directory.name) / "s")
        self.fake = FakeMcvd(self.socket, {"GET /v1/info": Answer(body=INFO), "POST /v1/cluster/add-node": [Answer(body=CHECKS), started()],
                                           "GET /v1/operations/A-17/events": Answer(events=[operation("succeeded")])})
        self.addCleanup(self.fake.close)
        os.environ.pop("SSH_AUTH_SOCK", None)
        sudo_rule("")

    def remote_hvctl(self, script):
        path = WORK / "bin" / "hvctl"
        path.unlink(missing_ok=True)
        if script is not None:
            path.write_text("#!/bin/sh\n" + script + "\n")
            path.chmod(0o755)

    def sshd(self, *lines):
        server = Sshd(*lines)
        self.addCleanup(server.close)
        return server.port

    def command(self, port, *words, trust=True):
        trusted = ["--fingerprint", fingerprint()] if trust else []
        return [HVCTL, "--socket", self.socket, "cluster", "add-node", "--node", "B", "--ip-address", "127.0.0.1", "--ssh-port", str(port), "--known-hosts", f"{WORK}/known",
                *trusted, *words]

    def join(self, port, *words, password=None, expect=0, code=None, trust=True):
        if password is not None:
            words = (*words, "--password-stdin")
        done = subprocess.run(self.command(port, *words, trust=trust), input=(password + "\n") if password is not None else "", capture_output=True, text=True, timeout=60,
                              start_new_session=True)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        if code:
            self.assertIn(f"[{code}]", done.stderr.replace("\n", " "))
            self.assertIn("safe:", done.stderr)
            self.assertIn("next:", done.stderr)
            self.assertEqual(self.fake.bodies("POST", "/v1/cluster/add-node"), [])
        for secret in (USER_PASSWORD, ROOT_PASSWORD, CONNECT_STRING[10:50]):
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done

    def assert_joined(self):
        self.assertEqual(self.fake.violations, [])
        self.assertEqual([body["connect_string"] for body in self.fake.bodies("POST", "/v1/cluster/add-node")], [CONNECT_STRING] * 2)


class Keys(SshCase):
    def test_identity_file(self):
        self.join(self.sshd("PermitRootLogin prohibit-password"), "--identity", str(WORK / "client"))
        self.assert_joined()

    def test_key_of_the_agent(self):
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(WORK / "agent")], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait, 10)
        self.addCleanup(agent.terminate)
        deadline = time.monotonic() + 10
        while not (WORK / "agent").exists() and time.monotonic() < deadline:
            pause()
        os.environ["SSH_AUTH_SOCK"] = str(WORK / "agent")
        self.addCleanup(os.environ.pop, "SSH_AUTH_SOCK", None)
        run("ssh-add", str(WORK / "client"))
        self.join(self.sshd("PermitRootLogin prohibit-password"))
        self.assert_joined()

    def test_locked_key_asks_for_its_passphrase_without_echo(self):
        terminal = Pty(self.command(self.sshd("PermitRootLogin prohibit-password"), "--identity", str(WORK / "locked")))
        terminal.read_until(b"Passphrase of ")
        terminal.type(b"a passphrase\n")
        code, text = terminal.end(30)
        self.assertEqual(code, 0, text)
        self.assertNotIn(b"a passphrase", text)
        self.assert_joined()

    def test_no_key_and_nobody_to_ask(self):
        self.join(self.sshd(), "--user", USER, expect=3, code="login-refused")


class Passwords(SshCase):
    def test_root_where_the_server_allows_it(self):
        self.join(self.sshd("PermitRootLogin yes"), password=ROOT_PASSWORD)
        self.assert_joined()

    def test_debians_default_is_recognised(self):
        done = self.join(self.sshd("PermitRootLogin prohibit-password"), password=ROOT_PASSWORD, expect=3, code="root-login-refused")
        for way_out in ("--identity", "--user", "--connect-string"):
            self.assertIn(way_out, done.stderr)

    def test_no_passwords_at_all(self):
        done = self.join(self.sshd("PermitRootLogin yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no"), password=ROOT_PASSWORD, expect=3, code="root-login-refused")
        self.assertIn("takes no password from root", done.stderr.replace("\n        ", " "))
        self.join(self.sshd("PasswordAuthentication no", "KbdInteractiveAuthentication no"), "--user", USER, password=USER_PASSWORD, expect=3, code="login-refused")

    def test_wrong_password(self):
        self.join(self.sshd(), "--user", USER, password="wrong", expect=3, code="wrong-password")
        self.join(self.sshd("PermitRootLogin yes"), password="wrong", expect=3, code="root-login-refused")

    def test_asked_for_at_the_terminal_without_echo(self):
        terminal = Pty(self.command(self.sshd("PermitRootLogin yes")))
        terminal.read_until(b"Password of root@127.0.0.1: ")
        terminal.type(ROOT_PASSWORD.encode() + b"\n")
        code, text = terminal.end(30)
        self.assertEqual(code, 0, text)
        self.assertNotIn(ROOT_PASSWORD.encode(), text)
        self.assert_joined()

    def test_ctrl_c_at_the_question_restores_the_echo(self):
        terminal = Pty(self.command(self.sshd("PermitRootLogin yes")))
        before = terminal.settings()
        terminal.read_until(b"Password of root@127.0.0.1: ")
        self.assertNotEqual(terminal.settings(), before)
        terminal.type(b"\x03")
        terminal.read_until(b"cancelled")
        self.assertEqual(terminal.settings(), before)
        self.assertEqual(terminal.end()[0], 5)


class Sudo(SshCase):
    def test_with_the_login_password(self):
        self.join(self.sshd(), "--user", USER, password=USER_PASSWORD)
        self.assert_joined()

    def test_without_one_where_sudo_needs_none(self):
        sudo_rule("NOPASSWD: ")
        self.join(self.sshd(), "--user", USER, "--identity", str(WORK / "client"))
        self.assert_joined()

    def test_needs_a_password_and_nobody_to_ask(self):
        self.join(self.sshd(), "--user", USER, "--identity", str(WORK / "client"), expect=3, code="sudo-refused")

    def test_asks_at_the_terminal(self):
        terminal = Pty(self.command(self.sshd(), "--user", USER, "--identity", str(WORK / "client")))
        terminal.read_until(f"Password of {USER} for sudo".encode())
        terminal.type(USER_PASSWORD.encode() + b"\n")
        code, text = terminal.end(30)
        self.assertEqual(code, 0, text)
        self.assert_joined()


class HostKeys(SshCase):
    def known(self, name, port):
        (WORK / "known").write_text(f"[127.0.0.1]:{port} {(WORK / (name + '.pub')).read_text()}")
        self.addCleanup((WORK / "known").unlink, True)

    def test_unknown(self):
        done = self.join(self.sshd("PermitRootLogin yes"), password=ROOT_PASSWORD, trust=False, expect=3, code="host-key-unknown")
        self.assertIn(fingerprint(), done.stderr.replace("\n        ", ""))

    def test_yes_does_not_accept_it(self):
        self.join(self.sshd("PermitRootLogin yes"), "--yes", password=ROOT_PASSWORD, trust=False, expect=3, code="host-key-unknown")

    def test_known(self):
        port = self.sshd("PermitRootLogin yes")
        self.known("host", port)
        self.join(port, password=ROOT_PASSWORD, trust=False)
        self.assert_joined()

    def test_changed(self):
        port = self.sshd("PermitRootLogin yes")
        self.known("other", port)
        done = self.join(port, password=ROOT_PASSWORD, trust=False, expect=3, code="host-key-mismatch")
        self.assertIn("no password was sent", done.stderr)

    def test_not_the_fingerprint_given(self):
        self.join(self.sshd("PermitRootLogin yes"), "--fingerprint", fingerprint("other"), password=ROOT_PASSWORD, trust=False, expect=3, code="host-key-mismatch")

    def test_confirmed_at_the_terminal(self):
        terminal = Pty(self.command(self.sshd("PermitRootLogin prohibit-password"), "--identity", str(WORK / "client"), trust=False), columns=200)
        terminal.read_until(b"(yes/no)? ")
        self.assertIn(fingerprint().encode(), terminal.text)
        terminal.type(b"yes\n")
        code, text = terminal.end(30)
        self.assertEqual(code, 0, text)
        self.assert_joined()


class OtherSide(SshCase):
    def test_not_installed(self):
        self.remote_hvctl(None)
        self.join(self.sshd(), "--identity", str(WORK / "client"), expect=6, code="mcv-not-installed")
        self.join(self.sshd(), "--user", USER, password=USER_PASSWORD, expect=6, code="mcv-not-installed")

    def test_mcvd_not_running(self):
        self.remote_hvctl(f'exec {HVCTL} --socket {WORK}/nothing "$@"')  # the real binary's own words
        done = self.join(self.sshd(), "--identity", str(WORK / "client"), expect=7, code="daemon-unreachable")
        self.assertIn("mcvd is not running on 127.0.0.1", done.stderr)

    def test_nobody_listens(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.join(closed.getsockname()[1], password="x", expect=7, code="host-unreachable")

    def test_a_server_that_never_speaks_is_given_up(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            begun = time.monotonic()
            self.join(silent.getsockname()[1], password="x", expect=7, code="host-unreachable")
            self.assertLess(time.monotonic() - begun, 25)


if __name__ == "__main__":
    unittest.main()
