"""What every sink promises, checked on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postil.model.envelope import identify
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
    return Record(offset, identify(event_value(run, run_seq)))


def test_a_partition_never_seen_is_read_from_the_oldest_message(sink: Sink) -> None:
    assert Resume.OLDEST == sink.open(ONE)
    assert 0 == sink.progress(ONE).last("default/a")


def test_what_was_delivered_counts_at_once(sink: Sink) -> None:
    sink.open(ONE)
    sink.deliver(ONE, [record(0, "a", 1), record(1, "a", 2), record(2, "b", 1)], 3)

    assert (2, 1, 0) == tuple(sink.progress(ONE).last(f"default/{run}") for run in "abc")


def test_what_was_delivered_is_known_by_its_event(sink: Sink) -> None:
    sink.open(ONE)
    one = record(0, "a", 1)
    sink.deliver(ONE, [one], 1)

    assert one.event.event_id == sink.progress(ONE).event_id("default/a", 1)
    assert sink.progress(ONE).event_id("default/a", 2) is None


def test_after_closing_it_resumes_where_it_was_and_knows_the_same(sink: Sink) -> None:
    sink.open(ONE)
    sink.deliver(ONE, [record(4, "a", 1), DeadLetter(5, "not JSON", None, b"x")], 6)
    sink.close(ONE)

    assert 6 == sink.open(ONE)
    assert 1 == sink.progress(ONE).last("default/a")


def test_partitions_know_nothing_of_each_other(sink: Sink) -> None:
    sink.open(ONE)
    sink.open(OTHER)
    sink.deliver(ONE, [record(0, "a", 1)], 1)

    assert 0 == sink.progress(OTHER).last("default/a")


def test_closing_what_is_not_open_is_no_error(sink: Sink) -> None:
    sink.close(ONE)
    sink.open(ONE)
    sink.close(ONE)
    sink.close(ONE)
