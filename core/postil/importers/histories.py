"""Histories: complete recorded runs in the form that the SQL function `postil.record_runs` accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypeAlias, TypedDict
from zoneinfo import ZoneInfo

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


class Actor(TypedDict):
    """Who did something."""

    kind: str
    id: str
    version: NotRequired[str]


class Trigger(TypedDict):
    """What started the run."""

    source: str
    action: str


class Step(TypedDict):
    """One event of a run's history. Its `type` decides which fields it has.

    `at` is the original time (ISO 8601). It is absent if the source has no time.
    The database then uses the time of the import, which is not part of the content that a second import is compared with.
    """

    type: str
    at: NotRequired[str]
    # stages and tool calls
    id: NotRequired[str]
    name: NotRequired[str]
    kind: NotRequired[str]
    stage_id: NotRequired[str]
    arguments: NotRequired[Json]
    result: NotRequired[Json]
    error: NotRequired[Json]
    duration_ms: NotRequired[float]
    actor: NotRequired[Actor]
    # annotations
    key: NotRequired[str]
    value: NotRequired[Json]
    payload: NotRequired[Json]
    scope: NotRequired[str]
    scope_id: NotRequired[str]
    group: NotRequired[int]


class History(TypedDict):
    """One complete run."""

    run_id: str
    name: str
    status: str
    recorded_at: NotRequired[str]
    started_at: NotRequired[str]
    ended_at: NotRequired[str]
    actor: NotRequired[Actor]
    trigger: Trigger
    input: NotRequired[Json]
    result: NotRequired[Json]
    error: NotRequired[Json]
    metadata: NotRequired[Json]
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one import.

    `name` is the prefix of each run's id. Defaults to the name of the file.
    `zone` is the time zone of times without one. Without it such times are refused.
    """

    name: str | None = None
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A history, its position in the file, and remarks about how it was read.

    `records` is the number of events of the case, or of steps of the trajectory.
    `remarks` maps a remark to how often it applies, for example ``"events without a time": 3``.
    """

    history: History
    where: str
    records: int
    remarks: dict[str, int]
