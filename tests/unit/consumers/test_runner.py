"""The runner on in-memory ports: what it does when a sink, the log, a partition or a message fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from postil_consumers.errors import AuditLogDamaged, Misconfigured, StorageFailed, Transient
from postil_consumers.runtime.health import Health
from postil_consumers.runtime.runner import NEEDS_A_PERSON, TRANSIENT, Runner, pause_before
from postil_consumers.runtime.sequencer import Progress
from postil_consumers.runtime.sink import DeadLetter, Item, Partition, Record, Resume
from postil_consumers.testing import MemoryGaps, MemorySink, MemorySource, event_value

ONE, OTHER = Partition("events", 0), Partition("events", 1)


@pytest.fixture
def source() -> MemorySource:
    return MemorySource([ONE, OTHER], batch=4)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


def put(source: MemorySource, partition: Partition, run: str, numbers: Iterable[int]) -> None:
    for run_seq in numbers:
        source.put(partition, f"default/{run}".encode(), event_value(run, run_seq))


def applied(sink: MemorySink, partition: Partition) -> list[tuple[str, int]]:
    return [
        (item.event.run, item.event.run_seq) for item in sink.items[partition] if isinstance(item, Record)
    ]


def dead(sink: MemorySink, partition: Partition) -> list[DeadLetter]:
    return [item for item in sink.items[partition] if isinstance(item, DeadLetter)]


def run_until_quiet(
    runner: Runner, source: MemorySource, partitions: Sequence[Partition] = (ONE, OTHER)
) -> None:
    """Run until every message of these partitions is dealt with."""

    def quiet() -> None:
        if all(source.committed.get(p, 0) == len(source.messages[p]) for p in partitions):
            runner.stop.set()
        else:
            runner.stop.wait(0.001)

    source.quiet = quiet
    runner.run()


def numbered(run: str, last: int) -> list[tuple[str, int]]:
    return [(f"default/{run}", n) for n in range(1, last + 1)]


def test_each_partition_is_delivered_in_order_and_committed(source: MemorySource, sink: MemorySink) -> None:
    put(source, ONE, "a", range(1, 11))
    put(source, OTHER, "b", range(1, 6))

    run_until_quiet(Runner(source, sink, MemoryGaps()), source)

    assert applied(sink, ONE) == numbered("a", 10)
    assert applied(sink, OTHER) == numbered("b", 5)
    assert source.committed == {ONE: 10, OTHER: 5}


def test_what_is_no_event_is_a_dead_letter_in_its_place_and_the_partition_goes_on(
    source: MemorySource, sink: MemorySink
) -> None:
    put(source, ONE, "a", [1])
    source.put(ONE, b"default/a", None)
    source.put(ONE, b"default/b", event_value("a", 2))
    source.put(ONE, None, event_value("a", 2))
    put(source, ONE, "a", [2])
    runner = Runner(source, sink, MemoryGaps())

    run_until_quiet(runner, source)

    assert applied(sink, ONE) == numbered("a", 2)
    assert [letter.offset for letter in dead(sink, ONE)] == [1, 2, 3]
    assert (runner.health.applied, runner.health.dead_letters) == (2, 3)


def test_a_fork_is_an_alarm_and_kept_but_never_applied(source: MemorySource, sink: MemorySink) -> None:
    put(source, ONE, "a", [1, 2])
    forged = event_value("a", 2).replace(
        b'{"specversion":"1.0","id":"', b'{"specversion":"1.0","id":"00000000-', 1
    )
    forged = forged.replace(forged[36:45], b"", 1)
    source.put(ONE, b"default/a", forged)
    runner = Runner(source, sink, MemoryGaps())

    run_until_quiet(runner, source)

    assert (runner.health.forks, applied(sink, ONE)) == (1, numbered("a", 2))
    assert [letter.reason.partition(":")[0] for letter in dead(sink, ONE)] == ["fork"]


def test_what_kafka_lost_is_fetched_from_the_log(source: MemorySource, sink: MemorySink) -> None:
    gaps = MemoryGaps()
    gaps.values |= {("default/a", n): event_value("a", n) for n in range(1, 10)}
    put(source, ONE, "a", [4, 9])

    run_until_quiet(Runner(source, sink, gaps), source)

    assert applied(sink, ONE) == numbered("a", 9)


def test_an_event_whose_predecessors_exist_nowhere_is_kept_with_the_reason(
    source: MemorySource, sink: MemorySink
) -> None:
    put(source, ONE, "a", [3])

    run_until_quiet(Runner(source, sink, MemoryGaps()), source)

    (letter,) = dead(sink, ONE)
    assert "1 to 2 are neither in Kafka nor in Postgres" in letter.reason


class Flaky(MemoryGaps):
    """A log that cannot be reached the first times."""

    failures = 3

    def events(self, run: str, first: int, last: int) -> Iterable[bytes]:  # type: ignore[override]
        if self.failures:
            self.failures -= 1
            raise Transient("the database is away", advice="wait")
        return super().events(run, first, last)


def test_while_the_log_cannot_be_reached_the_partition_waits_and_the_others_go_on(
    source: MemorySource, sink: MemorySink
) -> None:
    gaps = Flaky()
    gaps.values |= {("default/a", n): event_value("a", n) for n in range(1, 4)}
    put(source, ONE, "a", [1, 3, 4])
    put(source, OTHER, "b", range(1, 30))
    seen: list[tuple[str, str]] = []
    runner = Runner(source, sink, gaps, report=lambda health: seen.append((health.state, health.what)))

    run_until_quiet(runner, source)

    assert (applied(sink, ONE), applied(sink, OTHER)) == (numbered("a", 4), numbered("b", 29))
    assert ("yellow", "the database is away") in seen
    assert (runner.health.state, runner.health.retries) == ("green", 3)


class Failing(MemorySink):
    """A sink whose deliveries fail the first times, and whose partitions may refuse to open."""

    def __init__(self, failures: int = 0, refusing: Partition | None = None) -> None:
        super().__init__()
        self.failures = failures
        self.refusing = refusing
        self.error: type[Misconfigured | AuditLogDamaged] = AuditLogDamaged

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


def test_a_delivery_that_fails_is_read_again_from_where_the_sink_is(source: MemorySource) -> None:
    sink = Failing(failures=3)
    put(source, ONE, "a", range(1, 20))

    run_until_quiet(Runner(source, sink, MemoryGaps()), source)

    assert applied(sink, ONE) == numbered("a", 19)


def test_a_log_that_needs_a_person_is_red_and_does_not_stop_the_others(source: MemorySource) -> None:
    sink = Failing(refusing=ONE)
    put(source, OTHER, "b", range(1, 6))
    seen: list[Health] = []
    runner = Runner(source, sink, MemoryGaps(), report=seen.append)

    run_until_quiet(runner, source, [OTHER])

    assert applied(sink, OTHER) == numbered("b", 5)
    assert (seen[-1].state, seen[-1].what, seen[-1].advice) == ("red", "it is damaged", "repair it")


def test_what_only_a_setting_can_repair_stops_it_with_health_red(source: MemorySource) -> None:
    sink = Failing(refusing=ONE)
    sink.error = Misconfigured
    runner = Runner(source, sink, MemoryGaps())

    with pytest.raises(Misconfigured):
        run_until_quiet(runner, source)

    assert (runner.health.state, runner.health.advice) == ("red", "repair it")


def test_partitions_that_are_taken_away_and_given_back_lose_and_repeat_nothing(
    source: MemorySource, sink: MemorySink
) -> None:
    put(source, ONE, "a", range(1, 20))
    due = [12, 4]

    def report(health: Health) -> None:
        if due and health.applied >= due[-1]:
            due.pop()
            source.rebalance()

    runner = Runner(source, sink, MemoryGaps(), report=report)

    run_until_quiet(runner, source)

    assert (applied(sink, ONE), due) == (numbered("a", 19), [])


def test_it_is_ready_once_its_partitions_are_open(source: MemorySource, sink: MemorySink) -> None:
    runner = Runner(source, sink, MemoryGaps())
    opened: list[int] = []
    source.quiet = runner.stop.set

    runner.run(lambda: opened.append(len(sink.items)))

    assert opened == [2]


def test_pauses_grow_to_a_cap() -> None:
    assert all(pause_before(n, TRANSIENT) <= 15.5 for n in range(1, 5000))
    assert pause_before(1, TRANSIENT) < 1 < pause_before(6, TRANSIENT)
    assert 5 <= pause_before(1, NEEDS_A_PERSON)
