"""The words of Postil as types: what conventions expand to, and what they hold their values to."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from postil import (
    Actor,
    Approval,
    Convention,
    Decision,
    NewAnnotation,
    Revision,
    Trigger,
    agent,
    system,
    user,
)
from postil.errors import InvalidAnnotation, InvalidInput
from postil.model.annotations import notes_of, regrouped
from postil.model.keys import KEY, check_key
from postil.model.values import rfc3339

NAIVE = datetime(2020, 1, 1)  # noqa: DTZ001 (that is the point)


class Review(Convention):
    """A convention of somebody else's."""

    prefix = "review"
    stars: int = Field(ge=1, le=5)
    tags: list[str] | None = None


class Unnamed(Convention):
    """A base for models made on the fly."""

    prefix = "bad"


class Optional(Convention):
    """A convention that need not say anything."""

    prefix = "optional"
    word: str | None = None


def said(*what: Any, **call: Any) -> list[tuple[str, Any]]:
    return [(note.key, note.value) for note in notes_of(what, **call)]


def test_a_convention_expands_to_the_keys_it_says() -> None:
    when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert said(Decision(outcome="x", confidence=0, used_fallback=False)) == [
        ("decision.outcome", "x"),
        ("decision.confidence", 0.0),
        ("decision.used_fallback", False),
    ]
    assert said(Approval(approvers=["a"], timestamp=when)) == [
        ("approval.approvers", ["a"]),
        ("approval.timestamp", "2020-01-02T03:04:05Z"),
    ]
    assert said(Review(stars=5), Revision(previous_run_id="r")) == [
        ("review.stars", 5),
        ("revision.previous_run_id", "r"),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decision.outcome", 5),
        ("decision.confidence", "0.9"),
        ("decision.confidence", 1.1),
        ("decision.confidence", True),
        ("decision.alternatives", "a"),
        ("decision.alternatives", ["a", 1]),
        ("approval.approvers", []),
        ("approval.timestamp", "yesterday"),
        ("approval.timestamp", "2020-01-01T00:00:00"),
        ("review.stars", 6),
        ("review.stars", 1.5),
    ],
)
def test_a_typed_key_is_held_to_its_type_however_it_is_said(key: str, value: Any) -> None:
    for one in ({key: value}, NewAnnotation(key, value)):
        with pytest.raises(InvalidAnnotation) as refused:
            list(notes_of([{"good": 1}, one]))
        assert str(refused.value.field).startswith("annotations[1].value")
        assert key in refused.value.what


def test_a_typed_key_takes_its_type_and_null() -> None:
    good = {
        "decision.confidence": 1,
        "review.tags": ["x"],
        "approval.timestamp": "2020-01-01T00:00:00Z",
        "decision.outcome": None,
    }
    assert dict(said(good)) == good


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (Decision, "decision.outcome"),
        (lambda: Decision(outcome=5), "decision.outcome"),
        (lambda: Decision(outcome="x", alternatives=["a", 5]), "decision.alternatives[1]"),
        (lambda: Review(stars=0), "review.stars"),
        (lambda: Review(stars=1, colour="red"), "review.colour"),
        (lambda: Approval(approvers=["a"], timestamp=NAIVE), "approval.timestamp"),
    ],
)
def test_a_convention_refuses_what_it_is_not_by_its_field(make: Any, field: str) -> None:
    with pytest.raises(InvalidAnnotation) as refused:
        make()
    assert refused.value.field == field


def test_inside_another_model_a_convention_fails_as_pydantic_does() -> None:
    """A web framework turns pydantic's own error into a 422; ours must become part of it."""

    class Body(BaseModel):
        decision: Decision

    assert Body.model_validate({"decision": {"outcome": "x"}}).decision == Decision(outcome="x")
    with pytest.raises(ValidationError):
        Body.model_validate({"decision": {"outcome": 5}})
    with pytest.raises(ValidationError):
        Body.model_validate_json('{"decision": {}}')


