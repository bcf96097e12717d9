# SPDX-License-Identifier: Apache-2.0
"""Two nodes with the package, joined, with storage and network: what every benchmark in the lab begins with."""

import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from harness import Lab  # noqa: E402
from main_job import MainJob  # noqa: E402


def cluster():
    """(lab, job); the caller ends the lab."""
    lab = Lab()
    lab.up()
    job = MainJob(lab)
    job.install()
    job.init_nodes()
    job.join()
    job.storage_and_network()
    return lab, job


def seconds(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def told(name, samples):
    """Prints the samples of one side and returns their median."""
    median = statistics.median(samples)
    print(f"{name:32} median {median:6.2f} s   of {', '.join(f'{sample:.2f}' for sample in samples)}", flush=True)
    return median
