"""Cursors come back as they were given out, and everything else is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postil.model.queries import InvalidQuery, RunFilter, check_limit, decode_cursor, encode_cursor

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)


@given(st.datetimes(timezones=st.just(UTC)), texts, st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_reads_back_as_its_sort_key(at: datetime, identifier: str, number: int) -> None:
    """Decoding a cursor returns the sort key it was made from."""
    cursor = encode_cursor(at, identifier, number)
    assert decode_cursor(cursor, datetime, str, int) == (at, identifier, number)


@given(st.text())
def test_a_malformed_cursor_is_refused(cursor: str) -> None:
    """Any other text raises InvalidQuery, and no other exception."""
    with pytest.raises(InvalidQuery) as refused:
        decode_cursor(cursor, datetime, str)
    assert refused.value.field == "cursor"


@pytest.mark.parametrize(
    "place",
    [(1,), ("a", "b"), (datetime(2026, 1, 1), "a"), (2**64, "a"), (True, "a")],  # noqa: DTZ001 (naive on purpose)
)
def test_the_cursor_of_another_list_is_refused(place: tuple[str | int | datetime, ...]) -> None:
    """A sort key of other types is refused."""
    with pytest.raises(InvalidQuery):
        decode_cursor(encode_cursor(*place), datetime, str)


def test_a_malformed_filter_or_limit_is_named() -> None:
    """The error names the status, text or limit at fault."""
    with pytest.raises(InvalidQuery, match="status"):
        RunFilter.parse(statuses=["done"])
    with pytest.raises(InvalidQuery, match="q"):
        RunFilter.parse(text="a\0b")
    with pytest.raises(InvalidQuery, match="limit"):
        check_limit(0)
    with pytest.raises(InvalidQuery, match="limit"):
        check_limit(101)
