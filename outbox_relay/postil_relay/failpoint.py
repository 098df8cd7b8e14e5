"""Named places where a test may end the process, to prove that ending there loses nothing.

``POSTIL_FAILPOINT=after_produce`` ends it at that place with `EXIT_CODE`, at once and without cleaning up.
"""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

EXIT_CODE = 86

Name: TypeAlias = Literal[
    "on_claim", "after_poll", "after_produce", "before_checkpoint", "after_checkpoint", "before_release"
]

_chosen = os.environ.get("POSTIL_FAILPOINT")


def passing(name: Name) -> None:
    """Say that the process is at `name`."""
    if _chosen is not None and _chosen == name:
        os._exit(EXIT_CODE)
