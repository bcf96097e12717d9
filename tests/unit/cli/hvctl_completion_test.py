# SPDX-License-Identifier: Apache-2.0
"""What Tab offers, asked of hvctl and of a shell."""
import os
import pathlib
import shlex
import shutil
import subprocess
import unittest

from fake_mcvd import Answer
from hvctl_case import HVCTL, Case, vm


class Completion(Case):
    def test_completion(self):
        self.serve({"GET /v1/vms": Answer(body={"vms": [vm("web1"), vm("db")]})})

        def complete(*words):
            return subprocess.run([HVCTL, "__complete", "--socket", self.socket, *words], capture_output=True, text=True, timeout=30).stdout.split()

        self.assertEqual(complete("vm", "st"), ["start", "stop"])
        self.assertEqual(complete("vm", "start", "w"), ["web1"])
        self.assertEqual(complete("vm", "create", "x", "--net"), ["--network"])
        self.assertEqual(complete("vm", "start", "web1", ""), ["db"])
        self.assertEqual(complete("cluster", "accept-copy", "we"), ["web1-0"])
        self.assertEqual(complete("cluster", "update", "--peer-loss", ""), ["freeze", "run-alone"])
        self.assertEqual(complete("cluster", "update", "--verify-age", ""), ["off"])
        self.assertEqual(complete("vm", "create", "x", "--hypervisor", "q"), ["qemu"])
        self.assertEqual(complete("help", "vm", "sta"), ["start"])
        self.assertIn("migrate", complete(""))

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_completion_as_bash_asks_for_it(self):
        script = pathlib.Path(__file__).resolve().parents[3] / "config" / "completion" / "hvctl.bash"
        path = f"{pathlib.Path(HVCTL).parent}:{os.environ['PATH']}"
        for words, offered in ((["vm", "sta"], "start"), (["cluster", "update", "--peer-loss", "r"], "run-alone"), (["op", "show", ""], "")):
            line = " ".join(shlex.quote(word) for word in ["hvctl", *words])
            shell = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _hvctl; echo ${{COMPREPLY[*]}}"
            done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=30, env={**os.environ, "PATH": path})
            self.assertEqual((done.stdout.strip(), done.stderr), (offered, ""), words)


if __name__ == "__main__":
    unittest.main()
