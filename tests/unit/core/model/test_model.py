"""The types of the model: what conventions expand to, and which values are refused."""

from __future__ import annotations

import json
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
    Context,
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
from postil.model.annotations import annotations_to_json, expand, renumber_groups
from postil.model.identifiers import KEY, check_key
from postil.model.values import rfc3339

NAIVE = datetime(2020, 1, 1)  # noqa: DTZ001 (that is the point)


class Review(Convention):
    """A convention of a host system."""

    prefix = "review"
    stars: int = Field(ge=1, le=5)
    tags: list[str] | None = None


class Unnamed(Convention):
    """A convention without fields."""

    prefix = "bad"


class Optional(Convention):
    """A convention whose fields may all be None."""

    prefix = "optional"
    word: str | None = None


def expanded(*annotations: Any, **call: Any) -> list[tuple[str, Any]]:
    return [(annotation.key, annotation.value) for annotation in expand(annotations, **call)]


def test_a_convention_expands_to_its_keys() -> None:
    """Each field that is not None becomes one key with its JSON value, in order."""
    when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert expanded(Decision(outcome="x", confidence=0, used_fallback=False)) == [
        ("decision.outcome", "x"),
        ("decision.confidence", 0.0),
        ("decision.used_fallback", False),
    ]
    assert expanded(Approval(approvers=["a"], timestamp=when)) == [
        ("approval.approvers", ["a"]),
        ("approval.timestamp", "2020-01-02T03:04:05Z"),
    ]
    assert expanded(Review(stars=5), Revision(previous_run_id="r")) == [
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
def test_a_typed_key_accepts_its_type_only(key: str, value: Any) -> None:
    """A registered key is checked in a dictionary and in a `NewAnnotation` too."""
    for one in ({key: value}, NewAnnotation(key, value)):
        with pytest.raises(InvalidAnnotation) as refused:
            annotations_to_json([{"good": 1}, one])
        assert str(refused.value.field).startswith("annotations[1].value")
        assert key in refused.value.what


def test_a_typed_key_accepts_its_type_and_null() -> None:
    """JSON null is valid for every key."""
    good = {
        "decision.confidence": 1,
        "review.tags": ["x"],
        "approval.timestamp": "2020-01-01T00:00:00Z",
        "decision.outcome": None,
    }
    assert dict(expanded(good)) == good


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
def test_a_convention_names_the_field_it_refuses(make: Any, field: str) -> None:
    """The error of a malformed convention has the path of the field."""
    with pytest.raises(InvalidAnnotation) as refused:
        make()
    assert refused.value.field == field


def test_a_nested_convention_fails_as_pydantic_does() -> None:
    """A web framework turns pydantic's own error into a 422; ours must become part of it."""

    class Body(BaseModel):
        decision: Decision

    assert Body.model_validate({"decision": {"outcome": "x"}}).decision == Decision(outcome="x")
    with pytest.raises(ValidationError):
        Body.model_validate({"decision": {"outcome": 5}})
    with pytest.raises(ValidationError):
        Body.model_validate_json('{"decision": {}}')


def test_a_convention_with_an_invalid_key_is_refused() -> None:
    """The class statement itself fails, so that no write can fail later."""
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


def test_a_payload_belongs_to_the_first_key_of_its_group() -> None:
    """A convention's payload is stored once, and its annotations share one group."""
    annotations = json.loads(
        annotations_to_json([{"a": 1}, Decision(outcome="x", rationale="y", payload=None)])
    )
    assert [annotation.get("payload", "none") for annotation in annotations] == ["none", None, "none"]
    assert ["group" in annotation for annotation in annotations] == [False, True, True]
    assert annotations[1]["group"] == annotations[2]["group"]


def test_a_payload_without_a_key_is_refused() -> None:
    """A convention whose fields are all None writes nothing, so its payload would be lost."""
    assert expanded(Optional()) == []
    with pytest.raises(InvalidAnnotation, match="payload"):
        expanded(Optional(payload={"a": 1}))


def test_groups_of_single_annotations_stay_apart() -> None:
    """Annotations that bring a group number never share the group of a convention in the same call."""
    single = expand([Decision(outcome="x", rationale="y")])
    annotations = expand([*single, Decision(outcome="z"), Review(stars=1)])
    groups = [annotation.group for annotation in annotations]
    assert groups[:2] == [0, 0]
    assert len(set(groups)) == 3
    last = max(group for group in groups if group is not None)
    assert [annotation.group for annotation in renumber_groups(single, annotations)] == [last + 1] * 2


def test_every_field_of_an_annotation_is_encoded() -> None:
    """The JSON form has each field that is given, and no other."""
    time = datetime(2020, 1, 2, tzinfo=UTC)
    full = NewAnnotation("a", "ü", {"p": [1]}, user("ada"), "s", "i", "g", 1, 2, "k", time, 3)
    bare, whole = json.loads(annotations_to_json([NewAnnotation("b", None), full]))
    assert bare == {"key": "b", "value": None}
    assert whole == {
        "key": "a", "value": "ü", "payload": {"p": [1]}, "scope": "s", "scope_id": "i", "stage_id": "g",
        "attempt": 1, "try": 2, "idempotency_key": "k", "group": 3, "recorded_at": time.isoformat(),
        "actor": {"kind": "user", "id": "ada", "version": None},
    }  # fmt: skip


def test_an_idempotency_key_of_the_call_is_a_default() -> None:
    """An annotation keeps its idempotency key; the others get that of the call."""
    own, other = expand([NewAnnotation("a", 1, idempotency_key="own"), {"b": 1}], idempotency_key="call")
    assert (own.idempotency_key, other.idempotency_key) == ("own", "call")


@given(st.text(max_size=250))
def test_a_valid_key_is_lower_case_dotted_segments(key: str) -> None:
    """Every key that passes has at most 200 characters, in lower case, and no empty segment."""
    with suppress(InvalidAnnotation):
        check_key(key, "key")
        assert len(key) <= 200
        assert key == key.lower()
        assert all(segment and segment.isascii() and " " not in segment for segment in key.split("."))


@given(st.from_regex(KEY, fullmatch=True).filter(lambda key: len(key) <= 200))
def test_every_key_of_the_grammar_is_valid(key: str) -> None:
    """Every text that matches the grammar and has at most 200 characters passes."""
    check_key(key, "key")


@pytest.mark.parametrize(
    "key", ["", "x" * 201, "A", "a.", ".a", "a..b", "a b", "a\n", "1", "a.-b", None, 5, ["a"]]
)
def test_any_other_key_is_refused(key: Any) -> None:
    """Empty, long, upper-case and non-text keys raise InvalidAnnotation."""
    with pytest.raises(InvalidAnnotation):
        check_key(key, "key")


def test_an_actor_has_a_kind_an_id_and_a_version() -> None:
    """The helpers set the kind; a malformed part is refused with its path."""
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
            Actor(*bad)
        assert str(refused.value.field).startswith("actor.")


def test_a_trigger_has_a_source_and_an_action() -> None:
    """The JSON form of a trigger has all three fields."""
    assert Trigger("schedule", "replay", "n").as_json() == {
        "source": "schedule",
        "action": "replay",
        "schedule_id": "n",
    }


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=st.timezones()))  # noqa: DTZ001 (the strategy needs naive bounds)
def test_a_time_is_formatted_in_utc(time: datetime) -> None:
    """The text is the same moment, with the offset of UTC."""
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
def test_a_time_without_a_zone_is_refused(time: Any) -> None:
    """A naive time, a time beyond the year 9999 and another type raise InvalidInput."""
    with pytest.raises(InvalidInput) as refused:
        rfc3339(time, "at")
    assert refused.value.field == "at"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Context(traceparent="abc"), "context.traceparent"),
        (lambda: Context(traceparent="00-" + "A" * 32 + "-" + "1" * 16 + "-01"), "context.traceparent"),
        (lambda: Context(causation_id=""), "context.causation_id"),
        (lambda: Context(causation_id="x" * 201), "context.causation_id"),
        (lambda: Context(causation_id=5), "context.causation_id"),
    ],
)
def test_a_malformed_context_is_refused(make: Any, field: str) -> None:
    """A context checks its parts when it is made, as the database does."""
    with pytest.raises(InvalidInput) as refused:
        make()
    assert refused.value.field == field


def test_a_context_has_the_parts_that_are_given() -> None:
    """A part that is None is absent from the JSON form."""
    traceparent = "00-" + "a" * 32 + "-" + "1" * 16 + "-01"
    assert Context().as_json() == {}
    assert Context(traceparent).as_json() == {"traceparent": traceparent}
    assert Context(causation_id="c").as_json() == {"causation_id": "c"}


def test_an_iterator_of_annotations_is_refused() -> None:
    """Annotations from a generator are refused: it would be empty when they are written."""
    with pytest.raises(
        InvalidAnnotation, match=r"annotations must be a list or a tuple, this is a generator"
    ):
        expand(annotation for annotation in [{"a": 1}])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] (a caller without a checker)
