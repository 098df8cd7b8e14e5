"""The write protocol as pure functions: each builds the one SQL statement that does it.

Nothing here talks to a database. A `Call` is a statement, its parameters and how to read its answer;
`postil.postgres.execute` runs it on a connection, sync or async, so there are no twins to keep alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from postil.errors import InvalidAnnotation, InvalidInput
from postil.jsontext import Json, check_text, encode
from postil.model import Actor, Change, History, Note, Part, Recorded, Said, Trigger, notes_of, rfc3339

T = TypeVar("T")
Row = Sequence[Any]
Arguments: TypeAlias = "Mapping[str, tuple[str, object]]"
"""SQL type and value of each named argument; one whose value is None is left out."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One statement of the write protocol: SQL with named parameters, and how to read the rows it answers."""

    sql: str
    parameters: Mapping[str, object]
    read: Callable[[Sequence[Row]], T]


def annotate(
    tenant: str,
    run_id: str,
    *said: Said,
    actor: Actor | None = None,
    stage_id: str | None = None,
    idempotency_key: str | None = None,
    live: bool = False,
    recorded_at: datetime | None = None,
) -> Call[list[Recorded]]:
    """Record facts on a run, in one statement: typed conventions, dictionaries of keys, or notes.

    `live=True` asks for a run that has not ended. With an `idempotency_key` a retry answers what is stored, ``created=False``.
    Raises `InvalidAnnotation`, `PayloadTooLarge`, `RunNotFound`, `RunCancelled`, `RunFinished`,
    `IdempotencyConflict`, `StageNotFound`.
    """
    items = _items(list(notes_of(said, idempotency_key=idempotency_key)), "items")
    arguments: Arguments = {
        "items": ("jsonb", items),
        "actor": _actor(actor),
        "stage_id": ("text", _text(stage_id, "stage_id")),
        "live": ("boolean", live or None),
    }
    return _call("annotate", tenant, run_id, {**arguments, **_when(recorded_at)}, _read_recorded)


