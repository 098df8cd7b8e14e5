"""Every type of event, with the fields of its data and an example of each field.

The functions in ``core/postil/postgres/sql/functions/events/data.sql`` build the data.
A test records events of every type in a real database, and compares their fields and types with this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = Any
TIME = "2026-03-14T09:26:53.589793Z"
ACTOR: Json = {"kind": "agent", "id": "triage", "version": "2.1"}


@dataclass(frozen=True)
class Field:
    """One field of an event's data. Every event has every field; `type` states whether it may be null."""

    name: str
    type: str
    meaning: str
    example: Json


@dataclass(frozen=True)
class EventType:
    """One type of event: `meaning` states what happened, `fields` what its data holds."""

    name: str
    meaning: str
    subject: str
    fields: tuple[Field, ...]
    changed: tuple[tuple[str, Json], ...] = ()
    """Fields whose example differs from the example of the fields, with the example of this type."""


ANNOTATION = (
    Field("id", "string", "Id of the annotation, a UUID", "0195f1a2-7c3e-7d10-9a44-5b1f0c2e8d77"),
    Field("key", "string", "Key, as in `decision.outcome`", "decision.outcome"),
    Field("value", "any JSON", "Value, at most 16 KiB of JSON text", "refund"),
    Field("payload", "any JSON or null", "More data, at most 256 KiB of JSON text", None),
    Field("actor", "object or null", "Who annotated: `kind`, `id`, `version`", ACTOR),
    Field(
        "scope",
        "string",
        "What the annotation is about: `run`, `stage`, `tool_call`, `ai_call`, or another word",
        "stage",
    ),
    Field("scope_id", "string or null", "Id of what the annotation is about", "decide"),
    Field("stage_id", "string or null", "Stage that the annotation belongs to", "decide"),
    Field("attempt", "integer", "Attempt of the run that the annotation belongs to", 1),
    Field("try", "integer or null", "Try within the attempt", None),
    Field(
        "group_id",
        "string",
        "Id of the first annotation of the group",
        "0195f1a2-7c3e-7d10-9a44-5b1f0c2e8d77",
    ),
    Field("idempotency_key", "string or null", "Key under which a repeated write stores nothing", None),
)

RUN_STATUS = "Status after the event: `pending`, `running`, `waiting_for_interaction`, `completed`, `failed` or `cancelled`"
TRIGGER: Json = {"source": "api", "action": "trigger", "schedule_id": None}

RUN = (
    Field("id", "string", "Id of the run", "run-42"),
    Field("name", "string", "Name of the workflow", "refund-request"),
    Field(
        "status",
        "string",
        RUN_STATUS,
        "running",
    ),
    Field("attempt", "integer", "Current attempt, from 1", 1),
    Field("parent_id", "string or null", "Run that started this one", None),
    Field("root_id", "string", "First run of the tree; the run itself if it has no parent", "run-42"),
    Field("depth", "integer", "Number of ancestors", 0),
    Field("replay_of", "string or null", "Run that this one repeats", None),
    Field(
        "trigger",
        "object",
        "What started the run: `source`, `action`, `schedule_id`",
        TRIGGER,
    ),
    Field(
        "root",
        "object",
        "What started the root run: `source`, `schedule_id`",
        {"source": "api", "schedule_id": None},
    ),
    Field("actor", "object or null", "Who started the run: `kind`, `id`, `version`", ACTOR),
    Field("result", "any JSON or null", "Result of a completed run", None),
    Field("error", "any JSON or null", "Error of a failed run", None),
    Field("started_at", "time or null", "When the run started; null while it is pending", TIME),
    Field("ended_at", "time or null", "When the run ended; null until then", None),
)

CREATED_RUN = (
    *RUN,
    Field("input", "any JSON or null", "What the run starts from; only this event has it", {"order": 7}),
    Field("metadata", "any JSON or null", "More data about the run; only this event has it", None),
)

STAGE = (
    Field("id", "string", "Id of the stage within the attempt", "decide"),
    Field("name", "string", "Name of the step", "decide"),
    Field(
        "status",
        "string",
        "Status after the event: `running`, `suspended`, `completed`, `failed` or `cancelled`",
        "running",
    ),
    Field("attempt", "integer", "Attempt of the run", 1),
    Field("actor", "object or null", "Who works on the stage: `kind`, `id`, `version`", ACTOR),
    Field("result", "any JSON or null", "Result of a completed stage", None),
    Field("error", "any JSON or null", "Error of a failed stage", None),
    Field("started_at", "time", "When the stage started", TIME),
    Field("ended_at", "time or null", "When the stage ended; null until then", None),
)