def test_a_convention_with_a_key_nobody_could_write_is_refused_where_it_is_made() -> None:
    with pytest.raises(InvalidAnnotation):
        type("Bad", (Convention,), {"prefix": "Bad", "__module__": __name__})
    with pytest.raises(InvalidAnnotation):
        type(
            "Bad",
            (Convention,),
            {
                "prefix": "bad",
                "camelCase": "x",
                "__annotations__": {"camelCase": str},
                "__module__": __name__,
            },
        )


def test_a_payload_goes_with_the_first_key_of_its_group_once() -> None:
    notes = list(notes_of([{"a": 1}, Decision(outcome="x", rationale="y", payload=None)]))
    assert [note.as_item("i").get("payload", "none") for note in notes] == ["none", None, "none"]
    assert [note.group is None for note in notes] == [True, False, False]
    assert notes[1].group == notes[2].group


def test_a_payload_without_a_key_is_refused_and_not_dropped() -> None:
    assert said(Optional()) == []
    with pytest.raises(InvalidAnnotation, match="payload"):
        said(Optional(payload={"a": 1}))


def test_groups_that_notes_bring_are_kept_apart_from_the_calls_own() -> None:
    brought = list(notes_of([Decision(outcome="x", rationale="y")]))
    notes = list(notes_of([*brought, Decision(outcome="z"), Review(stars=1)]))
    assert [note.group for note in notes] == [0, 0, *sorted({note.group for note in notes[2:]})]
    assert len({note.group for note in notes}) == 3
    assert [note.group for note in regrouped(brought, notes)] == [
        1 + max(n.group for n in notes if n.group is not None)
    ] * 2


@given(st.text(max_size=250))
def test_a_key_is_lower_case_dotted_segments_of_at_most_200_characters(key: str) -> None:
    with suppress(InvalidAnnotation):
        check_key(key, "key")
        assert len(key) <= 200
        assert key == key.lower()
        assert all(segment and segment.isascii() and " " not in segment for segment in key.split("."))


@given(st.from_regex(KEY, fullmatch=True).filter(lambda key: len(key) <= 200))
def test_such_a_key_is_taken(key: str) -> None:
    check_key(key, "key")


@pytest.mark.parametrize(
    "key", ["", "x" * 201, "A", "a.", ".a", "a..b", "a b", "a\n", "1", "a.-b", None, 5, ["a"]]
)
def test_any_other_key_is_refused(key: Any) -> None:
    with pytest.raises(InvalidAnnotation):
        check_key(key, "key")


def test_actors_say_who() -> None:
    assert agent("triage", "2.1") == Actor("agent", "triage", "2.1")
    assert user("ada").as_json() == {"kind": "user", "id": "ada", "version": None}
    assert system("cron", "1").kind == "system"
    for bad in (
        ("", "x", None),
        ("user", "", None),
        ("user", "x" * 201, None),
        ("user", "\x00", None),
        ("user", "x", ""),
        (5, "x", None),
    ):
        with pytest.raises(InvalidInput) as refused:
            Actor(*bad)  # type: ignore[arg-type]
        assert str(refused.value.field).startswith("actor.")


def test_a_trigger_is_source_and_action() -> None:
    assert Trigger("schedule", "replay", "n").as_json() == {
        "source": "schedule",
        "action": "replay",
        "schedule_id": "n",
    }


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=st.timezones()))  # noqa: DTZ001
def test_a_time_is_spelled_in_utc(time: datetime) -> None:
    spelled = rfc3339(time, "at")
    assert spelled.endswith("+00:00")
    assert datetime.fromisoformat(spelled) == time.astimezone(UTC)


@pytest.mark.parametrize(
    "time",
    [
        NAIVE,
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
        "now",
        None,
    ],
)
def test_what_is_no_moment_is_refused(time: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        rfc3339(time, "at")
    assert refused.value.field == "at"
