"""A statement of the write protocol, and how its parameters are put together and its answer read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

from postil.errors import InvalidAnnotation
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike, NewAnnotation, notes_of
from postil.model.json_text import MAX_DEPTH, Json, check_text, encode
from postil.model.receipts import Receipt, RunReceipt
from postil.model.values import checked, rfc3339

T = TypeVar("T")
Row = Sequence[Any]
Argument: TypeAlias = "tuple[str, object]"
"""SQL type and value of an argument; one whose value is None is left out."""
Arguments: TypeAlias = "Mapping[str, Argument]"


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
    arguments: Arguments,
    read: Callable[[Sequence[Row]], T],
) -> Call[T]:
    """Build the call of one of our functions; an argument whose value is None takes the function's own default."""
    run: Arguments = {
        "tenant": text_parameter(tenant, "tenant"),
        "run_id": text_parameter(run_id, "run_id"),
    }
    given = {**run, **{name: argument for name, argument in arguments.items() if argument[1] is not None}}
    # Names and types are ours, never the caller's; a named argument left out takes the function's own default.
    passed = ", ".join(f"{name} => cast(:{name} as {kind})" for name, (kind, _) in given.items())
    sql = f"select * from postil.{function}({passed})"  # noqa: S608 (see the line above)
    return Call(sql, {name: value for name, (_, value) in given.items()}, read)


def items_parameter(
    said: Sequence[AnnotationLike], place: str, idempotency_key: str | None = None
) -> Argument:
    """Return what was said as the JSON array `postil.annotate` takes; `place` is what it is called in an error."""
    notes = notes_of(said, place, idempotency_key=idempotency_key)
    return ("jsonb", f"[{','.join(encode_item(note, f'{place}[{n}]') for n, note in enumerate(notes))}]")


def encode_item(note: NewAnnotation, place: str) -> str:
    """Return one note as JSON text; its value and payload may be as deep as JSON on its own."""
    return encode(note.as_item(place), place, InvalidAnnotation, max_depth=MAX_DEPTH + 1)


def text_parameter(value: str, field: str) -> Argument:
    """Return a text PostgreSQL can store, or raise `InvalidInput` naming the field."""
    return ("text", check_text(checked(value, str, field), field))


def optional_text_parameter(value: str | None, field: str) -> Argument:
    """Return a text that may be left out."""
    return ("text", None) if value is None else text_parameter(value, field)


def number_parameter(value: float | None, field: str) -> Argument:
    """Return a number; the database checks its range."""
    if value is None:
        return ("double precision", None)
    number = checked(value, (int, float), field)
    encode(number, field)  # refuses NaN, infinity, and integers beyond a double
    return ("double precision", float(number))


def json_parameter(value: Json, field: str) -> Argument:
    """Return a value as a jsonb argument; None says nothing."""
    return ("jsonb", None if value is None else encode(value, field))


def actor_parameter(actor: Actor | None) -> Argument:
    """Return an actor as a jsonb argument."""
    return ("jsonb", None if actor is None else encode(checked(actor, Actor, "actor").as_json(), "actor"))


def recorded_at_parameter(recorded_at: datetime | None) -> Arguments:
    """Return the argument that says when it happened, where that is not now."""
    spelled = None if recorded_at is None else rfc3339(recorded_at, "recorded_at")
    return {"recorded_at": ("timestamptz", spelled)}


def read_recorded(rows: Sequence[Row]) -> list[Receipt]:
    """Read the rows of `postil.annotate`: the receipt of each annotation, in the order given."""
    return [Receipt(id_, run_seq, created) for _kind, id_, run_seq, created in rows]


def read_change(rows: Sequence[Row]) -> RunReceipt:
    """Read the rows of a function that changes a run or stage: first its receipt, then those of the annotations."""
    (_kind, _id, run_seq, created), *annotations = rows
    return RunReceipt(run_seq, created, tuple(read_recorded(annotations)))


def read_part(rows: Sequence[Row]) -> Receipt:
    """Read the first row of a function about a tool call or interaction; receipts of annotations may follow it."""
    (_kind, id_, run_seq, created), *_annotations = rows
    return Receipt(id_, run_seq, created)
