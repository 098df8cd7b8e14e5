"""The run_seq rule, which every consumer uses: each event of a run is applied once, in order, none left out.

For an event of a run whose last applied number is ``last``:

* ``run_seq == last + 1``  apply
* ``run_seq <= last``      drop: a duplicate; an alarm (`Fork`) if it is another event than the one applied there
* ``run_seq > last + 1``   hold, fetch what is missing from the log, apply that, then this

The first event seen of a run is no exception: its ``last`` is 0.
Pure: what was applied before comes through `Progress`, what is missing through `GapSource`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

import orjson

from postil_consumers.errors import Unparseable


class Event(NamedTuple):
    """One event as it travels: who it is, and its exact bytes.

    `run` is ``tenant/run_id``, the text of the Kafka key; a tenant never contains a slash.
    """

    run: str
    run_seq: int
    event_id: str
    value: bytes


class Apply(NamedTuple):
    """The run's next event."""

    event: Event


class Drop(NamedTuple):
    """A duplicate of what was applied already."""

    event: Event


class Fork(NamedTuple):
    """Two different events claim one run_seq: the log was forged, or a database was restored and lost published events.

    `applied` is the id of the event that stands; the other is never applied.
    """

    event: Event
    applied: str


class Unfilled(NamedTuple):
    """The events `first` to `last` before this one exist nowhere, so it cannot be applied in order."""

    event: Event
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

    def admit(self, event: Event) -> Iterable[Outcome]:
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

    def _apply(self, event: Event) -> Apply:
        self._last[event.run] = event.run_seq
        self._ids[event.run, event.run_seq] = event.event_id
        return Apply(event)

    def _duplicate(self, event: Event) -> Drop | Fork:
        applied = self._ids.get((event.run, event.run_seq)) or self._progress.event_id(
            event.run, event.run_seq
        )
        return Drop(event) if applied is None or applied == event.event_id else Fork(event, applied)

    def _after_gap(self, event: Event, last: int) -> Iterator[Outcome]:
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


# The envelope's attributes have one order, so a run's number is found without parsing the data behind it;
# each string is matched whole, so nothing inside one can pass for an attribute.
_TEXT = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_SKIPPED = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_BEGIN = b'{"specversion":"1.0",'
_HEAD = re.compile(
    rb'\{"specversion":"1\.0","id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
    rb',"source":' + _SKIPPED + rb',"type":' + _SKIPPED + rb',"subject":' + _SKIPPED + rb',"time":' + _SKIPPED
    + rb',"recordedtime":' + _SKIPPED + rb',"datacontenttype":' + _SKIPPED
    + rb',"tenant":' + _TEXT + rb',"runid":' + _TEXT + rb',"runseq":([1-9][0-9]{0,17}),'
)  # fmt: skip


def locate(value: bytes) -> tuple[str, int, str] | None:
    """The run, run_seq and event id a value names in its head, read without checking the rest; None if it has none."""
    head = _HEAD.match(value)
    if head is None:
        return None
    event_id, tenant, run_id, run_seq = head.groups()
    if not tenant or b"/" in tenant or not run_id:
        return None
    run = b"%b/%b" % (tenant, run_id)
    try:
        return orjson.loads(b'"%b"' % run) if b"\\" in run else run.decode(), int(run_seq), event_id.decode()
    except ValueError:
        return None


def locate_slowly(value: bytes) -> tuple[str, int, str] | None:
    """The same for a value whose attributes another version ordered otherwise; None if it is no event at all."""
    try:
        return identify(value)[:3]
    except Unparseable:
        return None


def identify(value: bytes, key: bytes | None = None) -> Event:
    """Read who an event is, checking that it is one line and that `key`, where given, agrees.

    Only the head is read. What is behind it is the database's own JSON, which may hold numbers and depths
    that parsers refuse, and a reader that cannot digest it must not make a run stop here.
    Raises `Unparseable` saying what is wrong with the bytes.
    """
    if not value.startswith(_BEGIN):
        raise Unparseable("not a CloudEvents 1.0 envelope")
    if b"\n" in value or not value.endswith(b"}"):
        raise Unparseable("not one whole line")
    found = locate(value) or _from_attributes(value)
    if key is not None and key != found[0].encode():
        raise Unparseable(f"the key says {key[:250]!r}, the event {found[0]!r}")
    return Event(*found, value)


def _from_attributes(value: bytes) -> tuple[str, int, str]:
    """The same, where a writer of another version orders the attributes otherwise."""
    try:
        envelope: Any = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Unparseable(f"not JSON: {error}") from None
    if not isinstance(envelope, dict):
        raise Unparseable("not a JSON object")
    found = cast("dict[str, Any]", envelope)
    event_id, tenant, run_id, run_seq = (found.get(name) for name in ("id", "tenant", "runid", "runseq"))
    if not (isinstance(event_id, str) and event_id and isinstance(tenant, str) and isinstance(run_id, str)):
        raise Unparseable("not an event: id, tenant or runid is missing")
    if not tenant or "/" in tenant or not run_id:
        raise Unparseable("not an event: tenant or runid is malformed")
    if not isinstance(run_seq, int) or isinstance(run_seq, bool) or not 1 <= run_seq < 2**63:
        raise Unparseable("not an event: runseq is not a number from 1")
    return f"{tenant}/{run_id}", run_seq, event_id


__all__ = [
    "Apply",
    "Drop",
    "Event",
    "Fork",
    "GapSource",
    "Outcome",
    "Progress",
    "Sequencer",
    "Unfilled",
    "identify",
    "locate",
    "locate_slowly",
]
