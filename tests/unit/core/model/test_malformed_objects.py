"""Actors and conventions refuse malformed fields when they are built, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixtures.malformed import NAIVE, NUL
from postil import Actor, Approval, Decision, errors

ROWS: list[tuple[str, Callable[..., object], dict[str, Any], str]] = [
    ("NUL in an actor's id", Actor, {"kind": "user", "id": NUL}, "actor.id"),
    ("an actor without kind", Actor, {"kind": "", "id": "ada"}, "actor.kind"),
    (
        "a long version of an actor",
        Actor,
        {"kind": "user", "id": "ada", "version": "x" * 3000},
        "actor.version",
    ),
    ("an actor without id", Actor, {"kind": "user", "id": None}, "actor.id"),
    ("a number for an outcome", Decision, {"outcome": 5}, "decision.outcome"),
    ("NaN for a confidence", Decision, {"outcome": "x", "confidence": float("nan")}, "decision.confidence"),
    ("an unknown field of a decision", Decision, {"outcome": "x", "colour": "red"}, "decision.colour"),
    ("a number for an approver", Approval, {"approvers": ["a", 5]}, "approval.approvers[1]"),
    (
        "an approval's time without a zone",
        Approval,
        {"approvers": ["a"], "timestamp": NAIVE},
        "approval.timestamp",
    ),
]


@pytest.mark.parametrize(("build", "fields", "path"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_malformed_object_cannot_be_built(
    build: Callable[..., object], fields: dict[str, Any], path: str
) -> None:
    """Building it raises `InvalidInput` with advice and the path of the field."""
    with pytest.raises(errors.InvalidInput) as caught:
        build(**fields)
    assert caught.value.field == path
    assert caught.value.advice
