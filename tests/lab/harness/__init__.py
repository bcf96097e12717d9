# SPDX-License-Identifier: Apache-2.0
"""What lab tests are made of; Python 3 standard library only. See docs in each module."""

from .audit import Auditor
from .case import LabTest
from .collector import Collector
from .guest import Guest
from .lab import CommandFailed, Lab
from .secrets import SecretWatch
from .wait import TimedOut, wait_until

__all__ = ["Auditor", "Collector", "CommandFailed", "Guest", "Lab", "LabTest", "SecretWatch", "TimedOut", "wait_until"]
