"""Records: what reads of the history return."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from postil.model.actors import Actor

RunStatus = Literal["pending", "running", "waiting_for_interaction", "completed", "failed", "cancelled"]

StageStatus = Literal["running", "suspended", "completed", "failed", "cancelled"]
ToolCallStatus = Literal["running", "completed", "failed"]
InteractionStatus = Literal["pending", "resolved", "cancelled"]

RUN_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)


@dataclass(frozen=True, slots=True)
class JsonText:
    """A JSON value exactly as the database holds it: nothing is rounded on its way through Python."""

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
    """A run as a list shows it; `head` is its last run_seq, the counts stop at `COUNT_CAP`."""

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
    """A run with all that is recorded on it."""

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
    """A fact on a run."""

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
    """One call a run made; `duration_ms` is in milliseconds."""

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
    """A question a run waits on, or waited on."""

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
    """A pending interaction with the run it holds up."""

    run_id: str
    run_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """One event of the log."""

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
    """How far the log is, as Postgres sees it; ages and leases are measured on the database's clock.

    `unpublished` stops at `TOTAL_CAP`; `oldest_seconds` is the age of the oldest event not yet published.
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
