"""Parameters of the write functions: how a field of a command becomes the value of an SQL parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from postil.commands import Annotate, AnnotateMany, RecordRuns
from postil.model.actors import Actor
from postil.model.annotations import annotations_to_json
from postil.model.json_text import MAX_DEPTH, check_text, encode
from postil.model.origins import Context, Trigger
from postil.model.values import checked, rfc3339


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a write function."""

    name: str
    """Its name in SQL."""

    type: str
    """The SQL type that the value is cast to."""

    value: Callable[[Any], object]
    """Takes the command. Returns the value; None leaves the parameter out, and the function's own default applies.

    Raises `InvalidInput` or `InvalidAnnotation` with the path of a malformed field.
    """


def text(field: str, *, optional: bool = False, name: str | None = None) -> Parameter:
    """Return the parameter for a text. `name` is its name in SQL, by default that of the field."""

    def value(command: Any) -> object:
        if optional and getattr(command, field) is None:
            return None
        return check_text(checked(getattr(command, field), str, field), field)

    return Parameter(name or field, "text", value)


def json(field: str, *, optional: bool = True) -> Parameter:
    """Return the parameter for a JSON value. None is left out, or with ``optional=False`` JSON null."""

    def value(command: Any) -> object:
        value = getattr(command, field)
        return None if value is None and optional else encode(value, field)

    return Parameter(field, "jsonb", value)


def number(field: str) -> Parameter:
    """Return the parameter for a number; the database checks its range."""

    def value(command: Any) -> object:
        value = getattr(command, field)
        if value is None:
            return None
        encode(
            checked(value, (int, float), field), field
        )  # refuses NaN, infinity, and integers beyond a double
        return float(value)

    return Parameter(field, "double precision", value)


def flag(field: str, *, name: str, true: str, false: str) -> Parameter:
    """Return the text parameter for a flag that selects one of two words."""
    return Parameter(name, "text", lambda command: true if getattr(command, field) else false)


def record(field: str, kind: type[Actor | Context | Trigger]) -> Parameter:
    """Return the JSON parameter for an actor, a context or a trigger."""

    def value(command: Any) -> object:
        value = getattr(command, field)
        return None if value is None else encode(checked(value, kind, field).as_json(), field)

    return Parameter(field, "jsonb", value)


def _recorded_at(command: Any) -> object:
    value = command.recorded_at
    return None if value is None else rfc3339(value, "recorded_at")


def _annotate(command: Annotate) -> object:
    return annotations_to_json(command.annotations, idempotency_key=command.idempotency_key)


def _batch(command: AnnotateMany) -> object:
    common: dict[str, object] = {"live": command.live}
    if command.actor is not None:
        common["actor"] = checked(command.actor, Actor, "actor").as_json()
    if command.recorded_at is not None:
        common["recorded_at"] = rfc3339(command.recorded_at, "recorded_at")
    rest = encode(common, "batch").removeprefix("{")
    entries: list[str] = []
    for n, (run_id, batch) in enumerate(checked(command.annotations, Mapping, "annotations").items()):
        place = f"batch[{n}]"
        run = encode(checked(run_id, str, f"{place}.run_id"), f"{place}.run_id")
        array = annotations_to_json(
            checked(batch, (list, tuple), place),
            f"{place}.annotations",
            idempotency_key=command.idempotency_key,
        )
        entries.append(f'{{"run_id":{run},"annotations":{array},{rest}')
    return f"[{','.join(entries)}]"


def _histories(command: RecordRuns) -> object:
    histories = checked(command.histories, (list, tuple), "histories")
    # A value may be as deep in a step of a history as on its own.
    encoded = (
        encode(history, f"histories[{n}]", max_depth=MAX_DEPTH + 3) for n, history in enumerate(histories)
    )
    return f"[{','.join(encoded)}]"


RUN_ID = text("run_id")
STAGE_ID = text("stage_id", optional=True)
ACTOR = record("actor", Actor)
CONTEXT = record("context", Context)
TRIGGER = record("trigger", Trigger)
RECORDED_AT = Parameter("recorded_at", "timestamptz", _recorded_at)
LIVE = Parameter("live", "boolean", lambda command: command.live or None)
STATUS = flag("failed", name="status", true="failed", false="completed")
ANNOTATIONS = Parameter("annotations", "jsonb", lambda command: annotations_to_json(command.annotations))
ANNOTATIONS_WITH_KEY = Parameter("annotations", "jsonb", _annotate)
BATCH = Parameter("batch", "jsonb", _batch)
HISTORIES = Parameter("histories", "jsonb", _histories)
