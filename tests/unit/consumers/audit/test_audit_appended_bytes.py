"""What the check of the audit log reports about bytes after the last record that the manifest covers."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from fixtures.audit_tampering import RECORDS, SEEDS, SEGMENT, finding_texts, lines, segments
from postil_consumers.audit.log.layout import segment_name
from postil_consumers.audit.log.writer import Line, PartitionLog
from postil_consumers.audit.verify.log_check import verify_log
from postil_consumers.testing import event_value


@pytest.mark.parametrize("appended", [b"x", b"\n", event_value("forged", 1) + b"\n"])
def test_bytes_appended_to_a_sealed_segment_are_a_finding(log: Path, appended: bytes) -> None:
    """Bytes appended to a sealed segment are reported as an insertion before the next segment's first record."""
    with segments(log)[1].open("ab") as file:
        file.write(appended)

    (finding,) = verify_log(log).findings

    assert (finding.what, finding.place["record"]) == ("a line was inserted before this record", 2 * SEGMENT)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_appended_copy_of_a_record_is_a_finding(log: Path, seed: int) -> None:
    """A copy of any event after the log's end is reported with its record number and its byte."""
    records = [line for path in segments(log) for line in lines(path) if b'"deadletter"' not in line]
    copy = random.Random(seed).choice(records)
    end = segments(log)[-1].stat().st_size
    with segments(log)[-1].open("ab") as file:
        file.write(event_value("forged", 1) + b"\n" + copy)

    (finding,) = verify_log(log).findings

    assert (
        finding.what,
        finding.place["record"],
        finding.place["byte"],
    ) == ("a copy of a record was appended", RECORDS + 1, end + len(event_value("forged", 1)) + 1)


@pytest.mark.parametrize("file", ["segment", "next segment", "manifest"])
@pytest.mark.parametrize("appended", [b"x", b"\x00" * 4096, event_value("forged", 1) + b"\n"])
def test_uncovered_bytes_at_the_end_are_in_doubt(log: Path, file: str, appended: bytes) -> None:
    """Bytes that a crashed writer or a forger may have left are inconclusive with their place, not a finding."""
    last = segments(log)[-1]
    path = {
        "segment": last,
        "next segment": log / segment_name(RECORDS),
        "manifest": log / "manifest.ndjson",
    }[file]
    start = path.stat().st_size if path.exists() else 0
    if file == "manifest":
        appended = appended.rstrip(b"\n")
    with path.open("ab") as handle:
        handle.write(appended)

    report = verify_log(log)

    (finding,) = report.inconclusive
    assert (finding_texts(report), report.uncovered, finding.place["byte"]) == ([], len(appended), start)
    assert (
        finding.place.get("segment") or finding.place["file"],
        finding.place.get("record"),
    ) == (path.name, None if file == "manifest" else RECORDS)


def test_a_finding_does_not_hide_uncovered_bytes(log: Path) -> None:
    """Uncovered bytes at the end are reported in addition to an altered record."""
    path = segments(log)[-1]
    records = lines(path)
    end = sum(map(len, records))
    records[2] = records[2].replace(b'"1.0"', b'"1.1"')
    path.write_bytes(b"".join(records) + event_value("forged", 1) + b"\n")

    report = verify_log(log)

    assert (
        finding_texts(report),
        [finding.place["byte"] for finding in report.inconclusive],
    ) == (["the record was altered"], [end])


def test_a_running_writer_causes_no_finding_or_doubt(tmp_path: Path) -> None:
    """The check waits for the manifest entries of a running writer and finds nothing."""
    log = PartitionLog(tmp_path / "events-0", "events", 0, segment_records=64)
    log.append([Line(event_value("r", 1), 0, False)], 1)
    finished = threading.Event()

    def write() -> None:
        for number in range(2, 700):
            log.append([Line(event_value("r", number), number - 1, False)], number)
        finished.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not finished.is_set():
            report = verify_log(tmp_path / "events-0", wait=60)
            assert (finding_texts(report), list(report.inconclusive), report.uncovered) == ([], [], 0)
    finally:
        writer.join()
        log.close()
