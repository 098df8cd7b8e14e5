"""The runner on in-memory ports, when a sink, the event log, a partition or a message fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from postil.errors import ConfigurationError, Unavailable
from postil_consumers.errors import AuditLogDamaged, StorageFailed
from postil_consumers.runtime.health import Health, HealthFile
from postil_consumers.runtime.retries import NEEDS_OPERATOR, TRANSIENT, pause_before
from postil_consumers.runtime.runner import Runner
from postil_consumers.runtime.sequencer import Progress
from postil_consumers.runtime.sink import DeadLetter, Item, Partition, Record, Resume
from postil_consumers.testing import MemoryGaps, MemorySink, MemorySource, event_value

FIRST, SECOND = Partition("events", 0), Partition("events", 1)


@pytest.fixture
def source() -> MemorySource:
    return MemorySource([FIRST, SECOND], batch=4)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


def put(source: MemorySource, partition: Partition, run: str, numbers: Iterable[int]) -> None:
    """Put the events of a run with these numbers into a partition."""
    for run_seq in numbers:
        source.put(partition, f"default/{run}".encode(), event_value(run, run_seq))


def applied(sink: MemorySink, partition: Partition) -> list[tuple[str, int]]:
    """Return the run and run_seq of each event that the sink applied."""
    return [
        (item.event.run, item.event.run_seq) for item in sink.items[partition] if isinstance(item, Record)
    ]


def dead(sink: MemorySink, partition: Partition) -> list[DeadLetter]:
    """Return the dead letters that the sink recorded."""
    return [item for item in sink.items[partition] if isinstance(item, DeadLetter)]


def run_until_quiet(
    runner: Runner, source: MemorySource, partitions: Sequence[Partition] = (FIRST, SECOND)
) -> None:
    """Run until the offset after the last message of each partition is committed."""

    def quiet() -> None:
        if all(source.committed.get(p, 0) == len(source.messages[p]) for p in partitions):
            runner.stop.set()
        else:
            runner.stop.wait(0.001)

    source.quiet = quiet
    runner.run()


def numbered(run: str, last: int) -> list[tuple[str, int]]:
    """Return the run and run_seq of a run's events from 1 to `last`."""
    return [(f"default/{run}", n) for n in range(1, last + 1)]


def test_each_partition_is_delivered_in_order(source: MemorySource, sink: MemorySink) -> None:
    """Each partition's events reach the sink in order, and their offsets are committed."""
    put(source, FIRST, "a", range(1, 11))
    put(source, SECOND, "b", range(1, 6))

    run_until_quiet(Runner(source, sink, MemoryGaps()), source)

    assert applied(sink, FIRST) == numbered("a", 10)
    assert applied(sink, SECOND) == numbered("b", 5)
    assert source.committed == {FIRST: 10, SECOND: 5}


def test_an_invalid_message_is_a_dead_letter(source: MemorySource, sink: MemorySink) -> None:
    """A message without a valid value and key becomes a dead letter, and the partition continues."""
    put(source, FIRST, "a", [1])
    source.put(FIRST, b"default/a", None)
    source.put(FIRST, b"default/b", event_value("a", 2))
    source.put(FIRST, None, event_value("a", 2))
    put(source, FIRST, "a", [2])
    runner = Runner(source, sink, MemoryGaps())

    run_until_quiet(runner, source)

    assert applied(sink, FIRST) == numbered("a", 2)
    assert [letter.offset for letter in dead(sink, FIRST)] == [1, 2, 3]
    assert (runner.health.applied, runner.health.dead_letters) == (2, 3)


