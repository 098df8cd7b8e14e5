"""Records: what reads return."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from postil.model.actors import Actor
from postil.model.json_text import Json

RunStatus = Literal["pending", "running", "waiting_for_interaction", "completed", "failed", "cancelled"]

StageStatus = Literal["running", "suspended", "completed", "failed", "cancelled"]
ToolCallStatus = Literal["running", "completed", "failed"]
InteractionStatus = Literal["pending", "resolved", "cancelled"]

RUN_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)


@dataclass(frozen=True, slots=True)
class JsonText:
    """A JSON value as the text that the database holds. Numbers keep all their digits."""

    text: str

    def load(self) -> Any:
        """Parse it into Python values."""
        return json.loads(self.text)

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: Any) -> dict[str, Any]:
        """Describe the field in a JSON Schema: any value."""
        return {"description": "Any JSON value, exactly as it was recorded."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, as lists show it.

    `head` is the run_seq of its last event. The counts `stages`, `annotations` and `pending` stop at 1,000.
    """

    id: str
    name: str
    status: RunStatus
    attempt: int
    head: int
    trigger_source: str
    trigger_action: str
    actor: Actor | None
    stages: int
    annotations: int
    pending: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail(Run):
    """A run with all its fields. The counts `tool_calls` and `interactions` stop at 1,000."""

    parent_id: str | None
    root_id: str
    depth: int
    replay_of: str | None
    schedule_id: str | None
    root_source: str
    root_schedule_id: str | None
    tool_calls: int
    interactions: int
    input: JsonText | None
    result: JsonText | None
    error: JsonText | None
    metadata: JsonText | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A named step of a run."""

    id: str
    name: str
    status: StageStatus
    attempt: int
    actor: Actor | None
    result: JsonText | None
    error: JsonText | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """An annotation of a run."""

    id: str
    run_seq: int
    attempt: int
    try_: Annotated[int | None, Field(serialization_alias="try")]
    stage_id: str | None
    group_id: str
    scope: str
    scope_id: str | None
    actor: Actor | None
    key: str
    value: JsonText
    payload: JsonText | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call that a run made. `duration_ms` is in milliseconds; `kind` is ``ai`` for an AI call."""

    id: str
    kind: str
    name: str
    status: ToolCallStatus
    attempt: int
    stage_id: str | None
    actor: Actor | None
    arguments: JsonText | None
    result: JsonText | None
    error: JsonText | None
    started_at: datetime
    ended_at: datetime | None
    duration_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """A question that a run waits for, or waited for."""

    id: str
    kind: str
    prompt: str
    assignee: str | None
    status: InteractionStatus
    attempt: int
    stage_id: str | None
    answer: JsonText | None
    actor: Actor | None
    asked_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingInteraction(Interaction):
    """A pending interaction, with the run that waits for it."""

    run_id: str
    run_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """One event of the event log."""

    id: str
    run_seq: int
    type: str
    subject: str
    attempt: int
    recorded_at: datetime
    created_at: datetime
    data: JsonText


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The state of the event log and of the relay, as Postgres stores it.

    `events` is the exact number of events if `events_exact` is true, otherwise an estimate of the planner.
    `unpublished` counts the events that the relay has not published yet; the count stops at `TOTAL_CAP`.
    `oldest_seconds` is the age of the oldest of them, in seconds; None if there are none.
    `lanes_leased` counts the lanes that a relay owns now; `owners` are the names of these relays.
    `checkpoint_seconds` is the time since a relay last saved its position, in seconds.
    Ages and leases are measured on the database's clock.
    """

    server: str
    events: int
    events_exact: bool
    last_position: int
    unpublished: int
    oldest_seconds: float | None
    lanes: int
    lanes_leased: int
    owners: tuple[str, ...]
    epoch: int
    checkpoint_seconds: float | None
    parked: int


@dataclass(frozen=True, slots=True)
class InteractionState:
    """The state of one interaction and of its run. `answer` is None until the interaction is resolved."""

    status: str
    """``pending``, ``resolved`` or ``cancelled``."""

    answer: Json
    """The answer; None until the interaction is resolved."""

    run_status: str
    """The status of the run, as in `RunStatus`."""
