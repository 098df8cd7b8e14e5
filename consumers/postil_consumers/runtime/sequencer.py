"""The run_seq rule of every consumer: each event of a run is applied exactly once, in order and without gaps.

For an event of a run whose last applied number is ``last``:

* ``run_seq == last + 1``  apply
* ``run_seq <= last``      drop it as a duplicate; report a `Fork` if another event was applied with this run_seq
* ``run_seq > last + 1``   fetch the missing events from the event log, apply them, then apply this event

The rule also holds for the first event of a run: its ``last`` is 0.
This module is pure. `Progress` returns what was applied before, and `GapSource` returns missing events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

from postil.model.envelope import RawEvent, raw_event


class Apply(NamedTuple):
    """The next event of its run: apply it."""

    event: RawEvent


class Drop(NamedTuple):
    """A duplicate of an event that was applied."""

    event: RawEvent


class Fork(NamedTuple):
    """Two different events have one run_seq: an event was forged, or a restored database lost published events.

    `applied` is the id of the event that was applied. The other event is never applied.
    """

    event: RawEvent
    applied: str


class Unfilled(NamedTuple):
    """The events `first` to `last` before this one are missing everywhere, so this one cannot be applied in order."""

    event: RawEvent
    first: int
    last: int


Outcome: TypeAlias = Apply | Drop | Fork | Unfilled


class Progress(Protocol):
    """What a sink has made durable of each run. Reads are cheap. Only the sink itself changes it."""

    def last(self, run: str) -> int:
        """Return the last run_seq that was applied; 0 for a new run."""
        ...

    def event_id(self, run: str, run_seq: int) -> str | None:
        """Return the id of the event applied with this run_seq; None if the sink does not have it."""
        ...


class GapSource(Protocol):
    """The event log, read for events that Kafka did not deliver.

    Raises `Unavailable` while the event log cannot be reached, and `ConfigurationError` if an operator must act first.
    """

    def events(self, run: str, first: int, last: int) -> Iterable[bytes]:
        """Return the values of the run's events `first` to `last`, in order. Events that the log lacks are left out.

        The values are read page by page, so a long gap is never in memory as a whole.
        """
        ...


class Sequencer:
    """Applies the rule to the events of one partition, in the order Kafka has them.

    A sequencer counts an event as applied before the sink has made the event durable.
    Use a new sequencer for each batch, so that a failed batch leaves no trace.
    """

    def __init__(self, progress: Progress, gaps: GapSource) -> None:
        self._progress = progress
        self._gaps = gaps
        self._last: dict[str, int] = {}
        self._ids: dict[tuple[str, int], str] = {}

    def admit(self, event: RawEvent) -> Iterable[Outcome]:
        """Return the outcomes of one event, in order. Consume all of them before the next call."""
        run, run_seq = event.run, event.run_seq
        last = self._last.get(run)
        if last is None:
            last = self._last[run] = self._progress.last(run)
        if run_seq == last + 1:
            return (self._apply(event),)
        if run_seq <= last:
            return (self._duplicate(event),)
        return self._after_gap(event, last)

    def _apply(self, event: RawEvent) -> Apply:
        self._last[event.run] = event.run_seq
        self._ids[event.run, event.run_seq] = event.event_id
        return Apply(event)

    def _duplicate(self, event: RawEvent) -> Drop | Fork:
        applied = self._ids.get((event.run, event.run_seq)) or self._progress.event_id(
            event.run, event.run_seq
        )
        return Drop(event) if applied is None or applied == event.event_id else Fork(event, applied)

    def _after_gap(self, event: RawEvent, last: int) -> Iterator[Outcome]:
        for value in self._gaps.events(event.run, last + 1, event.run_seq - 1):
            missing = raw_event(value)
            if (missing.run, missing.run_seq) != (event.run, last + 1):
                break  # the event log lacks this event, too
            last += 1
            yield self._apply(missing)
        if event.run_seq == last + 1:
            yield self._apply(event)
        else:
            yield Unfilled(event, last + 1, event.run_seq - 1)