def test_a_fork_is_counted_and_not_applied(source: MemorySource, sink: MemorySink) -> None:
    """A second event with the run_seq of an applied one is counted as a fork and kept as a dead letter."""
    put(source, FIRST, "a", [1, 2])
    forged = event_value("a", 2).replace(
        b'{"specversion":"1.0","id":"', b'{"specversion":"1.0","id":"00000000-', 1
    )
    forged = forged.replace(forged[36:45], b"", 1)
    source.put(FIRST, b"default/a", forged)
    runner = Runner(source, sink, MemoryGaps())

    run_until_quiet(runner, source)

    assert (runner.health.forks, applied(sink, FIRST)) == (1, numbered("a", 2))
    assert [letter.reason.partition(":")[0] for letter in dead(sink, FIRST)] == ["fork"]


def test_gaps_in_kafka_are_filled_from_postgres(source: MemorySource, sink: MemorySink) -> None:
    """Events that Kafka lacks are read from the event log and applied in order."""
    gaps = MemoryGaps()
    gaps.values |= {("default/a", n): event_value("a", n) for n in range(1, 10)}
    put(source, FIRST, "a", [4, 9])

    run_until_quiet(Runner(source, sink, gaps), source)

    assert applied(sink, FIRST) == numbered("a", 9)


def test_an_event_with_lost_predecessors_is_a_dead_letter(source: MemorySource, sink: MemorySink) -> None:
    """An event whose predecessors are neither in Kafka nor in Postgres is a dead letter with that reason."""
    put(source, FIRST, "a", [3])

    run_until_quiet(Runner(source, sink, MemoryGaps()), source)

    (letter,) = dead(sink, FIRST)
    assert "1 to 2 are neither in Kafka nor in Postgres" in letter.reason


class Flaky(MemoryGaps):
    """An event log that is unreachable for the first three reads."""

    failures = 3

    def events(self, run: str, first: int, last: int) -> Iterable[bytes]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the database is away", advice="wait")
        return super().events(run, first, last)


def test_an_unreachable_log_delays_only_its_partition(source: MemorySource, sink: MemorySink) -> None:
    """While the event log is unreachable, a partition with a gap retries, and the others continue."""
    gaps = Flaky()
    gaps.values |= {("default/a", n): event_value("a", n) for n in range(1, 4)}
    put(source, FIRST, "a", [1, 3, 4])
    put(source, SECOND, "b", range(1, 30))
    states: list[tuple[str, str]] = []
    runner = Runner(source, sink, gaps, report=lambda health: states.append((health.state, health.what)))

    run_until_quiet(runner, source)

    assert (applied(sink, FIRST), applied(sink, SECOND)) == (numbered("a", 4), numbered("b", 29))
    assert ("yellow", "the database is away") in states
    assert (runner.health.state, runner.health.retries) == ("green", 3)


