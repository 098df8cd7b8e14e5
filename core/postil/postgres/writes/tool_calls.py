"""The calls a run made."""

from __future__ import annotations

from datetime import datetime

from postil.model.actors import Actor
from postil.model.json_text import Json
from postil.model.receipts import Receipt
from postil.postgres.writes.statement import (
    Arguments,
    Call,
    actor_parameter,
    call,
    json_parameter,
    number_parameter,
    optional_text_parameter,
    read_part,
    recorded_at_parameter,
    text_parameter,
)


def start_tool_call(
    tenant: str,
    run_id: str,
    name: str,
    *,
    tool_call_id: str | None = None,
    kind: str = "tool",
    arguments: Json = None,
    stage_id: str | None = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Receipt]:
    """Record that a tool call began; an AI call is one of kind ``ai``.

    Raises `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`.
    """
    given: Arguments = {
        "name": text_parameter(name, "name"),
        "tool_call_id": optional_text_parameter(tool_call_id, "tool_call_id"),
        "kind": text_parameter(kind, "kind"),
        "arguments": json_parameter(arguments, "arguments"),
        "stage_id": optional_text_parameter(stage_id, "stage_id"),
        "actor": actor_parameter(actor),
    }
    return call("start_tool_call", tenant, run_id, {**given, **recorded_at_parameter(recorded_at)}, read_part)


def finish_tool_call(
    tenant: str,
    run_id: str,
    tool_call_id: str,
    *,
    failed: bool = False,
    result: Json = None,
    error: Json = None,
    duration_ms: float | None = None,
    recorded_at: datetime | None = None,
) -> Call[Receipt]:
    """Record how a tool call ended, whatever has become of the run. Raises `ToolCallNotFound`, `ToolCallEnded`."""
    given: Arguments = {
        "tool_call_id": text_parameter(tool_call_id, "tool_call_id"),
        "status": ("text", "failed" if failed else "completed"),
        "result": json_parameter(result, "result"),
        "error": json_parameter(error, "error"),
        "duration_ms": number_parameter(duration_ms, "duration_ms"),
    }
    return call(
        "finish_tool_call", tenant, run_id, {**given, **recorded_at_parameter(recorded_at)}, read_part
    )


def record_tool_call(
    tenant: str,
    run_id: str,
    name: str,
    *,
    tool_call_id: str | None = None,
    kind: str = "tool",
    failed: bool = False,
    arguments: Json = None,
    result: Json = None,
    error: Json = None,
    duration_ms: float | None = None,
    stage_id: str | None = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Receipt]:
    """Record a tool call that is over, in one event. Raises `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`."""
    given: Arguments = {
        "name": text_parameter(name, "name"),
        "tool_call_id": optional_text_parameter(tool_call_id, "tool_call_id"),
        "kind": text_parameter(kind, "kind"),
        "status": ("text", "failed" if failed else "completed"),
        "arguments": json_parameter(arguments, "arguments"),
        "result": json_parameter(result, "result"),
        "error": json_parameter(error, "error"),
        "duration_ms": number_parameter(duration_ms, "duration_ms"),
        "stage_id": optional_text_parameter(stage_id, "stage_id"),
        "actor": actor_parameter(actor),
    }
    return call(
        "record_tool_call", tenant, run_id, {**given, **recorded_at_parameter(recorded_at)}, read_part
    )
