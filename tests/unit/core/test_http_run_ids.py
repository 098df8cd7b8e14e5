"""An id stands in a URL as one path segment, whatever the id is."""

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
def test_reads_back_what_it_wrote(identifier: str) -> None:
    assert from_segment(to_segment(identifier), "run") == identifier


@given(ids | hostile)
def test_needs_no_further_encoding_and_survives_every_resolution_of_a_path(identifier: str) -> None:
    segment = to_segment(identifier)
    assert segment == quote(segment, safe="~:")
    assert f"/runs/{segment}/stages" == urlsplit(urljoin("http://h/", f"/runs/{segment}/stages")).path


def test_leaves_ordinary_ids_as_they_are() -> None:
    assert to_segment("run-42:a_b.c") == "run-42:a_b.c"
    assert to_segment("refund/2026/1") == "refund~2F2026~2F1"
    assert to_segment("..") == "~2E."


@given(ids.filter(lambda identifier: "~" not in identifier))
def test_reads_an_id_that_was_not_escaped(identifier: str) -> None:
    assert from_segment(identifier, "run") == identifier


@pytest.mark.parametrize("segment", ["~", "a~2", "~zz", "~FF", "~00", "~C0~80", "x" * 201])
def test_names_the_field_of_a_segment_that_is_no_id(segment: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        from_segment(segment, "interaction")
    assert refused.value.field == "interaction"