class Failing(MemorySink):
    """A sink that fails the first `failures` deliveries and refuses to open the partition `refusing`."""

    def __init__(self, failures: int = 0, refusing: Partition | None = None) -> None:
        super().__init__()
        self.failures = failures
        self.refusing = refusing
        self.error: type[ConfigurationError | AuditLogDamaged | StorageFailed] = AuditLogDamaged

    def open(self, partition: Partition) -> int | Resume:
        if partition == self.refusing:
            raise self.error("it is damaged", advice="repair it")
        return super().open(partition)

    def progress(self, partition: Partition) -> Progress:
        return super().progress(partition)

    def deliver(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageFailed("the disk is full", advice="free space")
        super().deliver(partition, items, next_offset)


def test_a_failed_delivery_is_read_again(source: MemorySource) -> None:
    """After a failed delivery the partition is read again from the sink's position, and no event is lost."""
    sink = Failing(failures=3)
    put(source, FIRST, "a", range(1, 20))

    run_until_quiet(Runner(source, sink, MemoryGaps()), source)

    assert applied(sink, FIRST) == numbered("a", 19)


def test_a_damaged_partition_is_red_and_stops_no_other(source: MemorySource) -> None:
    """A partition whose log is damaged makes the health red, and the other partitions continue."""
    sink = Failing(refusing=FIRST)
    put(source, SECOND, "b", range(1, 6))
    reports: list[Health] = []
    runner = Runner(source, sink, MemoryGaps(), report=reports.append)

    run_until_quiet(runner, source, [SECOND])

    assert applied(sink, SECOND) == numbered("b", 5)
    assert (reports[-1].state, reports[-1].what, reports[-1].advice) == ("red", "it is damaged", "repair it")


def test_a_quiet_partition_recovers_without_a_message(source: MemorySource) -> None:
    """The health is green again when a partition that failed is open and has nothing left to deliver."""
    sink = Failing(refusing=FIRST)
    sink.error = StorageFailed
    put(source, SECOND, "b", range(1, 6))
    states: list[str] = []
    runner = Runner(source, sink, MemoryGaps(), report=lambda health: states.append(health.state))

    def quiet() -> None:
        if states[-1] == "yellow":
            sink.refusing = None
        elif states[-1] == "green" and "yellow" in states:
            runner.stop.set()
        runner.stop.wait(0.001)

    source.quiet = quiet
    runner.run()

    assert (states[-1], applied(sink, SECOND)) == ("green", numbered("b", 5))


def test_the_health_is_reported_before_the_runner_is_ready(source: MemorySource, sink: MemorySink) -> None:
    """A program that waits for `ready` and then reads the health gets the health of the opened partitions."""
    states: list[str] = []
    at_ready: list[str] = []
    runner = Runner(source, sink, MemoryGaps(), report=lambda health: states.append(health.state))
    source.quiet = runner.stop.set

    runner.run(lambda: at_ready.extend(states))

    assert at_ready[-1] == "green"


def test_a_changed_state_is_written_to_the_file_at_once(tmp_path: Path) -> None:
    """The health file shows a new state without delay: the process may end right after it."""
    write = HealthFile(tmp_path / "health.json")
    health = Health("audit")
    for state in ("green", "red"):
        health.state = state
        write(health)
        assert json.loads((tmp_path / "health.json").read_text())["state"] == state


def test_a_wrong_setting_stops_the_runner(source: MemorySource) -> None:
    """`ConfigurationError` ends the runner with red health and the error's advice."""
    sink = Failing(refusing=FIRST)
    sink.error = ConfigurationError
    runner = Runner(source, sink, MemoryGaps())

    with pytest.raises(ConfigurationError):
        run_until_quiet(runner, source)

    assert (runner.health.state, runner.health.advice) == ("red", "repair it")


def test_a_rebalance_loses_and_repeats_no_event(source: MemorySource, sink: MemorySink) -> None:
    """Partitions that are revoked and assigned again during the work deliver each event once."""
    put(source, FIRST, "a", range(1, 20))
    thresholds = [12, 4]  # counts of applied events at which a rebalance happens

    def report(health: Health) -> None:
        if thresholds and health.applied >= thresholds[-1]:
            thresholds.pop()
            source.rebalance()

    runner = Runner(source, sink, MemoryGaps(), report=report)

    run_until_quiet(runner, source)

    assert (applied(sink, FIRST), thresholds) == (numbered("a", 19), [])


def test_the_runner_is_ready_once_partitions_are_open(source: MemorySource, sink: MemorySink) -> None:
    """The runner reports that it is ready after all its partitions are open."""
    runner = Runner(source, sink, MemoryGaps())
    opened: list[int] = []
    source.quiet = runner.stop.set

    runner.run(lambda: opened.append(len(sink.items)))

    assert opened == [2]


def test_pauses_grow_to_a_cap() -> None:
    """Pauses between retries grow up to 15 s plus jitter, and those that wait for a person begin at 5 s."""
    assert all(pause_before(n, TRANSIENT) <= 15.5 for n in range(1, 5000))
    assert pause_before(1, TRANSIENT) < 1 < pause_before(6, TRANSIENT)
    assert pause_before(1, NEEDS_OPERATOR) >= 5
