"""A statement of the write protocol, and how its parameters are put together and its answer read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from postil.errors import InvalidAnnotation, InvalidInput
from postil.jsontext import Json, check_text, encode
from postil.model import Actor, Change, Note, Part, Recorded, rfc3339

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


def call(
    function: str,
    tenant: str,
    run_id: str,
    arguments: Mapping[str, tuple[str, object]],
    read: Callable[[Sequence[Row]], T],
) -> Call[T]:
    """Build the call of one of our functions; an argument whose value is None takes the function's own default."""
    run: Arguments = {
        "tenant": ("text", text_parameter(tenant, "tenant")),
        "run_id": ("text", text_parameter(run_id, "run_id")),
    }
    given = {**run, **{name: argument for name, argument in arguments.items() if argument[1] is not None}}
    # Names and types are ours, never the caller's; a named argument left out takes the function's own default.
    passed = ", ".join(f"{name} => cast(:{name} as {kind})" for name, (kind, _) in given.items())
    sql = f"select * from postil.{function}({passed})"  # noqa: S608 (see the line above)
    return Call(sql, {name: value for name, (_, value) in given.items()}, read)


def items_parameter(notes: Sequence[Note], place: str) -> str:
    """Return notes as the JSON array `postil.annotate` takes; `place` is what it is called in an error."""
    items = [note.as_item(f"{place}[{n}]") for n, note in enumerate(notes)]
    return f"[{','.join(encode(item, f'{place}[{n}]', InvalidAnnotation) for n, item in enumerate(items))}]"


def text_parameter(value: str | None, field: str) -> str | None:
    """Return a text PostgreSQL can store, or raise `InvalidInput` naming the field."""
    if value is None:
        return None
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] (callers without a checker)
        raise InvalidInput(f"{field} must be a text, this is a {type(value).__name__}.", field=field)
    return check_text(value, field)


def json_parameter(value: Json, field: str) -> tuple[str, str | None]:
    """Return a value as a jsonb argument; None says nothing."""
    return ("jsonb", None if value is None else encode(value, field))


def actor_parameter(actor: Actor | None) -> tuple[str, str | None]:
    """Return an actor as a jsonb argument."""
    return ("jsonb", None if actor is None else encode(actor.as_json(), "actor"))


def recorded_at_parameter(recorded_at: datetime | None) -> Arguments:
    """Return the argument that says when it happened, where that is not now."""
    spelled = None if recorded_at is None else rfc3339(recorded_at, "recorded_at")
    return {"recorded_at": ("timestamptz", spelled)}


def read_recorded(rows: Sequence[Row]) -> list[Recorded]:
    """Read the answer of `postil.annotate`."""
    return [Recorded(_uuid(id_), run_seq, created) for _, id_, run_seq, created in rows]


def read_change(rows: Sequence[Row]) -> Change:
    """Read the answer of a function that changes a run or stage: its own event has no item."""
    notes = tuple(
        Recorded(_uuid(id_), run_seq, created) for item, id_, run_seq, created in rows if item is not None
    )
    run_seq, created = next((row[2], row[3]) for row in rows if row[0] is None)
    return Change(run_seq, created, notes)


def read_part(rows: Sequence[Row]) -> Part:
    """Read the answer of a function about one tool call or interaction."""
    ((id_, run_seq, created),) = rows
    return Part(id_, run_seq, created)


def _uuid(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
