"""Pairs the transitions of activities to stages, by the standard transactional life-cycle model of IEEE 1849.

A log in which every event is its activity's completion (most are) has one stage per event, begun and ended at its time.
A ``start`` is paired with the next end of the same activity and instance, first in first out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from postil.importing.names import StageIds

Change = Literal["started", "completed", "failed", "suspended", "resumed"]

# "withdraw" and the aborts close an activity unsuccessfully; both skips close it successfully (figure 2 of the standard).
_CHANGE: dict[str, Change | None] = {
    "start": "started",
    "complete": "completed",
    "autoskip": "completed",
    "manualskip": "completed",
    "ate_abort": "failed",
    "pi_abort": "failed",
    "withdraw": "failed",
    "suspend": "suspended",
    "resume": "resumed",
    "schedule": None,
    "assign": None,
    "reassign": None,
}
TELLING = frozenset(_CHANGE) - {"start", "complete", "suspend", "resume"}
"""Transitions that say more than the stage's own state does."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What an event does to a stage: the changes, in order, and whether the stage has ended by them."""

    stage_id: str
    changes: tuple[Change, ...]

    @property
    def ends(self) -> bool:
        """Whether the stage has ended."""
        return bool(self.changes) and self.changes[-1] in {"completed", "failed"}


class Lifecycle:
    """The stages of one case."""

    def __init__(self) -> None:
        self._ids = StageIds()
        self._planned: dict[tuple[str, str | None], deque[str]] = {}
        self._open: dict[tuple[str, str | None], deque[str]] = {}

    def apply(self, activity: str, instance: str | None, transition: str | None) -> Transition:
        """What the event means for the activity's stages. A transition of another model counts as completion."""
        key = (activity, instance)
        change = _CHANGE.get((transition or "complete").lower(), "completed")
        running = self._open.get(key)
        if change is None:  # scheduled or assigned: the stage has its id, and has not begun
            if running:
                return Transition(running[0], ())
            planned = self._planned.setdefault(key, deque())
            if not planned or (transition or "").lower() == "schedule":
                planned.append(self._ids.next(activity))
            return Transition(planned[-1], ())
        if change == "started" or not running:
            planned = self._planned.get(key)
            stage_id = planned.popleft() if planned else self._ids.next(activity)
            if change in {"completed", "failed"}:
                return Transition(stage_id, ("started", change))
            self._open.setdefault(key, deque()).append(stage_id)
            return Transition(stage_id, ("started", "suspended") if change == "suspended" else ("started",))
        if change in {"completed", "failed"}:
            return Transition(running.popleft(), (change,))
        return Transition(running[0], (change,))

    def unfinished(self) -> list[str]:
        """The stages that began and of which the log knows no end."""
        return [stage_id for stages in self._open.values() for stage_id in stages]
