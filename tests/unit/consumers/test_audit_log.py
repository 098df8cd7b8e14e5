"""The writer of the audit log: exact bytes, one writer, repaired tails, and segments that depend on the topic only."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postil.model.envelope import raw_event
from postil_consumers.audit.log.writer import Line, PartitionLog
from postil_consumers.audit.sink import AuditSink, log_directory
from postil_consumers.audit.verify.log_check import verify_log
from postil_consumers.errors import AuditLogDamaged, AuditLogLocked, StorageFailed
from postil_consumers.runtime.sink import DeadLetter, Partition, Record, Resume
from postil_consumers.testing import event_value

PARTITION = Partition("events", 0)
VALUES = [event_value(f"run-{n % 3}", n // 3 + 1) for n in range(30)]
LINES = [Line(value, offset, False) for offset, value in enumerate(VALUES)]


def open_log(directory: Path) -> PartitionLog:
    """Open the log of partition 0 with segments of 8 records."""
    return PartitionLog(directory, "events", 0, segment_records=8)


def contents(directory: Path) -> bytes:
    """Return the bytes of all segments in order."""
    return b"".join(path.read_bytes() for path in sorted(directory.glob("0*.ndjson")))


def lines_of(values: list[bytes]) -> bytes:
    """Return the bytes of a segment that holds these values."""
    return b"".join(value + b"\n" for value in values)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "events-0"


def test_a_record_is_the_message_and_a_line_feed(directory: Path) -> None:
    """A segment holds the exact bytes of each message, each followed by a line feed."""
    log = open_log(directory)
    log.append(LINES[:3], 3)
    log.close()

    assert contents(directory) == lines_of(VALUES[:3])


def test_segments_have_a_fixed_record_count(directory: Path) -> None:
    """Each segment except the last holds `segment_records` records and is named after its first record."""
    log = open_log(directory)
    log.append(LINES[:20], 20)
    log.close()

    assert {path.name: path.read_bytes().count(b"\n") for path in directory.glob("0*.ndjson")} == {
        "00000000000000000000.ndjson": 8,
        "00000000000000000008.ndjson": 8,
        "00000000000000000016.ndjson": 4,
    }


@given(cuts=st.lists(st.integers(1, 30), max_size=8))
def test_segments_do_not_depend_on_the_batches(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    """The same records give the same segments in any batches, also with a restart after each batch."""
    directory = tmp_path_factory.mktemp("log") / "events-0"
    start = 0
    for cut in [*sorted(cuts), 30]:
        log = open_log(directory)
        log.append(LINES[start:cut], cut)
        log.close()
        start = max(start, cut)

    assert contents(directory) == lines_of(VALUES)
    assert list(verify_log(directory).findings) == []
    assert len(list(directory.glob("0*.ndjson"))) == 4
    shutil.rmtree(directory.parent)


def test_a_second_writer_is_refused(directory: Path) -> None:
    """A second writer raises `AuditLogLocked` with the process id of the first, until the first closes the log."""
    log = open_log(directory)

    with pytest.raises(AuditLogLocked, match=f"another process \\(pid {os.getpid()}\\)"):
        open_log(directory)

    log.close()
    open_log(directory).close()


@pytest.mark.parametrize("torn", [b"x", b"{", b'{"half":', b"whole\nlines\nand a half"])
@pytest.mark.parametrize("file", ["segment", "leaves", "manifest"])
def test_a_torn_tail_is_cut_off(directory: Path, file: str, torn: bytes) -> None:
    """Opening the log cuts off the bytes that no manifest entry covers, and the log can be continued."""
    log = open_log(directory)
    log.append(LINES[:3], 3)
    log.close()
    torn = torn.replace(b"\n", b" ") if file == "manifest" else torn
    path = next(directory.glob({"segment": "0*.ndjson", "leaves": "*.leaves", "manifest": "manifest*"}[file]))
    with path.open("ab") as handle:
        handle.write(torn)

    log = open_log(directory)
    assert log.state.next_offset == 3
    log.append(LINES[3:6], 6)
    log.close()

    assert contents(directory) == lines_of(VALUES[:6])
    assert list(verify_log(directory).findings) == []


def test_records_of_a_torn_manifest_entry_are_cut_off(directory: Path) -> None:
    """Opening the log cuts off the records of a torn manifest entry, because Kafka can deliver them again."""
    log = open_log(directory)
    log.append(LINES[:3], 3)
    log.append(LINES[3:6], 6)
    log.close()
    manifest = directory / "manifest.ndjson"
    manifest.write_bytes(manifest.read_bytes()[:-20])

    log = open_log(directory)
    assert log.state.next_offset == 3
    log.close()

    assert contents(directory) == lines_of(VALUES[:3])


def test_a_missing_seal_is_added_on_opening(directory: Path) -> None:
    """Opening the log seals a full segment whose seal is missing after a crash."""
    log = open_log(directory)
    log.append(LINES[:8], 8)
    log.close()
    manifest = directory / "manifest.ndjson"
    *entries, seal = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(entries))

    log = open_log(directory)
    assert manifest.read_bytes() == b"".join([*entries, seal])
    log.append(LINES[8:10], 10)
    log.close()

    assert contents(directory) == lines_of(VALUES[:10])
    assert list(verify_log(directory).findings) == []


@pytest.mark.parametrize(
    "damage", ["flip a record", "cut a record", "flip an entry", "delete an entry", "remove the manifest"]
)
def test_a_damaged_log_is_refused_and_not_changed(directory: Path, damage: str) -> None:
    """Damage that no crash can cause raises `AuditLogDamaged`, and no file changes."""
    log = open_log(directory)
    log.append(LINES[:3], 3)
    log.append(LINES[3:6], 6)
    log.close()
    segment, manifest = next(directory.glob("0*.ndjson")), directory / "manifest.ndjson"
    entries = manifest.read_bytes().splitlines(keepends=True)
    match damage:
        case "flip a record":
            segment.write_bytes(segment.read_bytes().replace(b"note", b"nope", 1))
        case "cut a record":
            segment.write_bytes(segment.read_bytes()[:-1])
        case "flip an entry":
            manifest.write_bytes(manifest.read_bytes().replace(b'"size":3', b'"size":4'))
        case "delete an entry":
            manifest.write_bytes(entries[0] + entries[2])
        case _:
            manifest.unlink()
    before = {path: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}

    with pytest.raises(AuditLogDamaged) as refused:
        open_log(directory)

    assert "postil audit verify" in refused.value.advice
    assert {path: path.read_bytes() for path in directory.iterdir() if path.name != "lock"} == before


def test_the_log_of_another_partition_is_refused(directory: Path) -> None:
    """Opening a directory that holds the log of another partition raises `AuditLogDamaged`."""
    open_log(directory).close()

    with pytest.raises(AuditLogDamaged, match="it is the log of events/0, not of events/1"):
        PartitionLog(directory, "events", 1)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Limit files to 4 KiB, so that the kernel cuts off a longer write at that size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_log_unchanged(directory: Path, full_disk: None) -> None:
    """An append to a full disk raises `StorageFailed` and changes no file, and it succeeds once there is space."""
    log = PartitionLog(directory, "events", 0)
    log.append(LINES[:3], 3)
    before = {path.name: path.read_bytes() for path in directory.iterdir()}

    with pytest.raises(StorageFailed) as failed:
        log.append(LINES[3:30], 30)

    assert "Free space" in failed.value.advice
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.append(LINES[3:30], 30)
    log.close()
    assert contents(directory) == lines_of(VALUES)
    assert list(verify_log(directory).findings) == []


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
            other.deliver(PARTITION, [Record(0, raw_event(event_value("run-0", 1)))] * 25, 25)
            other.shutdown()
            shutil.copy(log_directory(tmp_path / "other", "events", 0) / "index.sqlite", index)

    assert sink.open(PARTITION) == 25
    progress = sink.progress(PARTITION)

    assert [progress.last(f"default/run-{n}") for n in range(3)] == [9, 8, 8]
    assert progress.event_id("default/run-0", 9) == raw_event(VALUES[24]).event_id
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
