"""Named steps at which a test can kill this process, to prove that a restart repairs whatever was half done.

``POSTIL_FAILPOINT=audit.records_durable`` dies the first time that step is reached, ``…:3`` the third time.
Unset, as always outside tests, `reach` costs one comparison.
"""

from __future__ import annotations

import os
import signal

_name = ""
_left = 0


def arm(failpoint: str) -> None:
    """Die at this step (``name`` or ``name:times``); "" for never."""
    global _name, _left  # noqa: PLW0603 (one for the process that is about to end)
    _name, _, times = failpoint.partition(":")
    _left = int(times or 1)


def reach(name: str) -> None:
    """Die here by SIGKILL, which no handler softens, if this is the step that was asked for."""
    global _left  # noqa: PLW0603 (as above)
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("POSTIL_FAILPOINT", ""))
