"""The writer of the audit log: exact bytes, one writer, and segments that depend on the topic only."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.audit_logs import LINES, VALUES, contents, lines_of, open_log
from postil_consumers.audit.log.writer import PartitionLog
from postil_consumers.audit.verify.log_check import verify_log
from postil_consumers.errors import AuditLogLocked, StorageFailed


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
