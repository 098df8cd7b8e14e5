"""The rules of the port `Source`, for every implementation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from confluent_kafka import Producer

from postil.settings import load_settings
from postil_consumers.runtime.kafka_source import KafkaSource
from postil_consumers.runtime.sink import Partition, Resume
from postil_consumers.runtime.source import Message, Source
from postil_consumers.testing import MemorySource
from postil_stack.servers.kafka import EmbeddedKafka

PARTITIONS = 6
PATIENCE = 30.0
QUIET = 1.0


@dataclass
class Member:
    """A source that has joined its group, and a function that appends messages to its topic."""

    source: Source
    put: Callable[[int, bytes], None]
    assigned: list[Partition] = field(default_factory=list[Partition])

    def partition(self, number: int) -> Partition:
        """Return the assigned partition with this number."""
        return next(partition for partition in self.assigned if partition.number == number)

    def join(self) -> None:
        """Start the source, and poll until it has every partition."""
        self.source.start(self.assigned.extend, lambda _: None)
        deadline = time.monotonic() + PATIENCE
        while len(self.assigned) < PARTITIONS and time.monotonic() < deadline:
            assert not self.source.poll(0.1), "a new partition is paused"
        assert len(self.assigned) == PARTITIONS

    def read(self, count: int) -> list[Message]:
        """Poll until `count` messages have arrived."""
        messages: list[Message] = []
        deadline = time.monotonic() + PATIENCE
        while len(messages) < count and time.monotonic() < deadline:
            messages += self.source.poll(0.1)
        return messages

    def read_until_quiet(self) -> Sequence[Message]:
        """Poll for a second, and return what arrived."""
        messages: list[Message] = []
        deadline = time.monotonic() + QUIET
        while time.monotonic() < deadline:
            messages += self.source.poll(0.1)
        return messages


@pytest.fixture(params=["memory", "kafka"])
def member(request: pytest.FixtureRequest) -> Iterator[Member]:
    world = memory_member() if request.param == "memory" else kafka_member(request)
    world.join()
    yield world
    world.source.close()


def memory_member() -> Member:
    partitions = [Partition("events", number) for number in range(PARTITIONS)]
    source = MemorySource(partitions)
    return Member(source, lambda number, value: source.put(partitions[number], b"key", value))


def kafka_member(request: pytest.FixtureRequest) -> Member:
    server: EmbeddedKafka = request.getfixturevalue("kafka_server")
    topic: str = request.getfixturevalue("kafka_topic")
    client = load_settings(**server.settings()).kafka_client()
    producer = Producer({**client, "linger.ms": 0})

    def put(number: int, value: bytes) -> None:
        producer.produce(topic, value, b"key", partition=number)
        assert producer.flush(30) == 0

    return Member(KafkaSource(client, topic, f"contract.{topic}"), put)


def contents(messages: Sequence[Message]) -> list[tuple[int, int, bytes | None, bytes | None]]:
    return [(message.partition.number, message.offset, message.key, message.value) for message in messages]


def test_a_new_partition_is_paused_until_resume(member: Member) -> None:
    """A source returns no message of an assigned partition before `resume`."""
    member.put(0, b"a")

    assert member.read_until_quiet() == []
    member.source.resume(member.partition(0), Resume.OLDEST)
    assert contents(member.read(1)) == [(0, 0, b"key", b"a")]


def test_messages_of_a_partition_arrive_in_order(member: Member) -> None:
    """`poll` returns the messages of one partition by ascending offset, each once."""
    for value in (b"a", b"b", b"c"):
        member.put(2, value)
    member.source.resume(member.partition(2), Resume.OLDEST)

    assert [(message.offset, message.value) for message in member.read(3)] == [
        (0, b"a"),
        (1, b"b"),
        (2, b"c"),
    ]
    assert member.read_until_quiet() == []


def test_resume_starts_at_the_given_offset(member: Member) -> None:
    """`resume` with an offset skips the messages before it."""
    for value in (b"a", b"b", b"c"):
        member.put(1, value)
    member.source.resume(member.partition(1), 1)

    assert [message.value for message in member.read(2)] == [b"b", b"c"]


def test_resume_at_the_commit_starts_at_the_committed_offset(member: Member) -> None:
    """`resume` with `COMMITTED` starts at the offset that `commit` stored."""
    for value in (b"a", b"b", b"c"):
        member.put(0, value)
    member.source.commit({member.partition(0): 2}, wait=True)
    member.source.resume(member.partition(0), Resume.COMMITTED)

    assert [message.value for message in member.read(1)] == [b"c"]


def test_resume_without_a_commit_starts_at_the_oldest(member: Member) -> None:
    """`resume` with `COMMITTED` starts at the oldest message if the group has no commit."""
    member.put(0, b"a")
    member.source.resume(member.partition(0), Resume.COMMITTED)

    assert [message.value for message in member.read(1)] == [b"a"]


def test_a_paused_partition_returns_no_message(member: Member) -> None:
    """After `pause`, messages of the partition stay unread until `resume`, and other partitions continue."""
    paused, other = member.partition(0), member.partition(1)
    member.source.resume(paused, Resume.OLDEST)
    member.source.resume(other, Resume.OLDEST)
    member.put(0, b"a")
    assert [message.value for message in member.read(1)] == [b"a"]
    member.source.pause(paused)
    member.put(0, b"b")
    member.put(1, b"c")

    assert [message.value for message in member.read_until_quiet()] == [b"c"]
    member.source.resume(paused, 0)
    assert [message.value for message in member.read(2)] == [b"a", b"b"]


def test_pausing_a_paused_partition_does_nothing(member: Member) -> None:
    """`pause` accepts a partition that is paused already."""
    member.source.pause(member.partition(0))
    member.source.pause(member.partition(0))


def test_lag_counts_the_messages_from_an_offset(member: Member) -> None:
    """After a fetch, `lag` is the number of messages from the given offset on."""
    for value in (b"a", b"b", b"c"):
        member.put(0, value)
    member.source.resume(member.partition(0), Resume.OLDEST)
    member.read(3)

    assert [member.source.lag(member.partition(0), offset) for offset in (0, 2, 3)] == [3, 1, 0]


def test_a_message_with_an_empty_value_arrives(member: Member) -> None:
    """An empty value is a message like every other: the runner decides what to do with it."""
    member.put(3, b"")
    member.source.resume(member.partition(3), Resume.OLDEST)

    assert contents(member.read(1)) == [(3, 0, b"key", b"")]
