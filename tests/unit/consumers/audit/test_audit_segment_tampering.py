"""What the check of the audit log reports when a segment was removed, renamed or cut short."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fixtures.audit_tampering import SEEDS, SEGMENT, finding_texts, line_at, lines, records_named, segments
from postil_consumers.audit.verify.log_check import verify_log


@pytest.mark.parametrize("number", range(4))
def test_a_missing_segment_is_reported(log: Path, number: int) -> None:
    """A missing segment is the only finding, with the name of its file."""
    path = segments(log)[number]
    path.unlink()

    (finding,) = verify_log(log).findings

    assert (finding.what, finding.place["segment"]) == ("the segment is missing", path.name)


def test_swapped_segments_report_all_their_records(log: Path) -> None:
    """Two segments that swapped their names are reported with all their records."""
    first, second = segments(log)[:2]
    first.rename(log / "aside")
    second.rename(first)
    (log / "aside").rename(second)

    report = verify_log(log)

    assert records_named(report) == set(range(2 * SEGMENT))


def test_a_renamed_segment_is_missing_and_unknown(log: Path) -> None:
    """A renamed segment is reported as missing under its old name and as unknown under its new name."""
    segments(log)[1].rename(log / "00000000000000000017.ndjson")

    assert finding_texts(verify_log(log)) == ["the segment is missing", "the manifest knows no such segment"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_segment_cut_short_reports_the_lost_records(pristine: Path, log: Path, seed: int) -> None:
    """A segment cut at any byte is reported with the records that the cut removed or shortened."""
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    size = chance.randrange(path.stat().st_size)
    with path.open("rb+") as file:
        file.truncate(size)

    report = verify_log(log)

    first, count = int(path.stem), len(lines(pristine / path.name))
    assert records_named(report) == set(range(first + line_at(pristine / path.name, size), first + count))
