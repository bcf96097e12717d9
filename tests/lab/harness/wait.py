# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions. Deadlines are generous and scale with LAB_SLOW, for a busy machine is not a broken product."""

import os
import time

from . import crash

SLOW = float(os.environ.get("LAB_SLOW", "1"))


class TimedOut(AssertionError):
    """A condition did not become true in time; says what was seen last."""


def wait_until(condition, timeout, what, interval=0.2):
    """Calls condition() until it returns something true, and returns that. timeout in seconds, before scaling.

    An exception of the condition counts as "not yet" and is told when time is up. Ends at once when the kernel of a node crashed.
    NodeCrashed also when time is up and a node hangs.
    """
    deadline = time.monotonic() + timeout * SLOW
    while True:
        error = None
        value = None
        try:
            value = condition()
            if value:
                return value
        except crash.NodeCrashed:
            raise
        except Exception as exception:  # noqa: BLE001 whatever goes wrong while things change may pass
            error = exception
        crash.look()
        if time.monotonic() >= deadline:
            crash.give_up(SLOW)
            raise TimedOut(f"after {timeout * SLOW:.0f} s still not: {what}; last seen: {error or value!r}") from error
        time.sleep(interval)
