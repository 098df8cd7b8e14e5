"""Malformed triggers, batches and histories are refused by the path to the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixtures.malformed import NUL, SURROGATE, command_with, nested
from postil import Decision, NewAnnotation, Postil, Trigger, errors
from postil.commands import Annotate, AnnotateMany, Command, CreateRun, RecordRuns

ROWS: list[tuple[str, type[Command[Any]], dict[str, Any], str]] = [
    ("a trigger that is a dictionary", CreateRun, {"trigger": {"source": "api"}}, "trigger"),
    ("a trigger with a source in capitals", CreateRun, {"trigger": Trigger("API")}, "trigger.source"),
    ("a trigger with an empty action", CreateRun, {"trigger": Trigger(action="")}, "trigger.action"),
    (
        "a trigger with a long schedule",
        CreateRun,
        {"trigger": Trigger(schedule_id="x" * 3000)},
        "trigger.schedule_id",
    ),
    (
        "a trigger with NUL in its schedule",
        CreateRun,
        {"trigger": Trigger(schedule_id=NUL)},
        "trigger.schedule_id",
    ),
    ("histories that are a number", RecordRuns, {"histories": 5}, "histories"),
    ("a history with NUL in its id", RecordRuns, {"histories": [{"run_id": NUL}]}, "histories[0].run_id"),
    ("a history that is too deep", RecordRuns, {"histories": [nested(100_000)]}, "histories[0]"),
    ("a batch that is a list", AnnotateMany, {"annotations": ["run"]}, "annotations"),
    ("a batch without a list of annotations", AnnotateMany, {"annotations": {"run": {"a": 1}}}, "batch[0]"),
    ("a batch with a number for an id", AnnotateMany, {"annotations": {5: [{"a": 1}]}}, "batch[0].run_id"),
    (
        "an attempt that has not begun",
        Annotate,
        {"annotations": [NewAnnotation("a", 1, attempt=2)]},
        "annotations[0].attempt",
    ),
    ("attempt 0", Annotate, {"annotations": [NewAnnotation("a", 1, attempt=0)]}, "annotations[0].attempt"),
    (
        "a decision with a lone surrogate",
        Annotate,
        {"annotations": [Decision(outcome=SURROGATE)]},
        "annotations[0].value",
    ),
]


@pytest.mark.parametrize(
    ("command_type", "values", "field"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_malformed_field_is_refused_by_its_path(
    refusal: Callable[..., errors.WriteRefused],
    busy_run: str,
    command_type: type[Command[Any]],
    values: dict[str, Any],
    field: str,
) -> None:
    """A command with this malformed field raises `InvalidInput` with the path of the field."""
    error = refusal(command_with(command_type, busy_run, values), errors.InvalidInput)
    assert error.field == field


def test_an_unknown_command_is_refused(postil: Postil) -> None:
    """A class that `postil.commands` does not list has no write function: it raises ConfigurationError with advice."""

    class Mine(Annotate):
        """A command of a host system."""

    with pytest.raises(errors.ConfigurationError, match="A Mine is not a command") as refused:
        postil.send(Mine("run"))
    assert "postil.commands" in refused.value.advice
