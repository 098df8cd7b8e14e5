"""The run_seq rule, which every consumer uses: each event of a run is applied once, in order, none left out.

For an event of a run whose last applied number is ``last``:

* ``run_seq == last + 1``  apply
* ``run_seq <= last``      drop: a duplicate; an alarm (`Fork`) if it is another event than the one applied there
* ``run_seq > last + 1``   hold, fetch what is missing from the log, apply that, then this

The first event seen of a run is no exception: its ``last`` is 0.
Pure: what was applied before comes through `Progress`, what is missing through `GapSource`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

from postil.model.envelope import RawEvent, identify


class Apply(NamedTuple):
    """The run's next event."""

    event: RawEvent


class Drop(NamedTuple):
    """A duplicate of what was applied already."""

    event: RawEvent


class Fork(NamedTuple):
    """Two different events claim one run_seq: the log was forged, or a database was restored and lost published events.

    `applied` is the id of the event that stands; the other is never applied.
    """

    event: RawEvent
    applied: str


class Unfilled(NamedTuple):
    """The events `first` to `last` before this one exist nowhere, so it cannot be applied in order."""

    event: RawEvent
    first: int
    last: int


Outcome: TypeAlias = Apply | Drop | Fork | Unfilled


class Progress(Protocol):
    """What a sink has made durable, per run. Reading it is cheap; only the sink itself moves it on."""

    def last(self, run: str) -> int:
        """The last run_seq applied; 0 for a run never seen."""
        ...

    def event_id(self, run: str, run_seq: int) -> str | None:
        """The id of the event applied there; None where that is not known (any more)."""
        ...


class GapSource(Protocol):
    """The log the events come from, asked for what Kafka did not deliver (any more).

    Raises `Transient` while the log cannot be reached.
    """

    def events(self, run: str, first: int, last: int) -> Iterable[bytes]:
        """The values of the run's events `first` to `last`, in order; fewer where the log lacks them.

        Values come a page at a time, so that a long gap is never held in memory whole.
        """
        ...


class Sequencer:
    """Applies the rule to the events of one partition, in the order Kafka has them.

    It sees its own decisions at once, before the sink has made them durable:
    so make one per batch, and throw it away if the batch fails.
    Nothing is held beyond the one event that waits for its gap.
    """

    def __init__(self, progress: Progress, gaps: GapSource) -> None:
        self._progress = progress
        self._gaps = gaps
        self._last: dict[str, int] = {}
        self._ids: dict[tuple[str, int], str] = {}

    def admit(self, event: RawEvent) -> Iterable[Outcome]:
        """What to do for one event, in order; consume it all before the next call."""
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
            missing = identify(value)
            if (missing.run, missing.run_seq) != (event.run, last + 1):
                break  # the log itself has a hole there
            last += 1
            yield self._apply(missing)
        if event.run_seq == last + 1:
            yield self._apply(event)
        else:
            yield Unfilled(event, last + 1, event.run_seq - 1)
