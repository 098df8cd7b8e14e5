"""The audit log as a sink: dead letters, the run index, and the place to resume."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import orjson
import pytest

from fixtures.audit_logs import VALUES, contents
from postil.model.envelope import raw_event
from postil_consumers.audit.log.layout import log_directory, segment_name
from postil_consumers.audit.sink import AuditSink
from postil_consumers.audit.verify.log_check import verify_log
from postil_consumers.errors import AuditLogDamaged, StorageFailed
from postil_consumers.runtime.sink import DeadLetter, Partition, Record, Resume

PARTITION = Partition("events", 0)


def test_an_impossible_directory_is_refused_with_advice(tmp_path: Path) -> None:
    """A directory that cannot be created raises `StorageFailed` with the advice to correct the permissions."""
    (tmp_path / "file").write_text("a file, not a directory")

    with pytest.raises(StorageFailed) as failed:
        AuditSink(tmp_path / "file" / "audit")

    assert "correct the permissions" in failed.value.advice


def deliver_values(sink: AuditSink, first: int, last: int) -> None:
    """Deliver the values from `first` up to but not including `last`."""
    sink.deliver(PARTITION, [Record(n, raw_event(VALUES[n])) for n in range(first, last)], last)


def test_a_dead_letter_is_recorded_with_its_origin(tmp_path: Path) -> None:
    """A dead letter is recorded with its topic, partition, offset, key and value and the reason."""
    sink = AuditSink(tmp_path)
    sink.open(PARTITION)
    sink.deliver(PARTITION, [DeadLetter(7, "not JSON", b"k", b"\xff")], 8)
    sink.shutdown()

    letter = {
        "topic": "events",
        "partition": 0,
        "offset": 7,
        "reason": "not JSON",
        "key": "aw==",
        "value": "/w==",
    }
    assert orjson.loads(contents(log_directory(tmp_path, "events", 0))) == {"deadletter": letter}
    assert verify_log(log_directory(tmp_path, "events", 0)).dead_letters == 1


@pytest.mark.parametrize("damage", ["missing", "garbage", "behind", "of another log"])
def test_a_wrong_run_index_is_rebuilt(tmp_path: Path, damage: str) -> None:
    """A run index that is missing, broken, outdated or of another log is rebuilt from the segments."""
    directory = log_directory(tmp_path / "audit", "events", 0)
    index = directory / "index.sqlite"
    sink = AuditSink(tmp_path / "audit", segment_records=8)
    sink.open(PARTITION)
    deliver_values(sink, 0, 11)
    sink.close(PARTITION)
    outdated = index.read_bytes()
    sink.open(PARTITION)
    deliver_values(sink, 11, 25)
    sink.close(PARTITION)
    match damage:
        case "missing":
            index.unlink()
        case "garbage":
            index.write_bytes(b"garbage" * 1000)
        case "behind":
            index.write_bytes(outdated)
        case _:
            other = AuditSink(tmp_path / "other")
            other.open(PARTITION)
            other.deliver(PARTITION, [Record(0, raw_event(VALUES[0]))] * 25, 25)
            other.shutdown()
            shutil.copy(log_directory(tmp_path / "other", "events", 0) / "index.sqlite", index)

    assert sink.open(PARTITION) == 25
    progress = sink.progress(PARTITION)

    assert [progress.last(f"default/run-{n}") for n in range(3)] == [9, 8, 8]
    assert progress.event_id("default/run-0", 9) == raw_event(VALUES[24]).event_id
    sink.shutdown()


def test_an_index_cannot_be_rebuilt_without_a_segment(tmp_path: Path) -> None:
    """Rebuilding the run index from a log that lacks a segment raises `AuditLogDamaged` with the segment's name."""
    directory = log_directory(tmp_path, "events", 0)
    sink = AuditSink(tmp_path, segment_records=8)
    sink.open(PARTITION)
    deliver_values(sink, 0, 20)
    sink.close(PARTITION)
    (directory / "index.sqlite").unlink()
    (directory / segment_name(8)).unlink()

    with pytest.raises(AuditLogDamaged, match=re.escape(segment_name(8))):
        sink.open(PARTITION)
    sink.shutdown()


def test_a_recreated_topic_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A topic that has the same name but a new topic id is read from its oldest message."""
    sink = AuditSink(tmp_path)
    first = Partition("events", 0, "id-1")
    sink.open(first)
    sink.deliver(first, [Record(0, raw_event(VALUES[0]))], 1)
    sink.close(first)

    assert sink.open(first) == 1
    sink.close(first)
    assert sink.open(Partition("events", 0, "id-2")) == Resume.OLDEST
    sink.shutdown()
