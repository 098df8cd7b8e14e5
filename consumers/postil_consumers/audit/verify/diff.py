"""Compares the records a segment should hold with the lines it does hold, by their hashes; pure."""

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


def edits(expected: Sequence[bytes], found: Sequence[bytes]) -> Iterator[Edit]:
    """The changes that make `expected` into `found`, fewest moves, in order.

    Lines that kept their order anchor the comparison; what lies between two anchors was changed.
    """
    places = {leaf: number for number, leaf in enumerate(expected)}
    anchors = _longest_increasing([(line, places[leaf]) for line, leaf in enumerate(found) if leaf in places])
    anchored = {record for _, record in anchors}
    elsewhere = {places[leaf] for leaf in found if leaf in places} - anchored
    line = record = 0
    for next_line, next_record in [*anchors, (len(found), len(expected))]:
        yield from _between(found, places, elsewhere, anchored, (record, next_record), (line, next_line))
        line, record = next_line + 1, next_record + 1


def _between(
    found: Sequence[bytes],
    places: dict[bytes, int],
    elsewhere: set[int],
    anchored: set[int],
    records: tuple[int, int],
    lines: tuple[int, int],
) -> Iterator[Edit]:
    """Yield the changes between two anchors. Unknown lines count as altered records, as long as records are missing."""
    lost = [number for number in range(*records) if number not in elsewhere]
    unknown: list[int] = []
    for line in range(*lines):
        home = places.get(found[line])
        if home is None:
            unknown.append(line)
        elif home in anchored:  # a copy of a record that is in its place
            yield Edit("inserted", line, line + 1, line, records[1])
        else:
            yield Edit("moved", home, home + 1, line, home)
    altered = min(len(lost), len(unknown))
    for begin, end, offset in _runs(lost[:altered]):
        yield Edit("altered", begin, end, unknown[offset], begin)
    for begin, end, _ in _runs(lost[altered:]):
        yield Edit("missing", begin, end, unknown[altered - 1] + 1 if altered else lines[0], begin)
    for begin, end, _ in _runs(unknown[altered:]):
        yield Edit("inserted", begin, end, begin, records[1])


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Consecutive numbers as (begin, end, index of begin)."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[start], numbers[index - 1] + 1, start
            start = index


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence of (line, record) in which records rise."""
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
    kept: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        kept.append(pairs[at])
        at = before[at]
    return kept[::-1]
