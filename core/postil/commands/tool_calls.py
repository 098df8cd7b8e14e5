"""Commands about the calls that a run makes. An AI call is a tool call of kind ``ai``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from postil.commands.base import RunCommand
from postil.model.actors import Actor
from postil.model.json_text import Json
from postil.model.receipts import Receipt


@dataclass(frozen=True)
class StartToolCall(RunCommand[Receipt]):
    """Record that a tool call has started. Recording the same start again stores nothing.

    Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`.
    """

    name: str
    """The name of the tool, 1 to 200 characters."""

    tool_call_id: str | None = field(default=None, kw_only=True)
    """The id of the call within the run. Defaults to a new UUID, which the receipt returns."""

    kind: str = field(default="tool", kw_only=True)
    """``tool``, ``ai``, or a word of yours. Defaults to ``tool``."""

    arguments: Json = field(default=None, kw_only=True)
    """The arguments of the call, at most 256 KiB of JSON text. Defaults to None: not stated."""

    stage_id: str | None = field(default=None, kw_only=True)
    """The stage that makes the call. Defaults to None."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who makes the call. Defaults to None: not stated."""


@dataclass(frozen=True)
class FinishToolCall(RunCommand[Receipt]):
    """Record how a tool call ended. The run may have ended before.

    Raises `RunNotFound`, `ToolCallNotFound`, `ToolCallEnded`.
    """

    tool_call_id: str
    """The id of the call within the run."""

    failed: bool = field(default=False, kw_only=True)
    """Whether the call failed. Defaults to False: it completed."""

    result: Json = field(default=None, kw_only=True)
    """What the call returned, at most 256 KiB of JSON text. Defaults to None: no result."""

    error: Json = field(default=None, kw_only=True)
    """What went wrong, at most 256 KiB of JSON text. Defaults to None: no error."""

    duration_ms: float | None = field(default=None, kw_only=True)
    """How long the call took, in milliseconds. Defaults to None: the time from its start to `recorded_at`."""

    recorded_at: datetime | None = field(default=None, kw_only=True)
    """When it ended, with a time zone. Defaults to the time of this call, also within a longer transaction."""


@dataclass(frozen=True)
class RecordToolCall(RunCommand[Receipt]):
    """Record a tool call that is over, as one event.

    Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`.
    """

    name: str
    """The name of the tool, 1 to 200 characters."""

    tool_call_id: str | None = field(default=None, kw_only=True)
    """The id of the call within the run. Defaults to a new UUID, which the receipt returns."""

    kind: str = field(default="tool", kw_only=True)
    """``tool``, ``ai``, or a word of yours. Defaults to ``tool``."""

    failed: bool = field(default=False, kw_only=True)
    """Whether the call failed. Defaults to False: it completed."""

    arguments: Json = field(default=None, kw_only=True)
    """The arguments of the call, at most 256 KiB of JSON text. Defaults to None: not stated."""

    result: Json = field(default=None, kw_only=True)
    """What the call returned, at most 256 KiB of JSON text. Defaults to None: no result."""

    error: Json = field(default=None, kw_only=True)
    """What went wrong, at most 256 KiB of JSON text. Defaults to None: no error."""

    duration_ms: float | None = field(default=None, kw_only=True)
    """How long the call took, in milliseconds. Defaults to None: unknown."""

    stage_id: str | None = field(default=None, kw_only=True)
    """The stage that made the call. Defaults to None."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who made the call. Defaults to None: not stated."""
