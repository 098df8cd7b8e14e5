"""When a closed partition is opened again, where a source starts to read, and where the runner cuts a batch."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from confluent_kafka import OFFSET_BEGINNING
from tenacity import wait_fixed

from postil_consumers.runtime import runner as runner_module
from postil_consumers.runtime.kafka_source import seek_offset
from postil_consumers.runtime.retries import PartitionRetries
from postil_consumers.runtime.runner import Runner
from postil_consumers.runtime.sink import DeadLetter, Item, Partition, Resume
from postil_consumers.testing import MemoryGaps, MemorySink, MemorySource, event_value

ONE, OTHER = Partition("events", 0), Partition("events", 1)
PAUSE = wait_fixed(5)


def test_a_new_partition_is_due_at_once() -> None:
    """A partition waits from its assignment on, and is due without a pause."""
    retries = PartitionRetries()
    retries.add([ONE, OTHER])

    assert retries.due(now=0.0) == [ONE, OTHER]
    assert not retries.are_all_attempted
    assert not retries.are_none


def test_a_failed_partition_is_due_after_its_pause() -> None:
    """A failure makes the partition due when the pause of its policy has passed."""
    retries = PartitionRetries()
    retries.add([ONE])

    assert retries.mark_failed(ONE, PAUSE, now=100.0) == 5
    assert (retries.due(now=104.9), retries.due(now=105.0)) == ([], [ONE])
    assert retries.are_all_attempted


def test_failures_count_until_the_partition_recovers() -> None:
    """An opened partition keeps its failures and is unproven until it has recovered."""
    retries = PartitionRetries()
    retries.add([ONE])
    retries.mark_failed(ONE, PAUSE, now=0.0)
    retries.mark_open(ONE)

    assert (retries.waiting, retries.unproven, retries.are_none) == ((), (ONE,), False)
    retries.mark_recovered(ONE)
    assert (retries.unproven, retries.are_none) == ((), True)


def test_a_revoked_partition_is_no_longer_retried() -> None:
    """A revoked partition is neither waiting nor failed."""
    retries = PartitionRetries()
    retries.add([ONE])
    retries.mark_failed(ONE, PAUSE, now=0.0)
    retries.remove(ONE)

    assert (retries.due(now=100.0), retries.are_none) == ([], True)


@pytest.mark.parametrize(
    ("at", "committed", "offset"),
    [
        (7, None, 7),
        (0, 5, 0),
        (Resume.OLDEST, 5, OFFSET_BEGINNING),
        (Resume.COMMITTED, 5, 5),
        (Resume.COMMITTED, 0, 0),
        (Resume.COMMITTED, -1001, OFFSET_BEGINNING),
        (Resume.COMMITTED, None, OFFSET_BEGINNING),
    ],
)
def test_the_offset_to_seek(at: int | Resume, committed: int | None, offset: int) -> None:
    """An explicit offset wins; the commit counts only for `COMMITTED`, and a missing commit means the oldest."""
    assert seek_offset(at, committed) == offset


class DeliveryRecorder(MemorySink):
    """A sink that stores the kinds of items and the next offset of each delivery."""

    def __init__(self) -> None:
        super().__init__()
        self.deliveries: list[tuple[str, int]] = []

    def deliver(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        kinds = "".join("d" if isinstance(item, DeadLetter) else "r" for item in items)
        self.deliveries.append((kinds, next_offset))
        super().deliver(partition, items, next_offset)


def test_a_batch_is_cut_only_after_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut repeats the message of its last item after a crash: the run_seq rule drops a record, not a dead letter."""
    monkeypatch.setattr(runner_module, "_MAX_ITEMS", 2)
    source, sink = MemorySource([ONE]), DeliveryRecorder()
    source.put(ONE, b"default/a", event_value("a", 1))
    source.put(ONE, b"default/a", b"not an event")
    source.put(ONE, b"default/a", event_value("a", 2))
    source.put(ONE, b"default/a", event_value("a", 3))
    runner = Runner(source, sink, MemoryGaps())
    source.quiet = runner.stop.set

    runner.run()

    assert sink.deliveries == [("rdr", 2), ("r", 4)]
