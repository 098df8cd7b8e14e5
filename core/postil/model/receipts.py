"""Receipts: what a write returns."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Recorded:
    """What happened to one annotation: its id, its number in the run, and whether this call stored it."""

    id: UUID
    run_seq: int
    created: bool


@dataclass(frozen=True)
class Change:
    """What happened to a run or stage: the number of its event, whether this call made it, and the notes that came along."""

    run_seq: int
    created: bool
    notes: tuple[Recorded, ...] = ()


@dataclass(frozen=True)
class Part:
    """What happened to a tool call or interaction: its id, the number of its event, and whether this call made it."""

    id: str
    run_seq: int
    created: bool


@dataclass(frozen=True)
class History:
    """What happened to one run of `record_runs`: how many events it has, and whether this call stored it."""

    run_id: str
    events: int
    created: bool
