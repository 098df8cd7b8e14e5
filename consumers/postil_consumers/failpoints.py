"""Named steps at which a test can kill this process, to prove that a restart repairs whatever was half done.

``POSTIL_FAILPOINT=audit.records_durable`` dies the first time that step is reached, ``…:3`` the third time.
Unset, as always outside tests, `reach` costs one comparison.
"""

from __future__ import annotations

import os
import signal

_name, _, _times = os.environ.get("POSTIL_FAILPOINT", "").partition(":")
_left = int(_times or 1)


def reach(name: str) -> None:
    """Die here by SIGKILL, which no handler softens, if this is the step that was asked for."""
    global _left  # noqa: PLW0603 (one counter for the process that is about to end)
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
