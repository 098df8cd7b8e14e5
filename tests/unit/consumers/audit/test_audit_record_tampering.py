"""What the check of the audit log reports when records or leaf hashes were changed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fixtures.audit_tampering import (
    RECORDS,
    SEEDS,
    SEGMENT,
    finding_texts,
    line_at,
    lines,
    records_named,
    segments,
)
from postil_consumers.audit.log.merkle import leaf_hash
from postil_consumers.audit.log.writer import Line, PartitionLog
from postil_consumers.audit.verify.log_check import verify_log
from postil_consumers.testing import event_value


def test_an_untouched_log_is_sound(log: Path) -> None:
    """An untouched log has no findings, and the report counts its records, dead letters and segments."""
    report = verify_log(log)

    assert finding_texts(report) == []
    assert (report.records, report.dead_letters, report.segments, report.uncovered) == (RECORDS, 1, 4, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flipped_bit_names_its_record(pristine: Path, log: Path, seed: int) -> None:
    """A flipped bit is reported at its record, and at most at the next one as well."""
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    content = bytearray(path.read_bytes())
    position = chance.randrange(len(content))
    content[position] ^= 1 << chance.randrange(8)
    path.write_bytes(content)

    report = verify_log(log)

    record = int(path.stem) + line_at(pristine / path.name, position)
    # A flipped line feed joins two records, and a bit that flips to a line feed adds a line.
    assert record in records_named(report)
    assert records_named(report) <= {record, record + 1}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_deleted_record_is_reported_missing(log: Path, seed: int) -> None:
    """A deleted record is the only record that is reported missing."""
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    records = lines(path)
    index = chance.randrange(len(records))
    del records[index]
    path.write_bytes(b"".join(records))

    report = verify_log(log)

    assert finding_texts(report) == ["the record is missing"]
    assert records_named(report) == {int(path.stem) + index}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_inserted_line_is_located_before_a_record(log: Path, seed: int) -> None:
    """An inserted line is reported by the record that follows it."""
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    records = lines(path)
    index = chance.randrange(len(records))
    inserted = chance.choice(
        [chance.choice(lines(chance.choice(segments(log)))), event_value("forged", 1) + b"\n"]
    )
    neighbours = {records[index], records[index - 1]}
    records.insert(index, inserted)
    path.write_bytes(b"".join(records))

    report = verify_log(log)

    if path == segments(log)[-1] and records[-1] == records[-2]:  # the copy is after the last record
        assert (finding_texts(report), records_named(report)) == (
            ["a copy of a record was appended"],
            {RECORDS},
        )
        return
    assert finding_texts(report) == ["a line was inserted before this record"]
    # Of two equal neighbours either may be the copy.
    place = int(path.stem) + index
    assert records_named(report) <= ({place - 1, place, place + 1} if inserted in neighbours else {place})


@pytest.mark.parametrize("seed", SEEDS)
def test_swapped_records_are_reported_as_moved(log: Path, seed: int) -> None:
    """Two swapped records are reported as moved, and no record outside their range is reported."""
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    records = lines(path)
    first, second = sorted(chance.sample(range(len(records)), 2))
    records[first], records[second] = records[second], records[first]
    path.write_bytes(b"".join(records))

    report = verify_log(log)

    assert set(finding_texts(report)) == {"the record was moved here from its place"}
    base = int(path.stem)
    assert records_named(report) & {base + first, base + second}
    assert records_named(report) <= set(range(base + first, base + second + 1))


def test_a_replaced_record_is_reported_with_its_run(log: Path) -> None:
    """A record that was replaced is reported with the run and the run_seq now at its place."""
    path = segments(log)[1]
    records = lines(path)
    records[3] = event_value("forged", 9) + b"\n"
    path.write_bytes(b"".join(records))

    (finding,) = verify_log(log).findings

    assert (
        finding.what,
        *(finding.place[name] for name in ("record", "run", "run_seq", "byte")),
    ) == ("the record was altered", SEGMENT + 3, "default/forged", 9, sum(map(len, records[:3])))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_record_altered_with_its_leaf_hash_names_its_batch(log: Path, seed: int) -> None:
    """A record altered together with its leaf hash is reported within its batch of at most 7 records."""
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    records = lines(path)
    index = chance.randrange(len(records))
    records[index] = records[index].replace(b'"1.0"', b'"1.1"').replace(b"deadletter", b"badletters")
    path.write_bytes(b"".join(records))
    leaves = path.with_suffix(".leaves")
    hashes = bytearray(leaves.read_bytes())
    hashes[index * 32 : index * 32 + 32] = leaf_hash(records[index][:-1])
    leaves.write_bytes(hashes)

    report = verify_log(log)

    assert int(path.stem) + index in records_named(report)
    assert len(records_named(report)) <= 7, "no further than the batch"


def test_altered_leaf_hashes_are_reported(log: Path) -> None:
    """Altered leaf hashes are reported although the records are intact."""
    leaves = log / "00000000000000000016.leaves"
    content = bytearray(leaves.read_bytes())
    content[5 * 32] ^= 1
    leaves.write_bytes(content)

    (finding,) = verify_log(log).findings

    assert (finding.kind, finding.what) == ("leaves", "the leaf hashes were altered")


def test_a_run_seq_gap_is_reported_in_a_valid_chain(tmp_path: Path) -> None:
    """A gap in a run's run_seq is reported although every hash of the log is valid."""
    log = PartitionLog(tmp_path / "events-0", "events", 0)
    log.append([Line(event_value("r", n), n, False) for n in (1, 2, 4)], 5)
    log.close()

    (finding,) = verify_log(tmp_path / "events-0").findings

    assert (
        finding.what,
        finding.place["record"],
        finding.place["run"],
    ) == ("run_seq 4 follows 2", 2, "default/r")
