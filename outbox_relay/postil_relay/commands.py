"""What the relay's parts say to each other: rows, cursors, and the commands of the state machine. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

Row: TypeAlias = tuple[int, bytes, int, bytes, bytes | None]
"""One event to publish: position, Kafka key (``tenant/run``), run_seq, value, traceparent.

A plain tuple, as the driver makes it: a named one would cost 0.3 microseconds for every event.
"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the log: everything visible in snapshot `lo`, and of the window up to `hi`
    everything not behind position `after`.

    A *chain* is the sequence of such places that a set of lanes goes through. There is one chain over all lanes now;
    several relays will each walk their own.
    """

    lo: str
    hi: str | None = None
    after: int | None = None


class Verdict(Enum):
    """What a refused delivery means."""

    RETRY = "try again"
    REFUSED = "this message will never be accepted"
    TOPIC = "nothing is accepted until somebody mends the topic or our rights to it"


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read what follows `cursor`; answer with `Machine.on_rows`."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Replay:
    """Read an unparked run's events from `run_seq` on; answer with `Machine.on_replayed`."""

    key: bytes
    run_seq: int


@dataclass(frozen=True, slots=True)
class Send:
    """Give `rows` to Kafka in this order; every one is answered with `on_ack` or `on_nack` for `batch`."""

    batch: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Save:
    """Write `cursor` down, fenced; answer with `on_saved`."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Park:
    """Write down that a run stops before `run_seq`, fenced; answer with `on_parked`."""

    key: bytes
    run_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unpark:
    """The parked run is published up to now: forget that it was parked."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for `seconds`: say so loudly."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stalled:
    """Kafka has acknowledged nothing for `seconds` though events wait for it: say so loudly."""

    seconds: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Replace:
    """Drop the producer with all it holds and make a new one; nothing the old one reports counts any more."""


Command: TypeAlias = Fetch | Replay | Send | Save | Park | Unpark | Pause | Stalled | Replace


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in bytes, rows and seconds."""

    bytes: int = 32 << 20  # of values fetched and not yet settled
    rows: int = 50_000
    large: int = (
        900_000  # a value beyond it may be refused by size: it is tried alone, before what follows it
    )
    save_every: float = 0.5
    backoff: float = 0.1  # doubled with each failure of the same run, up to `pause`
    pause: float = 5.0  # after a refusal by the topic
    stalled_after: float = 10.0
    replaced_after: float = 120.0
