"""What every format produces: whole histories of runs, as `postil.record_runs` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypeAlias, TypedDict
from zoneinfo import ZoneInfo

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


class Actor(TypedDict):
    """Who did it."""

    kind: str
    id: str
    version: NotRequired[str]


class Trigger(TypedDict):
    """What started it."""

    source: str
    action: str


class Step(TypedDict):
    """One event of a run's history; `type` decides which of the fields it has.

    `at` is the original time (ISO 8601). Where the source has none it is left out:
    the database then uses the time of the import, and a second import is still the same content.
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
    """One run, whole."""

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
    """What the user may say about a file.

    `name` stands before each run's id (default: the log file's own name);
    `zone` is the time zone of times that carry none, which are refused without it.
    """

    name: str | None = None
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A history, where it was found, and what a reader should be told about how it was read.

    `records` counts what the source itself counts: events of a case, steps of a trajectory.
    `notes` maps a remark to how often it applies (``"events without a time": 3``).
    """

    history: History
    where: str
    records: int
    notes: dict[str, int]
