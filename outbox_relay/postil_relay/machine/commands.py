"""Commands: what the state machine asks its surroundings to do. `machine.reports` has the reports that follow. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from postil_relay.machine.rows import Cursor, Row


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the events that follow `cursor`; report `RowsFetched`."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Replay:
    """Read an unparked run's events from `run_seq` on; report `Replayed`."""

    key: bytes
    run_seq: int


@dataclass(frozen=True, slots=True)
class Send:
    """Give `rows` to Kafka in this order. Report `Acknowledged` or `Refused` for each row, with this `batch`."""

    batch: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Save:
    """Write `cursor` to the database if the lease is still held; report `Saved`."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Park:
    """Record that a run stops before `run_seq`, if the lease is still held; report `Parked`."""

    key: bytes
    run_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unpark:
    """Delete the record of a parked run: its events are published up to now. There is no report."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Log an error: nothing is sent for `seconds`. There is no report."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stalled:
    """Log a warning: Kafka acknowledged nothing for `seconds`, and `waiting` events are in flight. There is no report."""

    seconds: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Replace:
    """Drop the producer with all messages it holds, and make a new one. Report nothing more of the old one."""


Command: TypeAlias = Fetch | Replay | Send | Save | Park | Unpark | Pause | Stalled | Replace
Commands: TypeAlias = list[Command]
