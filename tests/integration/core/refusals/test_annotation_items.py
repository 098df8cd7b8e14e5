"""Every command that takes annotations refuses a malformed one by its index and the path within it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fixtures.malformed import (
    JSON_VALUES,
    LARGE_VALUES,
    NAIVE,
    NUL,
    SURROGATE,
    command_with,
    fields_of_type,
    nested,
)
from postil import Decision, NewAnnotation, Postil, errors
from postil.commands import AnnotateMany, Command

Refusal = Callable[..., errors.WriteRefused]
LONG = "x" * 201
KEYS: list[Any] = ["", LONG, "Upper", "a..b", ".a", "a.", "a b", "a\n", "1a", "ä", NUL, SURROGATE, None, 5]
COMMANDS = [parameter.values[0] for parameter in fields_of_type("Sequence[AnnotationLike]")]

FIELDS: list[tuple[str, dict[str, Any], type[errors.InvalidInput]]] = [
    ("scope", {"scope": ""}, errors.InvalidAnnotation),
    ("scope_id", {"scope_id": LONG}, errors.InvalidAnnotation),
    ("stage_id", {"stage_id": 5}, errors.InvalidAnnotation),
    ("idempotency_key", {"idempotency_key": LONG}, errors.InvalidAnnotation),
    ("attempt", {"attempt": -1}, errors.InvalidAnnotation),
    ("try", {"try_": 1.5}, errors.InvalidAnnotation),
    ("try", {"try_": 10**12}, errors.InvalidAnnotation),
    ("actor", {"actor": "ada"}, errors.InvalidInput),
    ("recorded_at", {"recorded_at": NAIVE}, errors.InvalidInput),
]


def commands_with(run_id: str, *annotations: Any) -> Iterator[tuple[Command[Any], str]]:
    """Yield each command that takes annotations, with these annotations, and the path of their list."""
    for command_type in COMMANDS:
        yield command_with(command_type, run_id, {"annotations": annotations}), "annotations"
    yield AnnotateMany({run_id: annotations}), "batch[0].annotations"


@pytest.fixture
def check(refusal: Refusal, busy_run: str) -> Callable[..., None]:
    """Sends a valid annotation and a malformed one with every command, and checks the error's class and field."""

    def check_all(malformed: Any, path: str, error_type: type[errors.WriteRefused]) -> None:
        for command, place in commands_with(busy_run, {"good": 1}, malformed):
            name = type(command).__name__
            error = refusal(command, errors.WriteRefused)
            assert (name, type(error), error.field) == (name, error_type, f"{place}[1]{path}")

    return check_all


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key)[:20])
def test_a_malformed_key_is_refused(check: Callable[..., None], key: Any) -> None:
    """A key that is not lower-case dotted segments is refused, in a dictionary and in a `NewAnnotation`."""
    check({key: 1}, ".key", errors.InvalidAnnotation)
    check(NewAnnotation(key, 1), ".key", errors.InvalidAnnotation)


@pytest.mark.parametrize(("value", "path"), JSON_VALUES.values(), ids=JSON_VALUES)
def test_a_value_or_payload_that_is_not_json_is_refused(
    check: Callable[..., None], value: Any, path: str
) -> None:
    """A value or payload that is not JSON is refused by the path to the part at fault."""
    check({"k": value}, f".value{path}", errors.InvalidAnnotation)
    check(NewAnnotation("k", 1, payload=value), f".payload{path}", errors.InvalidAnnotation)


@pytest.mark.parametrize("levels", [65, 100_000])
def test_a_value_deeper_than_64_levels_is_refused(refusal: Refusal, busy_run: str, levels: int) -> None:
    """A value of more than 64 levels is refused, and the error states the limit."""
    for command, place in commands_with(busy_run, {"k": nested(levels)}):
        error = refusal(command, errors.InvalidAnnotation)
        assert error.field == f"{place}[0].value"
        assert "64 levels" in error.what


@pytest.mark.parametrize("value", LARGE_VALUES.values(), ids=LARGE_VALUES)
def test_a_large_value_or_payload_is_refused(check: Callable[..., None], value: Any) -> None:
    """A value over 16 KiB or a payload over 256 KiB raises `PayloadTooLarge` with its path."""
    check({"k": value}, ".value", errors.PayloadTooLarge)
    check(NewAnnotation("k", 1, payload=value), ".payload", errors.PayloadTooLarge)


@pytest.mark.parametrize(("field", "values", "error_type"), FIELDS, ids=lambda part: str(part)[:40])
def test_a_malformed_field_of_an_annotation_is_refused(
    check: Callable[..., None], field: str, values: dict[str, Any], error_type: type[errors.InvalidInput]
) -> None:
    """A malformed field of a `NewAnnotation` is refused by its name."""
    check(NewAnnotation("k", 1, **values), f".{field}", error_type)


@pytest.mark.parametrize("item", ["text", 5, None, [1], Decision], ids=str)
def test_what_is_not_an_annotation_is_refused(check: Callable[..., None], item: Any) -> None:
    """An item of any other type than a convention, dictionary or `NewAnnotation` is refused by its index."""
    check(item, "", errors.InvalidAnnotation)


@pytest.mark.parametrize(
    "annotation",
    [
        {"decision.confidence": "0.9"},
        {"decision.confidence": 2},
        {"approval.timestamp": "2020-01-01T00:00:00"},
    ],
    ids=str,
)
def test_a_convention_key_takes_only_values_of_its_type(
    check: Callable[..., None], annotation: dict[str, Any]
) -> None:
    """A key of a convention refuses a value of another type, also when a plain dictionary sets it."""
    check(annotation, ".value", errors.InvalidAnnotation)


def test_a_value_may_be_64_levels_deep(postil: Postil, record: Any, busy_run: str) -> None:
    """Every write stores a value of exactly 64 levels."""
    deep = nested(64)
    postil.annotate(busy_run, {"a": deep}, NewAnnotation("b", 1, payload=deep))
    postil.record_tool_call(busy_run, "t", arguments=deep, result=deep)
    steps = [
        {"type": "annotation:created", "key": "a", "value": deep, "payload": deep},
        {"type": "tool_call:completed", "id": "t", "name": "t", "result": deep},
    ]
    postil.record_runs([{"run_id": f"{busy_run}-history", "input": deep, "steps": steps}])
    assert record.events(f"{busy_run}-history")[1][1]["value"] == deep
