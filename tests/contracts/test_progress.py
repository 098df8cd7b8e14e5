"""The rules of the port `Progress`, for every implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from postil.model.envelope import RawEvent, raw_event
from postil_consumers.audit.sink import AuditSink
from postil_consumers.runtime.sequencer import Progress
from postil_consumers.runtime.sink import Partition, Record
from postil_consumers.testing import MemoryProgress, event_value

PARTITION = Partition("events", 0)


@dataclass
class Applied:
    """A function that returns the progress, and one that counts an event as applied."""

    progress: Callable[[], Progress]
    apply: Callable[[RawEvent], None]


@pytest.fixture(params=["memory", "audit"])
def applied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Applied]:
    if request.param == "memory":
        memory = MemoryProgress()
        yield Applied(lambda: memory, lambda event: memory.advance(event.run, event.run_seq, event.event_id))
        return
    sink = AuditSink(tmp_path)
    sink.open(PARTITION)
    offsets = iter(range(1_000))

    def apply(event: RawEvent) -> None:
        offset = next(offsets)
        sink.deliver(PARTITION, [Record(offset, event)], offset + 1)

    yield Applied(lambda: sink.progress(PARTITION), apply)
    sink.shutdown()


def test_a_new_run_has_no_progress(applied: Applied) -> None:
    """The last run_seq of a new run is 0, and none of its event ids is known."""
    assert applied.progress().last("default/a") == 0
    assert applied.progress().event_id("default/a", 1) is None


def test_progress_has_the_last_run_seq(applied: Applied) -> None:
    """The last run_seq grows with each applied event of the run."""
    numbers: list[int] = []
    for number in (1, 2, 3):
        applied.apply(raw_event(event_value("a", number)))
        numbers.append(applied.progress().last("default/a"))

    assert numbers == [1, 2, 3]


def test_progress_has_the_id_of_the_last_event(applied: Applied) -> None:
    """The id of the last applied event is known, and a later run_seq has none."""
    event = raw_event(event_value("a", 1))
    applied.apply(event)

    assert applied.progress().event_id("default/a", 1) == event.event_id
    assert applied.progress().event_id("default/a", 2) is None


def test_an_earlier_id_is_correct_or_unknown(applied: Applied) -> None:
    """The id of an earlier event is the applied one, or None if the sink no longer has it; it is never another id."""
    events = [raw_event(event_value("a", number)) for number in (1, 2, 3)]
    for event in events:
        applied.apply(event)

    for event in events:
        assert applied.progress().event_id("default/a", event.run_seq) in {event.event_id, None}


def test_runs_have_separate_progress(applied: Applied) -> None:
    """An event of one run does not change another run, nor a run of the same id in another tenant."""
    applied.apply(raw_event(event_value("a", 1)))

    assert applied.progress().last("default/b") == 0
    assert applied.progress().last("other/a") == 0
