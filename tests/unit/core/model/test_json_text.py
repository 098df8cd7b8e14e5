"""Values become the JSON text PostgreSQL stores, or are refused by the path to what has no JSON form."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postil.errors import InvalidAnnotation, InvalidInput
from postil.model.json_text import MAX_DEPTH, check_text, encode

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


@given(values)
def test_an_encoded_value_parses_back(value: Any) -> None:
    """Parsing the text returns an equal value."""
    assert json.loads(encode(value, "value")) == value


@given(values)
def test_the_text_is_compact_utf8(value: Any) -> None:
    """The text has no spaces between tokens, and no escapes for Unicode."""
    text = encode(value, "value")
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text.encode()


@given(
    st.recursive(
        st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_refusal_has_the_path_of_the_value(value: Any) -> None:
    """Every path starts with the name of the field, for any value."""
    field: str | None = "value"
    try:
        encode(value, "value")
    except InvalidInput as refused:
        field = refused.field
    assert str(field).startswith("value")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, (2,)), "[1,[2]]"),
        (MappingProxyType({"a": OrderedDict(b=1)}), '{"a":{"b":1}}'),
        ({"é": "\u2028\x7f"}, '{"é":"\u2028\x7f"}'),
        (True, "true"),
        (-0.0, "-0.0"),
    ],
)
def test_tuples_and_mappings_have_a_json_form(value: Any, text: str) -> None:
    """Tuples become arrays, and every Mapping becomes an object."""
    assert encode(value, "value") == text


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("\x00", "value"),
        (["a", {"b": "\udfff"}], "value[1].b"),
        ({"a\x00": 1}, "value (a key)"),
        ({"a": {5: 1}}, "value.a"),
        ([float("nan")], "value[0]"),
        (float("inf"), "value"),
        ({"a": [1, object()]}, "value.a[1]"),
        ({"a": {1, 2}}, "value.a"),
        (b"bytes", "value"),
        (1j, "value"),
        ([10**309], "value[0]"),
        (-(10**5000), "value"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() else "",
)
def test_a_value_without_json_form_is_refused(value: Any, field: str) -> None:
    """NaN, NUL, surrogates, other keys and other types are refused with their path."""
    with pytest.raises(InvalidInput) as refused:
        encode(value, "value")
    assert refused.value.field == field


def nested(levels: int, kind: str) -> Any:
    value: Any = [] if kind == "list" else {}
    for _ in range(levels - 1):
        value = [value] if kind == "list" else {"a": value}
    return value


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 5_000, 100_000])
def test_too_many_levels_are_refused(levels: int, kind: str) -> None:
    """A value of 100,000 levels is refused like one of 65, without RecursionError."""
    assert encode(nested(MAX_DEPTH, kind), "value")
    with pytest.raises(InvalidInput, match="64 levels"):
        encode(nested(levels, kind), "value")


def test_a_value_inside_itself_is_refused() -> None:
    """A list that contains itself counts as too deep."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InvalidInput, match="64 levels"):
        encode(value, "value")


def test_the_largest_double_is_the_largest_integer() -> None:
    """An integer within the range of a double is accepted."""
    assert encode(int(sys.float_info.max), "value") == str(int(sys.float_info.max))


def test_a_refusal_has_the_class_of_the_caller() -> None:
    """The caller chooses the class of the error."""
    with pytest.raises(InvalidAnnotation):
        encode(object(), "annotations[0].value", InvalidAnnotation)


@pytest.mark.parametrize("text", ["", "ü", "\U0001f600", "\n", "\uffff"])
def test_any_unicode_text_is_accepted(text: str) -> None:
    """Empty text, controls and characters outside the basic plane can be stored."""
    assert check_text(text, "field") == text


@pytest.mark.parametrize("text", ["a\x00", "\ud83d", "\ude00\ud83d"])
def test_text_that_postgres_cannot_store_is_refused(text: str) -> None:
    """NUL and lone surrogates are refused."""
    with pytest.raises(InvalidInput) as refused:
        check_text(text, "field")
    assert refused.value.field == "field"
