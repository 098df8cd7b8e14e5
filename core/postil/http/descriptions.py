"""What each field of the API means, for its OpenAPI document.

A name that means the same in every schema has one line. A line for ``Schema.name`` describes this field only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

_UNNAMED = "Successful Response"
"""The description that FastAPI gives to a response without one."""

FIELDS = {
    "Stage.id": "Id of the stage, unique within the attempt",
    "ToolCall.id": "Id of the tool call, unique within the run",
    "Interaction.id": "Id of the interaction, unique within the run",
    "WaitingInteraction.id": "Id of the interaction, unique within the run",
    "Actor.id": "Id of the actor in the host system, for example a login or the name of a service",
    "Actor.kind": "`agent`, `user`, `system`, or another word",
    "Actor.version": "Version of the agent or service; null if it is unknown",
    "Annotation.id": "Id of the annotation, a UUID",
    "Envelope.id": "Id of the event, a UUID; the same in every copy of the event",
    "FeedEnvelope.id": "Id of the event, a UUID; the same in every copy of the event",
    "LoggedEvent.id": "Id of the event, a UUID",
    "Run.id": "Id of the run, unique within the tenant",
    "RunDetail.id": "Id of the run, unique within the tenant",
    "Interaction.actor": "Who resolved or cancelled the interaction; null if it is pending or the actor was not stated",
    "WaitingInteraction.actor": "Null, because the interaction is pending",
    "Interaction.kind": "`approval`, `question`, or another word",
    "WaitingInteraction.kind": "`approval`, `question`, or another word",
    "Receipt.id": "Id of the interaction",
    "Run.name": "Name of the run",
    "RunDetail.name": "Name of the run",
    "Stage.name": "Name of the stage",
    "ToolCall.name": "Name of what was called",
    "Run.status": "Status of the run",
    "RunDetail.status": "Status of the run",
    "Stage.status": "Status of the stage",
    "ToolCall.status": "Status of the call",
    "Interaction.status": "Status of the interaction",
    "WaitingInteraction.status": "`pending`",
    "Run.attempt": "Current attempt: 1, and one more at each rerun",
    "RunDetail.attempt": "Current attempt: 1, and one more at each rerun",
    "Run.started_at": "When the run started; null until it starts",
    "RunDetail.started_at": "When the run started; null until it starts",
    "RunDetail.recorded_at": "When the run was created, as the caller stated",
    "Totals.pending": "Runs that have not started",
    "Totals.running": "Runs that run",
    "Totals.waiting_for_interaction": "Runs that wait for an answer",
    "Totals.completed": "Runs that completed",
    "Totals.failed": "Runs that failed",
    "Totals.cancelled": "Runs that were cancelled",
    "AppliedFilter.status": "The statuses that were listed; empty if every status was listed",
    "Resolution.answer": "The answer to an interaction that is not an approval: any JSON value",
    "actor": "Who did it; null if the actor was not stated",
    "advice": "What to do",
    "annotations": "Number of annotations; 1,000 means at least that many",
    "answer": "The answer; null until the interaction is resolved",
    "applied": "The filter, order and limit that were applied",
    "arguments": "Arguments of the call; null if they were not stated",
    "asked_at": "When the interaction was created",
    "assignee": "Who should answer; null if this was not stated",
    "attempt": "Attempt of the run that it belongs to: 1, and one more at each rerun",
    "causationid": "What caused the write; absent if the caller did not state it",
    "created": "False if an earlier request had stored the same answer",
    "created_at": "When the transaction that recorded it began, by the clock of the database",
    "data": "The fields of the event's type",
    "datacontenttype": "Form of `data`",
    "depth": "Number of runs above this one: 0 for a root run",
    "duration_ms": "Duration in milliseconds; null until the call ends",
    "ended_at": "When it ended; null until it ends",
    "error": "What went wrong; null if nothing did",
    "ErrorBody.error": "Name of the error's class, as in the reference of errors",
    "field": "Path of the field at fault; null if no field is at fault",
    "group_id": "Id of the first annotation of the group",
    "head": "run_seq of the run's last event, read in the same snapshot",
    "input": "What the run started from; null if it was not stated",
    "interactions": "Number of interactions; 1,000 means at least that many",
    "items": "The items of this page",
    "key": "Key of the annotation, as in `decision.outcome`",
    "kind": "`ai` for an AI call, `tool`, or another word",
    "limit": "Largest number of items on a page",
    "metadata": "More data about the run; null if there is none",
    "next": "Cursor of the next page; null on the last page",
    "note": "Remark on the outcome of an approval, up to 10,000 characters",
    "order": "Order of the items, by time",
    "outcome": "Outcome of an approval; null for any other kind of interaction",
    "parent_id": "Id of the run that started this one; null for a root run",
    "payload": "More data about the annotation; null if there is none",
    "pending": "Number of pending interactions; 1,000 means at least that many",
    "prompt": "Text of the question",
    "q": "The part of id or name that was searched for; null if nothing was",
    "recorded_at": "When it happened, as the caller stated",
    "recordedtime": "When the transaction that recorded it began, by the clock of the database",
    "replay_of": "Id of the run that this one repeats; null if it repeats none",
    "result": "What it produced; null if it produced nothing",
    "root_id": "Id of the run at the top of the tree of runs",
    "root_schedule_id": "Id of the schedule that started the root run; null if there is none",
    "root_source": "Where the trigger of the root run came from",
    "rootrun": "Id of the root run",
    "run_id": "Id of the run that waits",
    "run_name": "Name of the run that waits",
    "run_seq": "Number of the event within the run: 1, 2, 3 … without a gap",
    "runid": "Id of the run",
    "runseq": "Number of the event within the run: 1, 2, 3 … without a gap",
    "schedule_id": "Id of the schedule that started the run; null if there is none",
    "scope": "What the annotation is about: `run`, `stage`, `tool_call`, `ai_call`, or another word",
    "scope_id": "Id of what the annotation is about; null for the run itself",
    "source": "The run as a path: tenant and run id, percent-encoded (RFC 3986)",
    "specversion": "Version of CloudEvents",
    "stage_id": "Id of the stage that it belongs to; null if it belongs to no stage",
    "stages": "Number of stages; 1,000 means at least that many",
    "started_at": "When it started",
    "subject": "What in the run the event is about",
    "tenant": "Tenant of the run",
    "time": "When it happened, as the caller stated",
    "tool_calls": "Number of tool calls; 1,000 means at least that many",
    "traceparent": "W3C Trace Context; absent if the write was not traced",
    "trigger_action": "What the source did to start the run, for example `trigger`",
    "trigger_source": "Where the trigger came from, for example `sdk`",
    "try": "Try within the attempt; null if it was not stated",
    "type": "Type of the event",
    "value": "Value of the annotation",
    "what": "What happened",
}  # fmt: skip
"""The fields of core's schemas."""


def describe_fields(app: FastAPI, fields: Mapping[str, str]) -> None:
    """Describe, in the app's OpenAPI document, each field and each response that has no description yet."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        document = describe()
        schemas: dict[str, dict[str, Any]] = document["components"]["schemas"]
        for schema, content in schemas.items():
            for name, field in content.get("properties", {}).items():
                if f"{schema}.{name}" in fields:
                    field["description"] = fields[f"{schema}.{name}"]
                elif name in fields:
                    field.setdefault("description", fields[name])
        for operations in document["paths"].values():
            for operation in operations.values():
                bodies = [body for body in operation["responses"].values() if body["description"] == _UNNAMED]
                for body in [*bodies, *([operation["requestBody"]] if "requestBody" in operation else [])]:
                    schema = next(iter(body["content"].values()))["schema"].get("$ref", "").rpartition("/")[2]
                    if schema:
                        body["description"] = schemas[schema]["description"]
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to change the document
