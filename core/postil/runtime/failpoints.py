"""Failpoints: named steps at which a test kills this process, to prove that a restart repairs a half-done step.

``POSTIL_FAILPOINT=audit.records_durable`` kills the process the first time it reaches that step.
``POSTIL_FAILPOINT=audit.records_durable:3`` kills it the third time.
If the variable is not set, `reach` costs one comparison.
"""

from __future__ import annotations

import os
import signal

_name = ""
_remaining = 0


def arm(failpoint: str) -> None:
    """Kill the process at this step: ``name`` or ``name:times``. An empty text disarms."""
    global _name, _remaining  # noqa: PLW0603 (the process has one failpoint, and ends at it)
    _name, _, times = failpoint.partition(":")
    _remaining = int(times or 1)


def reach(name: str) -> None:
    """Kill the process if `name` is the armed step. SIGKILL leaves no time for any clean-up."""
    global _remaining  # noqa: PLW0603 (as above)
    if name != _name:
        return
    _remaining -= 1
    if _remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("POSTIL_FAILPOINT", ""))
