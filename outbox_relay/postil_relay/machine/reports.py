"""Reports: what happened, as the state machine is informed of it. `machine.commands` has the commands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from postil_relay.machine.rows import Cursor, Row, Verdict


class Ticked(NamedTuple):
    """Time has passed: `now` in seconds, of any clock that never goes back."""

    now: float


class Acknowledged(NamedTuple):
    """Kafka has stored `messages` more messages of `batch` durably. A tuple, because this is the most frequent report."""

    batch: int
    messages: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Kafka refused one message of `batch`."""

    batch: int
    row: Row
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class RowsFetched:
    """A `Fetch` has read `rows`, in the order of the event log. Once they are settled, the cursor is `then`."""

    rows: list[Row]
    then: Cursor


@dataclass(frozen=True, slots=True)
class Saved:
    """A `Save` has written `cursor`."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Parked:
    """A `Park` is recorded: the run's events stay in the event log, and the cursor may pass them."""

    key: bytes


@dataclass(frozen=True, slots=True)
class UnparkRequested:
    """An operator wants a parked run published from `run_seq` on.

    Runs are replayed one at a time. The request is ignored during a replay, so it must be reported again.
    """

    key: bytes
    run_seq: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A `Replay` has read `rows`. `complete` means that the event log had no more events of the run at that time."""

    key: bytes
    rows: list[Row]
    complete: bool


@dataclass(frozen=True, slots=True)
class ProducerFailed:
    """The producer cannot be used any more."""


@dataclass(frozen=True, slots=True)
class LeaseEnded:
    """Another relay may publish now."""


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """The relay is to end: send nothing new, wait for what is in flight, and save the cursor."""


Report: TypeAlias = (
    Ticked
    | Acknowledged
    | Refused
    | RowsFetched
    | Saved
    | Parked
    | UnparkRequested
    | Replayed
    | ProducerFailed
    | LeaseEnded
    | DrainRequested
)
