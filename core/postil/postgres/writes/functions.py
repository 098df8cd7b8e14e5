"""The table of the write functions: for each type of command its SQL function, parameters and receipt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from postil import commands
from postil.commands import Command
from postil.errors import ConfigurationError
from postil.model.json_text import check_text
from postil.model.values import checked
from postil.postgres.statement import Rows, Statement
from postil.postgres.writes import receipts
from postil.postgres.writes.parameters import (
    ACTOR,
    ANNOTATIONS,
    ANNOTATIONS_WITH_KEY,
    BATCH,
    CONTEXT,
    HISTORIES,
    LIVE,
    RECORDED_AT,
    RUN_ID,
    STAGE_ID,
    STATUS,
    TRIGGER,
    Parameter,
    flag,
    json,
    number,
    text,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WriteFunction:
    """A write function of schema ``postil``; its first parameter is always the tenant."""

    name: str
    parameters: tuple[Parameter, ...]
    read: Callable[[Any, Rows], object]
    """Turns the command and its rows into the receipt."""

    _texts: dict[tuple[str, ...], str] = field(
        default_factory=dict[tuple[str, ...], str], init=False, repr=False, compare=False
    )

    def sql(self, names: tuple[str, ...]) -> str:
        """Return the SQL text that calls the function with the named parameters. Each text is built once."""
        text = self._texts.get(names)
        if text is None:
            types = {"tenant": "text"} | {parameter.name: parameter.type for parameter in self.parameters}
            # Names and types come from the table below, never from the caller.
            arguments = ", ".join(f"{name} => cast(:{name} as {types[name]})" for name in names)
            text = self._texts[names] = f"select * from postil.{self.name}({arguments})"  # noqa: S608 (see above)
        return text


_STAGE_CHANGE = (RUN_ID, text("stage_id"), ANNOTATIONS, ACTOR, RECORDED_AT, CONTEXT)
_INTERACTION_ID = text("interaction_id")

FUNCTIONS: Mapping[type[Command[Any]], WriteFunction] = {
    commands.Annotate: WriteFunction(
        "annotate",
        (RUN_ID, ANNOTATIONS_WITH_KEY, ACTOR, STAGE_ID, LIVE, RECORDED_AT, CONTEXT),
        receipts.annotation_receipts,
    ),
    commands.AnnotateMany: WriteFunction(
        "annotate_many", (BATCH, CONTEXT), receipts.annotation_receipts_by_run
    ),
    commands.CreateRun: WriteFunction(
        "create_run",
        (
            RUN_ID,
            text("name", optional=True),
            json("input"),
            TRIGGER,
            text("parent_id", optional=True),
            ACTOR,
            ANNOTATIONS,
            json("metadata"),
            flag("pending", name="status", true="pending", false="running"),
            text("replay_of", optional=True),
            RECORDED_AT,
            CONTEXT,
        ),
        receipts.run_receipt,
    ),
    commands.StartRun: WriteFunction("start_run", (RUN_ID, RECORDED_AT, CONTEXT), receipts.run_receipt),
    commands.FinishRun: WriteFunction(
        "finish_run",
        (RUN_ID, STATUS, json("result"), json("error"), ACTOR, ANNOTATIONS, RECORDED_AT, CONTEXT),
        receipts.run_receipt,
    ),
    commands.CancelRun: WriteFunction(
        "cancel_run",
        (RUN_ID, text("reason", optional=True), ACTOR, RECORDED_AT, CONTEXT),
        receipts.run_receipt,
    ),
    commands.StartStage: WriteFunction(
        "start_stage", (RUN_ID, text("name"), STAGE_ID, ACTOR, RECORDED_AT, CONTEXT), receipts.run_receipt
    ),
    commands.CompleteStage: WriteFunction(
        "complete_stage", (*_STAGE_CHANGE, json("result")), receipts.run_receipt
    ),
    commands.FailStage: WriteFunction("fail_stage", (*_STAGE_CHANGE, json("error")), receipts.run_receipt),
    commands.SuspendStage: WriteFunction("suspend_stage", _STAGE_CHANGE, receipts.run_receipt),
    commands.ResumeStage: WriteFunction("resume_stage", _STAGE_CHANGE, receipts.run_receipt),
    commands.StartToolCall: WriteFunction(
        "start_tool_call",
        (
            RUN_ID,
            text("name"),
            text("tool_call_id", optional=True),
            text("kind"),
            json("arguments"),
            STAGE_ID,
            ACTOR,
            RECORDED_AT,
            CONTEXT,
        ),
        receipts.receipt,
    ),
    commands.FinishToolCall: WriteFunction(
        "finish_tool_call",
        (
            RUN_ID,
            text("tool_call_id"),
            STATUS,
            json("result"),
            json("error"),
            number("duration_ms"),
            RECORDED_AT,
            CONTEXT,
        ),
        receipts.receipt,
    ),
    commands.RecordToolCall: WriteFunction(
        "record_tool_call",
        (
            RUN_ID,
            text("name"),
            text("tool_call_id", optional=True),
            text("kind"),
            STATUS,
            json("arguments"),
            json("result"),
            json("error"),
            number("duration_ms"),
            STAGE_ID,
            ACTOR,
            RECORDED_AT,
            CONTEXT,
        ),
        receipts.receipt,
    ),
    commands.Ask: WriteFunction(
        "ask",
        (
            RUN_ID,
            text("prompt"),
            text("interaction_id", optional=True),
            text("kind"),
            text("to", optional=True, name="assignee"),
            STAGE_ID,
            RECORDED_AT,
            CONTEXT,
        ),
        receipts.receipt,
    ),
    commands.ResolveInteraction: WriteFunction(
        "resolve_interaction",
        (RUN_ID, _INTERACTION_ID, json("answer", optional=False), ACTOR, ANNOTATIONS, RECORDED_AT, CONTEXT),
        receipts.receipt,
    ),
    commands.CancelInteraction: WriteFunction(
        "cancel_interaction", (RUN_ID, _INTERACTION_ID, ACTOR, RECORDED_AT, CONTEXT), receipts.receipt
    ),
    commands.RecordRuns: WriteFunction("record_runs", (HISTORIES, CONTEXT), receipts.imported_runs),
}


def write_statement(tenant: str, command: Command[T]) -> Statement[T]:
    """Return the statement that carries out `command` in `tenant`.

    Raises `InvalidInput` or `InvalidAnnotation` with the path of a malformed field,
    and `ConfigurationError` for an object that is not a command of `postil.commands`.
    """
    function = FUNCTIONS.get(type(command))
    if function is None:
        raise ConfigurationError(
            f"A {type(command).__name__} is not a command that Postil can send.",
            advice="Send an object of a class that postil.commands lists.",
        )
    values: dict[str, object] = {"tenant": check_text(checked(tenant, str, "tenant"), "tenant")}
    for parameter in function.parameters:
        value = parameter.value(command)
        if value is not None:
            values[parameter.name] = value
    read = cast("Callable[[Rows], T]", partial(function.read, command))
    return Statement(function.sql(tuple(values)), values, read)
