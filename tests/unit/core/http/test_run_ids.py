"""Any id can be written as one path segment of a URL."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postil.http.run_ids import from_segment, to_segment
from postil.model.queries import InvalidQuery

ids = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
hostile = st.sampled_from(
    ["..", ".", "../..", "a/b", "%2F", "%", "~", "~7E", "?q#f", "\\", "//evil", "a b", "é", "\u202e", "🏴‍☠️"]
)


@given(ids | hostile)
def test_segment_reads_back_as_the_id(identifier: str) -> None:
    """`from_segment` returns the id that `to_segment` wrote."""
    assert from_segment(to_segment(identifier), "run") == identifier


@given(ids | hostile)
def test_segment_survives_url_resolution(identifier: str) -> None:
    """A segment needs no percent-encoding, and resolving the URL does not change its path."""
    segment = to_segment(identifier)
    assert segment == quote(segment, safe="~:")
    assert urlsplit(urljoin("http://h/", f"/runs/{segment}/stages")).path == f"/runs/{segment}/stages"


def test_ordinary_id_is_its_own_segment() -> None:
    """Letters, digits and the characters -_.: stay as they are; a slash and a dot at the start are escaped."""
    assert to_segment("run-42:a_b.c") == "run-42:a_b.c"
    assert to_segment("refund/2026/1") == "refund~2F2026~2F1"
    assert to_segment("..") == "~2E."


@given(ids.filter(lambda identifier: "~" not in identifier))
def test_unescaped_id_is_read(identifier: str) -> None:
    """Characters other than the escape character may stand unescaped in a segment."""
    assert from_segment(identifier, "run") == identifier


@pytest.mark.parametrize("segment", ["~", "a~2", "~zz", "~FF", "~00", "~C0~80", "x" * 201])
def test_malformed_segment_is_refused(segment: str) -> None:
    """A segment that is not an id raises `InvalidQuery` with the field's name."""
    with pytest.raises(InvalidQuery) as raised:
        from_segment(segment, "interaction")
    assert raised.value.field == "interaction"
