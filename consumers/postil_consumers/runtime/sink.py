"""The port that every sink implements, and the items that a sink receives."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from postil.model.envelope import RawEvent
from postil_consumers.runtime.sequencer import Progress


class Partition(NamedTuple):
    """A partition of a Kafka topic. `topic_id` distinguishes a topic from a later one of the same name; "" if unknown."""

    topic: str
    number: int
    topic_id: str = ""

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


class Record(NamedTuple):
    """An event to deliver. `offset` is that of its message, or of the message that showed that the event was missing."""

    offset: int
    event: RawEvent


class DeadLetter(NamedTuple):
    """A message that cannot be applied, with the reason: no event, a fork, or events before it are missing."""

    offset: int
    reason: str
    key: bytes | None
    value: bytes | None


Item: TypeAlias = Record | DeadLetter


class Resume(Enum):
    """Where to read from if the sink itself stores no offset."""

    OLDEST = "oldest"
    """At the oldest message of the partition."""
    COMMITTED = "committed"
    """At the offset that the consumer group committed, or at the oldest message without a commit."""


class Sink(Protocol):
    """The destination of one consumer group.

    The runner calls a sink from one thread. For each partition it calls `open`, then `progress` and `deliver`
    any number of times, then `close`. By the run_seq rule, a sink receives each event of a run once, in order,
    from run_seq 1 on and without gaps.

    Every method may raise `Unavailable`: the runner closes the partition, waits, opens it again, and delivers again
    from the offset that `open` returns. `ConfigurationError` stops the runner until an operator acts.
    """

    @property
    def name(self) -> str:
        """The sink's name in logs, in metrics and in the name of its consumer group."""
        ...

    def open(self, partition: Partition) -> int | Resume:
        """Open the partition, and return the offset to read next. Everything before that offset is durable in the sink."""
        ...

    def progress(self, partition: Partition) -> Progress:
        """Return what the sink has made durable of the runs of an open partition."""
        ...

    def deliver(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        """Make the items and `next_offset` durable, in order. `open` returns `next_offset` from then on.

        Returns after all of them are durable; `progress` then includes them. If it raises, none of them counts.
        """
        ...

    def close(self, partition: Partition) -> None:
        """Close the partition. Does nothing if it is not open."""
        ...