TOOL_CALL = (
    Field("id", "string", "Id of the call within the run", "call-1"),
    Field("kind", "string", "`tool`, `ai` for an AI call, or another word", "tool"),
    Field("name", "string", "Name of the tool or model", "lookup"),
    Field("status", "string", "Status after the event: `running`, `completed` or `failed`", "running"),
    Field("attempt", "integer", "Attempt of the run", 1),
    Field("stage_id", "string or null", "Stage that made the call", "decide"),
    Field("actor", "object or null", "Who made the call: `kind`, `id`, `version`", ACTOR),
    Field("arguments", "any JSON or null", "Arguments of the call", {"order": 7}),
    Field("result", "any JSON or null", "What the call returned", None),
    Field("error", "any JSON or null", "What went wrong", None),
    Field("started_at", "time", "When the call started", TIME),
    Field("ended_at", "time or null", "When the call ended; null until then", None),
    Field("duration_ms", "number or null", "How long the call took, in milliseconds", None),
)

INTERACTION = (
    Field("id", "string", "Id of the interaction within the run", "approve-refund"),
    Field("kind", "string", "`approval`, `question`, or another word", "approval"),
    Field("prompt", "string", "Text of the question", "Refund 42 EUR?"),
    Field("assignee", "string or null", "Who should answer", "finance"),
    Field("status", "string", "Status after the event: `pending`, `resolved` or `cancelled`", "pending"),
    Field("attempt", "integer", "Attempt of the run", 1),
    Field("stage_id", "string or null", "Stage that asked", "decide"),
    Field("answer", "any JSON or null", "The answer; null until the interaction is resolved", None),
    Field("actor", "object or null", "Who answered or cancelled: `kind`, `id`, `version`", None),
    Field("asked_at", "time", "When the question was asked", TIME),
    Field(
        "ended_at", "time or null", "When the interaction was resolved or cancelled; null until then", None
    ),
)


def _ended(status: str, **changed: Json) -> tuple[tuple[str, Json], ...]:
    return (("status", status), ("ended_at", TIME), *changed.items())


_FAILURE: Json = {"type": "Timeout", "message": "no answer in 30 s"}
_USER: Json = {"kind": "user", "id": "dana", "version": None}

EVENT_TYPES = (
    EventType("annotation:created", "An annotation was written.", "annotations/<id>", ANNOTATION),
    EventType("run:created", "A run was created, pending or running.", "runs/<id>", CREATED_RUN),
    EventType("run:started", "A pending run started.", "runs/<id>", RUN),
    EventType("run:suspended", "A run waits for an interaction.", "runs/<id>", RUN, (("status", "waiting_for_interaction"),)),
    EventType("run:resumed", "A run continues, because it has no pending interaction left.", "runs/<id>", RUN),
    EventType("run:completed", "A run ended with a result.", "runs/<id>", RUN, _ended("completed", result={"refunded": 42})),
    EventType("run:failed", "A run ended with an error.", "runs/<id>", RUN, _ended("failed", error=_FAILURE)),
    EventType("run:cancelled", "A run was cancelled.", "runs/<id>", RUN, _ended("cancelled")),
    EventType("stage:started", "A stage started.", "stages/<id>", STAGE),
    EventType("stage:suspended", "A stage was suspended.", "stages/<id>", STAGE, (("status", "suspended"),)),
    EventType("stage:resumed", "A suspended stage continues.", "stages/<id>", STAGE),
    EventType("stage:completed", "A stage ended with a result.", "stages/<id>", STAGE, _ended("completed", result="refund")),
    EventType("stage:failed", "A stage ended with an error.", "stages/<id>", STAGE, _ended("failed", error=_FAILURE)),
    EventType("stage:cancelled", "A stage was open when its run ended.", "stages/<id>", STAGE, _ended("cancelled")),
    EventType("tool_call:started", "A tool call started.", "tool-calls/<id>", TOOL_CALL),
    EventType(
        "tool_call:completed", "A tool call returned a result.", "tool-calls/<id>", TOOL_CALL,
        _ended("completed", result={"amount": 42}, duration_ms=12.5),
    ),
    EventType(
        "tool_call:failed", "A tool call failed.", "tool-calls/<id>", TOOL_CALL,
        _ended("failed", error=_FAILURE, duration_ms=30000.0),
    ),
    EventType("interaction:created", "A run asked a question.", "interactions/<id>", INTERACTION),
    EventType(
        "interaction:resolved", "A question was answered.", "interactions/<id>", INTERACTION,
        _ended("resolved", answer={"outcome": "accept", "note": None}, actor=_USER),
    ),
    EventType(
        "interaction:cancelled", "A question was withdrawn.", "interactions/<id>", INTERACTION,
        _ended("cancelled", actor=ACTOR),
    ),
)  # fmt: skip
