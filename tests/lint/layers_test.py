#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The check of the module dependencies, on planted faults: each is found, and what is allowed is not."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import layers  # noqa: E402

TREE = {
    "low/CMakeLists.txt": "mcv_module(mcv_low SOURCES low.cpp)\n",
    "low/low.h": "#pragma once\n",
    "low/low.cpp": '#include "low/low.h"\n',
    "high/CMakeLists.txt": "mcv_module(mcv_high SOURCES high.cpp LINKS mcv_low)\n",
    "high/high.h": '#include "low/low.h"\n',
    "high/high.cpp": '#include "high/high.h"\n#include "low/low.h"\n',
    "daemon/CMakeLists.txt": "mcv_module(mcv_daemon SOURCES edge.cpp LINKS mcv_high)\n",
    "daemon/edge.cpp": "#include <unistd.h>\n",
}


class Layers(unittest.TestCase):
    def problems(self, **planted):
        with tempfile.TemporaryDirectory(prefix="mcv-layers-") as scratch:
            layers.SOURCE = pathlib.Path(scratch)
            for name, text in {**TREE, **planted}.items():
                path = layers.SOURCE / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = layers.main()
        lines = said.getvalue().splitlines()[:-1]
        self.assertEqual(1 if lines else 0, code)
        return "\n".join(lines)

    def test_one_way_is_allowed(self):
        self.assertEqual("", self.problems())

    def test_the_other_way_is_not(self):
        self.assertIn("src/low/low.cpp:1: mcv_low may not include high/high.h", self.problems(**{"low/low.cpp": '#include "high/high.h"\n'}))
        self.assertIn("src/low/low.h:1:", self.problems(**{"low/low.h": '#include "high/high.h"\n'}))

    def test_nor_a_circle(self):
        self.assertIn("in a circle", self.problems(**{"low/CMakeLists.txt": "mcv_module(mcv_low SOURCES low.cpp LINKS mcv_high)\n"}))

    def test_nor_the_system_outside_the_edge(self):
        self.assertIn("belongs behind a host interface", self.problems(**{"high/high.cpp": "#include <sys/stat.h>\n"}))
        self.assertIn("time comes from host::Clock", self.problems(**{"high/high.cpp": "auto now = std::chrono::system_clock::now();\n"}))
        self.assertIn("no shell", self.problems(**{"daemon/edge.cpp": 'auto bad = popen("ls", "r");\n'}))
        self.assertEqual("", self.problems(**{"high/high.cpp": "// system_clock::now() is the host's\n"}))


if __name__ == "__main__":
    unittest.main()