def create_run(
    tenant: str,
    run_id: str,
    *said: Said,
    name: str | None = None,
    input: Json = None,  # noqa: A002 (the field's own name)
    trigger: Trigger | None = None,
    parent_id: str | None = None,
    actor: Actor | None = None,
    metadata: Json = None,
    pending: bool = False,
    replay_of: str | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """Create a run under the host system's own id, with annotations; `pending=True` where it has yet to start.

    Creating the same run again answers ``created=False``.
    Raises `RunExists` where the id is another run's, `RunNotFound` where there is no such parent.
    """
    arguments: Arguments = {
        "name": ("text", _text(name, "name")),
        "input": _json(input, "input"),
        "trigger": ("jsonb", None if trigger is None else encode(trigger.as_json(), "trigger")),
        "parent_id": ("text", _text(parent_id, "parent_id")),
        "actor": _actor(actor),
        "annotations": ("jsonb", _items(list(notes_of(said)), "annotations")),
        "metadata": _json(metadata, "metadata"),
        "status": ("text", "pending" if pending else "running"),
        "replay_of": ("text", _text(replay_of, "replay_of")),
    }
    return _call("create_run", tenant, run_id, {**arguments, **_when(recorded_at)}, _read_change)


def start_run(tenant: str, run_id: str, *, recorded_at: datetime | None = None) -> Call[Change]:
    """Start a pending run. Raises `RunNotFound`, `RunCancelled`, `RunFinished`."""
    return _call("start_run", tenant, run_id, _when(recorded_at), _read_change)


def finish_run(
    tenant: str,
    run_id: str,
    *said: Said,
    failed: bool = False,
    result: Json = None,
    error: Json = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """End a run, completed or `failed`; what it still waits for or works on ends with it.

    Ending it the same way again answers ``created=False``. Raises `RunCancelled`, `RunFinished`.
    """
    arguments: Arguments = {
        "status": ("text", "failed" if failed else "completed"),
        "result": _json(result, "result"),
        "error": _json(error, "error"),
        "actor": _actor(actor),
        "annotations": ("jsonb", _items(list(notes_of(said)), "annotations")),
    }
    return _call("finish_run", tenant, run_id, {**arguments, **_when(recorded_at)}, _read_change)


def cancel_run(
    tenant: str,
    run_id: str,
    *,
    reason: str | None = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """Cancel a run; whoever works on it finds out at the next stage's end. Raises `RunNotFound`, `RunFinished`."""
    arguments: Arguments = {"reason": ("text", _text(reason, "reason")), "actor": _actor(actor)}
    return _call("cancel_run", tenant, run_id, {**arguments, **_when(recorded_at)}, _read_change)


def start_stage(
    tenant: str,
    run_id: str,
    name: str,
    *,
    stage_id: str | None = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """Start a named step; its id is its name unless a repeated step is given one of its own.

    Raises `StageEnded`, `RunCancelled`, `RunFinished`.
    """
    arguments: Arguments = {
        "name": ("text", _text(name, "name")),
        "stage_id": ("text", _text(stage_id, "stage_id")),
        "actor": _actor(actor),
    }
    return _call("start_stage", tenant, run_id, {**arguments, **_when(recorded_at)}, _read_change)


def complete_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: Said,
    result: Json = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """Complete a stage with what was noted in it.

    Raises `RunCancelled` (nothing is stored then), `StageNotFound`, `StageEnded`.
    """
    return _change_stage(
        "complete_stage",
        tenant,
        run_id,
        stage_id,
        said,
        actor,
        recorded_at,
        {"result": _json(result, "result")},
    )


def fail_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: Said,
    error: Json = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """Fail a stage, keeping what was noted and adding ``failure.*`` from `error` {type, message}. Raises as `complete_stage`."""
    return _change_stage(
        "fail_stage", tenant, run_id, stage_id, said, actor, recorded_at, {"error": _json(error, "error")}
    )


def suspend_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: Said,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """Suspend a stage, keeping what was noted so far. Raises as `complete_stage`."""
    return _change_stage("suspend_stage", tenant, run_id, stage_id, said, actor, recorded_at, {})


def resume_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: Said,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Change]:
    """Take up a suspended stage again. Raises as `complete_stage`."""
    return _change_stage("resume_stage", tenant, run_id, stage_id, said, actor, recorded_at, {})


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
) -> Call[Part]:
    """Record that a tool call began; an AI call is one of kind ``ai``.

    Raises `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`.
    """
    given: Arguments = {
        "name": ("text", _text(name, "name")),
        "tool_call_id": ("text", _text(tool_call_id, "tool_call_id")),
        "kind": ("text", _text(kind, "kind")),
        "arguments": _json(arguments, "arguments"),
        "stage_id": ("text", _text(stage_id, "stage_id")),
        "actor": _actor(actor),
    }
    return _call("start_tool_call", tenant, run_id, {**given, **_when(recorded_at)}, _read_part)


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
) -> Call[Part]:
    """Record how a tool call ended, whatever has become of the run. Raises `ToolCallNotFound`, `ToolCallEnded`."""
    given: Arguments = {
        "tool_call_id": ("text", _text(tool_call_id, "tool_call_id")),
        "status": ("text", "failed" if failed else "completed"),
        "result": _json(result, "result"),
        "error": _json(error, "error"),
        "duration_ms": ("double precision", duration_ms),
    }
    return _call("finish_tool_call", tenant, run_id, {**given, **_when(recorded_at)}, _read_part)


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
) -> Call[Part]:
    """Record a tool call that is over, in one event. Raises `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`."""
    given: Arguments = {
        "name": ("text", _text(name, "name")),
        "tool_call_id": ("text", _text(tool_call_id, "tool_call_id")),
        "kind": ("text", _text(kind, "kind")),
        "status": ("text", "failed" if failed else "completed"),
        "arguments": _json(arguments, "arguments"),
        "result": _json(result, "result"),
        "error": _json(error, "error"),
        "duration_ms": ("double precision", duration_ms),
        "stage_id": ("text", _text(stage_id, "stage_id")),
        "actor": _actor(actor),
    }
    return _call("record_tool_call", tenant, run_id, {**given, **_when(recorded_at)}, _read_part)


def ask(
    tenant: str,
    run_id: str,
    prompt: str,
    *,
    interaction_id: str | None = None,
    kind: str = "approval",
    to: str | None = None,
    stage_id: str | None = None,
    recorded_at: datetime | None = None,
) -> Call[Part]:
    """Ask a question the run waits on. Raises `RunCancelled`, `RunFinished`, `StageNotFound`."""
    given: Arguments = {
        "prompt": ("text", _text(prompt, "prompt")),
        "interaction_id": ("text", _text(interaction_id, "interaction_id")),
        "kind": ("text", _text(kind, "kind")),
        "assignee": ("text", _text(to, "to")),
        "stage_id": ("text", _text(stage_id, "stage_id")),
    }
    return _call("ask", tenant, run_id, {**given, **_when(recorded_at)}, _read_part)


def resolve_interaction(
    tenant: str,
    run_id: str,
    interaction_id: str,
    answer: Json,
    *said: Said,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Part]:
    """Answer a question; the first answer stands.

    An approval takes ``{"outcome": "accept" | "decline", "note": …}`` and leaves ``approval.*`` annotations.
    Raises `InteractionNotFound`, `InteractionEnded`, `InvalidInput`.
    """
    given: Arguments = {
        "interaction_id": ("text", _text(interaction_id, "interaction_id")),
        "answer": ("jsonb", encode(answer, "answer")),
        "actor": _actor(actor),
        "annotations": ("jsonb", _items(list(notes_of(said)), "annotations")),
    }
    return _call("resolve_interaction", tenant, run_id, {**given, **_when(recorded_at)}, _read_part)


