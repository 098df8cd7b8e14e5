"""Pairs the transitions of activities to stages, by the standard transactional life-cycle model of IEEE 1849.

In most logs every event is the completion of its activity. Each event is then one stage that starts and ends at its time.
A ``start`` is paired with the next end of the same activity and instance, first in, first out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from postil.model.identifiers import StageIds

Start = Literal["started"]
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
# Transitions before an activity starts, and while it runs: they become annotations of its stage.
_PLANNING = frozenset({"schedule", "assign", "reassign"})
_PAUSING = frozenset({"suspend", "resume"})


@dataclass(frozen=True, slots=True)
class Transition:
    """The effect of an event on a stage: whether it starts it, how it ends it, and whether the stage has started by then."""

    stage_id: str
    start: tuple[Start, ...] = ()
    ending: Ending | None = None
    started: bool = True


class Lifecycle:
    """The stages of one case."""

    def __init__(self) -> None:
        self._ids = StageIds()
        self._planned: dict[tuple[str, str | None], deque[str]] = {}
        self._running: dict[tuple[str, str | None], deque[str]] = {}

    def apply(self, activity: str, instance: str | None, transition: str | None) -> Transition:
        """Return the effect of the event on the stages of its activity. An unknown transition counts as completion."""
        key = (activity, instance)
        name = (transition or "complete").lower()
        running = self._running.get(key)
        if name in _PLANNING:
            return self._plan(key, name)
        if name == "start" or (name in _PAUSING and not running):
            stage_id = self._begin(key)
            self._running.setdefault(key, deque()).append(stage_id)
            return Transition(stage_id, ("started",))
        if name in _PAUSING:
            assert running, "a pause of an activity that is not running starts it above"
            return Transition(running[0])
        ending = _ENDINGS.get(name, "completed")
        if running:
            return Transition(running.popleft(), ending=ending)
        return Transition(self._begin(key), ("started",), ending)

    def unfinished(self) -> list[str]:
        """Return the stages that started and that have no end in the log."""
        return [stage_id for stages in self._running.values() for stage_id in stages]

    def _plan(self, key: tuple[str, str | None], name: str) -> Transition:
        if running := self._running.get(key):
            return Transition(running[0])  # reassigned while it runs
        planned = self._planned.setdefault(key, deque())
        if name == "schedule" or not planned:
            planned.append(self._ids.next(key[0]))
        return Transition(planned[-1], started=False)

    def _begin(self, key: tuple[str, str | None]) -> str:
        planned = self._planned.get(key)
        return planned.popleft() if planned else self._ids.next(key[0])
