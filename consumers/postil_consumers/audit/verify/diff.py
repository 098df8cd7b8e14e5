"""Compares the records that a segment should hold with the lines that it holds, by their hashes. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple


class Edit(NamedTuple):
    """One change: of the records from `begin` to `end` (not included), or, where `inserted`, of these lines.

    `line` is the line where it shows, `record` the record that belongs there.
    """

    kind: Literal["altered", "missing", "inserted", "moved"]
    begin: int
    end: int
    line: int
    record: int


def edits(expected: Sequence[bytes], actual: Sequence[bytes]) -> Iterator[Edit]:
    """Yield the changes from `expected` to `actual`, in order, with the fewest moves.

    Lines that are still in their order are anchors. What lies between two anchors was changed.
    """
    places = {leaf: number for number, leaf in enumerate(expected)}
    anchors = _longest_increasing(
        [(line, places[leaf]) for line, leaf in enumerate(actual) if leaf in places]
    )
    in_place = {record for _, record in anchors}
    elsewhere = {places[leaf] for leaf in actual if leaf in places} - in_place
    line = record = 0
    for next_line, next_record in [*anchors, (len(actual), len(expected))]:
        yield from _between(actual, places, elsewhere, in_place, (record, next_record), (line, next_line))
        line, record = next_line + 1, next_record + 1


def _between(
    actual: Sequence[bytes],
    places: dict[bytes, int],
    elsewhere: set[int],
    in_place: set[int],
    records: tuple[int, int],
    lines: tuple[int, int],
) -> Iterator[Edit]:
    """Yield the changes between two anchors. Unknown lines count as altered records, as long as records are missing."""
    missing = [number for number in range(*records) if number not in elsewhere]
    unknown: list[int] = []
    for line in range(*lines):
        home = places.get(actual[line])
        if home is None:
            unknown.append(line)
        elif home in in_place:  # a copy of a record that is in its place
            yield Edit("inserted", line, line + 1, line, records[1])
        else:
            yield Edit("moved", home, home + 1, line, home)
    pairs = min(len(missing), len(unknown))
    for begin, end, offset in _runs(missing[:pairs]):
        yield Edit("altered", begin, end, unknown[offset], begin)
    for begin, end, _ in _runs(missing[pairs:]):
        yield Edit("missing", begin, end, unknown[pairs - 1] + 1 if pairs else lines[0], begin)
    for begin, end, _ in _runs(unknown[pairs:]):
        yield Edit("inserted", begin, end, begin, records[1])


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield each run of consecutive numbers as (begin, end, index of begin)."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[start], numbers[index - 1] + 1, start
            start = index


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest subsequence of (line, record) in which the records increase."""
    tails: list[int] = []  # tails[n]: the smallest record that ends a subsequence of n + 1
    ends: list[int] = []
    before = [-1] * len(pairs)
    for index, (_, record) in enumerate(pairs):
        length = bisect_left(tails, record)
        if length == len(tails):
            tails.append(record)
            ends.append(index)
        else:
            tails[length] = record
            ends[length] = index
        before[index] = ends[length - 1] if length else -1
    backwards: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        backwards.append(pairs[at])
        at = before[at]
    return backwards[::-1]