def cancel_interaction(
    tenant: str,
    run_id: str,
    interaction_id: str,
    *,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Part]:
    """Withdraw a question. Raises `InteractionNotFound`, `InteractionEnded`."""
    given: Arguments = {
        "interaction_id": ("text", _text(interaction_id, "interaction_id")),
        "actor": _actor(actor),
    }
    return _call("cancel_interaction", tenant, run_id, {**given, **_when(recorded_at)}, _read_part)


def interaction_state(tenant: str, run_id: str, interaction_id: str) -> Call[tuple[str, Json]]:
    """Read a question's status and, once it is resolved, its answer; ``("cancelled", None)`` where there is none."""
    sql = (
        "select status, answer from postil.interaction"
        " where tenant = cast(:tenant as text) and run_id = cast(:run_id as text) and id = cast(:id as text)"
    )
    return Call(
        sql,
        {"tenant": tenant, "run_id": run_id, "id": interaction_id},
        lambda rows: (rows[0][0], rows[0][1]) if rows else ("cancelled", None),
    )


def record_runs(tenant: str, histories: Sequence[Mapping[str, object]]) -> Call[list[History]]:
    """Record whole histories at once, each run all or nothing; one that is there already answers ``created=False``.

    A history is {run_id, name, status, recorded_at, started_at, ended_at, actor, trigger, input, result, error, metadata, steps};
    a step is {type, at, …} with the fields its type's event has. Raises `InvalidInput`, `IdempotencyConflict`.
    """
    sql = "select * from postil.record_runs(cast(:tenant as text), cast(:histories as jsonb))"
    parameters = {"tenant": _text(tenant, "tenant"), "histories": encode(list(histories), "histories")}
    return Call(sql, parameters, lambda rows: [History(*row) for row in rows])


# --- how a statement is put together


def _call(
    function: str,
    tenant: str,
    run_id: str,
    arguments: Mapping[str, tuple[str, object]],
    read: Callable[[Sequence[Row]], T],
) -> Call[T]:
    run: Arguments = {
        "tenant": ("text", _text(tenant, "tenant")),
        "run_id": ("text", _text(run_id, "run_id")),
    }
    given = {**run, **{name: argument for name, argument in arguments.items() if argument[1] is not None}}
    # Names and types are ours, never the caller's; a named argument left out takes the function's own default.
    passed = ", ".join(f"{name} => cast(:{name} as {kind})" for name, (kind, _) in given.items())
    sql = f"select * from postil.{function}({passed})"  # noqa: S608 (see the line above)
    return Call(sql, {name: value for name, (_, value) in given.items()}, read)


def _change_stage(
    function: str,
    tenant: str,
    run_id: str,
    stage_id: str,
    said: Sequence[Said],
    actor: Actor | None,
    recorded_at: datetime | None,
    more: Arguments,
) -> Call[Change]:
    arguments: Arguments = {
        "stage_id": ("text", _text(stage_id, "stage_id")),
        "annotations": ("jsonb", _items(list(notes_of(said)), "annotations")),
        "actor": _actor(actor),
    }
    return _call(function, tenant, run_id, {**arguments, **more, **_when(recorded_at)}, _read_change)


def _items(notes: Sequence[Note], place: str) -> str:
    items = [note.as_item(f"{place}[{n}]") for n, note in enumerate(notes)]
    return f"[{','.join(encode(item, f'{place}[{n}]', InvalidAnnotation) for n, item in enumerate(items))}]"


def _text(value: str | None, field: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] (callers without a checker)
        raise InvalidInput(f"{field} must be a text, this is a {type(value).__name__}.", field=field)
    return check_text(value, field)


def _json(value: Json, field: str) -> tuple[str, str | None]:
    return ("jsonb", None if value is None else encode(value, field))


def _actor(actor: Actor | None) -> tuple[str, str | None]:
    return ("jsonb", None if actor is None else encode(actor.as_json(), "actor"))


def _when(recorded_at: datetime | None) -> Arguments:
    spelled = None if recorded_at is None else rfc3339(recorded_at, "recorded_at")
    return {"recorded_at": ("timestamptz", spelled)}


def _read_recorded(rows: Sequence[Row]) -> list[Recorded]:
    return [Recorded(_uuid(id_), run_seq, created) for _, id_, run_seq, created in rows]


def _read_change(rows: Sequence[Row]) -> Change:
    notes = tuple(
        Recorded(_uuid(id_), run_seq, created) for item, id_, run_seq, created in rows if item is not None
    )
    run_seq, created = next((row[2], row[3]) for row in rows if row[0] is None)
    return Change(run_seq, created, notes)


def _read_part(rows: Sequence[Row]) -> Part:
    ((id_, run_seq, created),) = rows
    return Part(id_, run_seq, created)


def _uuid(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
