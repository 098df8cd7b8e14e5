"""The rules of the port `Sink`, for every implementation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postil.model.envelope import raw_event
from postil_consumers.audit.sink import AuditSink
from postil_consumers.runtime.sink import DeadLetter, Partition, Record, Resume, Sink
from postil_consumers.testing import MemorySink, event_value

ONE, OTHER = Partition("events", 0), Partition("events", 1)


@pytest.fixture(params=["memory", "audit"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    if request.param == "memory":
        yield MemorySink()
        return
    audit = AuditSink(tmp_path)
    yield audit
    audit.shutdown()


def record(offset: int, run: str, run_seq: int) -> Record:
    return Record(offset, raw_event(event_value(run, run_seq)))


def test_a_new_partition_is_read_from_the_oldest_message(sink: Sink) -> None:
    """A sink without progress resumes a partition at the oldest message."""
    assert sink.open(ONE) == Resume.OLDEST
    assert sink.progress(ONE).last("default/a") == 0


def test_progress_includes_a_delivery_at_once(sink: Sink) -> None:
    """After `deliver` returns, `progress` has the last run_seq of each run."""
    sink.open(ONE)
    sink.deliver(ONE, [record(0, "a", 1), record(1, "a", 2), record(2, "b", 1)], 3)

    assert [sink.progress(ONE).last(f"default/{run}") for run in "abc"] == [2, 1, 0]


def test_progress_has_the_id_of_a_delivered_event(sink: Sink) -> None:
    """`progress` returns the event id of a delivered record, and None for a later run_seq."""
    sink.open(ONE)
    first = record(0, "a", 1)
    sink.deliver(ONE, [first], 1)

    assert sink.progress(ONE).event_id("default/a", 1) == first.event.event_id
    assert sink.progress(ONE).event_id("default/a", 2) is None


def test_a_reopened_partition_resumes_after_its_last_delivery(sink: Sink) -> None:
    """`open` returns the next offset of the last delivery, and the progress is unchanged."""
    sink.open(ONE)
    sink.deliver(ONE, [record(4, "a", 1), DeadLetter(5, "not JSON", None, b"x")], 6)
    sink.close(ONE)

    assert sink.open(ONE) == 6
    assert sink.progress(ONE).last("default/a") == 1


def test_partitions_have_separate_progress(sink: Sink) -> None:
    """A delivery to one partition does not change the progress of another."""
    sink.open(ONE)
    sink.open(OTHER)
    sink.deliver(ONE, [record(0, "a", 1)], 1)

    assert sink.progress(OTHER).last("default/a") == 0


def test_closing_a_closed_partition_does_nothing(sink: Sink) -> None:
    """`close` accepts a partition that is not open."""
    sink.close(ONE)
    sink.open(ONE)
    sink.close(ONE)
    sink.close(ONE)
