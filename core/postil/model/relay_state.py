"""The relay's state, from its leases and the oldest unpublished event, and the thresholds that judge it.

The dashboard, `postil doctor` and `postil relay status` judge by these.
"""

from __future__ import annotations

from typing import Literal

from postil.model.records import Pipeline

RelayCondition = Literal["ok", "behind", "stopped", "never"]

BEHIND_SECONDS = 5.0
"""Age of the oldest unpublished event from which the relay counts as behind."""
LATE_SECONDS = 10.0
"""Age of the oldest unpublished event from which `postil doctor` and `postil relay status` report a defect."""


def relay_condition(pipeline: Pipeline) -> RelayCondition:
    """Return ``stopped`` if no lane is leased, ``never`` if none ever was, else ``behind`` or ``ok``."""
    if pipeline.lanes_leased == 0:
        return "never" if pipeline.epoch == 0 else "stopped"
    if pipeline.oldest_seconds is not None and pipeline.oldest_seconds > BEHIND_SECONDS:
        return "behind"
    return "ok"
