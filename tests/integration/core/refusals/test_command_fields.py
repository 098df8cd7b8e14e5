"""Each field of each command refuses what its type cannot hold, and names itself in the error.

The fields come from the command classes, so a new field is tested without a change here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from fixtures.malformed import (
    ACTORS,
    JSON_VALUES,
    LARGE_VALUES,
    NUMBERS,
    TEXTS,
    TIMES,
    command_with,
    fields_of_type,
    nested,
    valid_commands,
)
from postil import commands, errors
from postil.commands import Command, RunCommand

Refusal = Callable[..., errors.WriteRefused]
CommandType = type[Command[Any]]

NOT_FOUND = (
    errors.RunNotFound,
    errors.StageNotFound,
    errors.ToolCallNotFound,
    errors.InteractionNotFound,
)
TESTED_TYPES = ("str", "str | None", "Json", "datetime | None", "Actor | None", "float | None")
OTHER_FIELDS = {"annotations", "histories", "trigger", "context", "pending", "failed", "live"}
MAX_CHARACTERS = {"prompt": 10_000, "reason": 2_000}  # any other text has at most 200
KEY_PATHS = {
    commands.Annotate: "annotations[0].idempotency_key",
    commands.AnnotateMany: "batch[0].annotations[0].idempotency_key",
}
# The database checks the length of a text and the first year of a time, and knows other paths than Python.
DATABASE_PATHS = {
    (commands.Ask, "to"): "assignee",
    (commands.Annotate, "stage_id"): "annotations[0].stage_id",
    (commands.AnnotateMany, "recorded_at"): "batch[0].recorded_at",
}


def path_of(command_type: CommandType, field: str) -> str:
    """Return the path by which an error names the field of a command."""
    return KEY_PATHS[command_type] if field == "idempotency_key" else field


def test_every_command_and_field_is_tried() -> None:
    """A new command, or a field of a new type, fails here until a test covers it."""
    names = {name for name in commands.__all__ if name not in {"Command", "RunCommand", "Context"}}
    assert {type(command).__name__ for command in valid_commands("run")} == names
    untested = {
        field.name
        for command in valid_commands("run")
        for field in fields(command)
        if field.type not in TESTED_TYPES
    }
    assert untested == OTHER_FIELDS


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(("command_type", "field"), fields_of_type("str", "str | None"))
def test_a_malformed_text_is_refused_by_its_field(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str, text: object
) -> None:
    """NUL, a lone surrogate, a number and bytes raise `InvalidInput` with the path of the text's field."""
    error = refusal(command_with(command_type, busy_run, {field: text}), errors.InvalidInput)
    assert error.field == path_of(command_type, field)


@pytest.mark.parametrize(("command_type", "field"), fields_of_type("str"))
def test_none_for_a_required_text_is_refused(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str
) -> None:
    """None for a text without a default raises `InvalidInput` with the field."""
    error = refusal(command_with(command_type, busy_run, {field: None}), errors.InvalidInput)
    assert error.field == field


def check_length_refusal(
    refusal: Refusal, run_id: str, command_type: CommandType, field: str, text: str
) -> None:
    """Check that a text is refused by its field: as malformed, or as the id of nothing."""
    error = refusal(command_with(command_type, run_id, {field: text}), errors.InvalidInput, *NOT_FOUND)
    if field == "run_id" and isinstance(error, errors.RunNotFound):
        assert error.field is None
    else:
        assert error.field == DATABASE_PATHS.get((command_type, field), path_of(command_type, field))


@pytest.mark.parametrize(
    ("command_type", "field"),
    [case for case in fields_of_type("str", "str | None") if case.id != "CancelRun.reason"],
)
def test_an_empty_text_is_refused(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str
) -> None:
    """An empty text is malformed; where the id of an existing object is expected, it is not found."""
    check_length_refusal(refusal, busy_run, command_type, field, "")


@pytest.mark.parametrize(("command_type", "field"), fields_of_type("str", "str | None"))
def test_a_text_over_its_limit_is_refused(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str
) -> None:
    """One character over the limit is malformed; where the id of an existing object is expected, it is not found."""
    text = "x" * (MAX_CHARACTERS.get(field, 200) + 1)
    check_length_refusal(refusal, busy_run, command_type, field, text)


@pytest.mark.parametrize(("value", "path"), JSON_VALUES.values(), ids=JSON_VALUES)
@pytest.mark.parametrize(("command_type", "field"), fields_of_type("Json"))
def test_malformed_json_is_refused_by_the_path_to_it(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str, value: object, path: str
) -> None:
    """A value that is not JSON raises `InvalidInput` with the path to the part at fault."""
    error = refusal(command_with(command_type, busy_run, {field: value}), errors.InvalidInput)
    assert error.field == f"{field}{path}"


@pytest.mark.parametrize("levels", [65, 100_000])
@pytest.mark.parametrize(("command_type", "field"), fields_of_type("Json"))
def test_json_deeper_than_64_levels_is_refused(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str, levels: int
) -> None:
    """A value of more than 64 levels raises `InvalidInput` with the field and the limit."""
    error = refusal(command_with(command_type, busy_run, {field: nested(levels)}), errors.InvalidInput)
    assert error.field == field
    assert "64 levels" in error.what


@pytest.mark.parametrize("value", LARGE_VALUES.values(), ids=LARGE_VALUES)
@pytest.mark.parametrize(("command_type", "field"), fields_of_type("Json"))
def test_json_over_256_kib_is_refused(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str, value: object
) -> None:
    """A value over 256 KiB, as sent or as the database writes it, raises `PayloadTooLarge` with the field."""
    error = refusal(command_with(command_type, busy_run, {field: value}), errors.PayloadTooLarge)
    assert error.field == field


@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize(("command_type", "field"), fields_of_type("datetime | None"))
def test_a_malformed_time_is_refused_by_its_field(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str, time: object
) -> None:
    """A time without a zone, out of range or of another type raises `InvalidInput` with the field."""
    error = refusal(command_with(command_type, busy_run, {field: time}), errors.InvalidInput)
    assert error.field in {field, DATABASE_PATHS.get((command_type, field))}


@pytest.mark.parametrize("actor", ACTORS.values(), ids=ACTORS)
@pytest.mark.parametrize(("command_type", "field"), fields_of_type("Actor | None"))
def test_an_actor_of_another_type_is_refused(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str, actor: object
) -> None:
    """An actor that is not an `Actor` raises `InvalidInput` with the field."""
    error = refusal(command_with(command_type, busy_run, {field: actor}), errors.InvalidInput)
    assert error.field == field


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize(("command_type", "field"), fields_of_type("float | None"))
def test_a_malformed_number_is_refused_by_its_field(
    refusal: Refusal, busy_run: str, command_type: CommandType, field: str, number: object
) -> None:
    """A negative, infinite or too large duration, or one of another type, raises `InvalidInput` with the field."""
    error = refusal(command_with(command_type, busy_run, {field: number}), errors.InvalidInput)
    assert error.field == field


@pytest.mark.parametrize(
    "command_type",
    [
        t
        for t in map(type, valid_commands("run"))
        if issubclass(t, RunCommand) and t is not commands.CreateRun
    ],
    ids=lambda command_type: command_type.__name__,
)
def test_an_unknown_run_is_not_found(refusal: Refusal, run: str, command_type: CommandType) -> None:
    """A command on a run that does not exist raises `RunNotFound`, whose text names the run."""
    unknown = f"{run}-unknown"
    error = refusal(command_with(command_type, unknown, {}), errors.RunNotFound)
    assert unknown in error.what
