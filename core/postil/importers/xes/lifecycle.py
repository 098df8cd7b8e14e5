"""Pairs the transitions of activities to stages, by the standard transactional life-cycle model of IEEE 1849.

A log in which every event is its activity's completion (most are) has one stage per event, begun and ended at its time.
A ``start`` is paired with the next end of the same activity and instance, first in first out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from postil.importers.names import StageIds

Opening = Literal["started"]
Ending = Literal["completed", "failed"]

# "withdraw" and the aborts close an activity unsuccessfully; both skips close it successfully.
_ENDINGS: dict[str, Ending] = {
    "complete": "completed",
    "autoskip": "completed",
    "manualskip": "completed",
    "ate_abort": "failed",
    "pi_abort": "failed",
    "withdraw": "failed",
}
# What happens to an activity before it begins, and while it is under way: noted on its stage.
_PLANNING = frozenset({"schedule", "assign", "reassign"})
_PAUSING = frozenset({"suspend", "resume"})


@dataclass(frozen=True, slots=True)
class Transition:
    """What an event does to a stage: whether it begins it, how it ends it, and whether the stage has begun by then."""

    stage_id: str
    opening: tuple[Opening, ...] = ()
    ending: Ending | None = None
    begun: bool = True


class Lifecycle:
    """The stages of one case."""

    def __init__(self) -> None:
        self._ids = StageIds()
        self._planned: dict[tuple[str, str | None], deque[str]] = {}
        self._running: dict[tuple[str, str | None], deque[str]] = {}

    def apply(self, activity: str, instance: str | None, transition: str | None) -> Transition:
        """What the event means for the activity's stages. A transition of another model counts as completion."""
        key = (activity, instance)
        said = (transition or "complete").lower()
        running = self._running.get(key)
        if said in _PLANNING:
            return self._plan(key, said)
        if said == "start" or (said in _PAUSING and not running):
            stage_id = self._begin(key)
            self._running.setdefault(key, deque()).append(stage_id)
            return Transition(stage_id, ("started",))
        if said in _PAUSING:
            assert running, "a pause of what does not run began it above"
            return Transition(running[0])
        ending = _ENDINGS.get(said, "completed")
        if running:
            return Transition(running.popleft(), ending=ending)
        return Transition(self._begin(key), ("started",), ending)

    def unfinished(self) -> list[str]:
        """The stages that began and of which the log knows no end."""
        return [stage_id for stages in self._running.values() for stage_id in stages]

    def _plan(self, key: tuple[str, str | None], said: str) -> Transition:
        if running := self._running.get(key):
            return Transition(running[0])  # reassigned while it runs
        planned = self._planned.setdefault(key, deque())
        if said == "schedule" or not planned:
            planned.append(self._ids.next(key[0]))
        return Transition(planned[-1], begun=False)

    def _begin(self, key: tuple[str, str | None]) -> str:
        planned = self._planned.get(key)
        return planned.popleft() if planned else self._ids.next(key[0])
