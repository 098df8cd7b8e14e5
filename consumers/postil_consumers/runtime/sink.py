"""The port every sink implements, and what is handed to it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from postil.model.envelope import RawEvent
from postil_consumers.runtime.sequencer import Progress


class Partition(NamedTuple):
    """A partition of a Kafka topic; `topic_id` tells a topic from a later one of the same name ("" if unknown)."""

    topic: str
    number: int
    topic_id: str = ""

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


class Record(NamedTuple):
    """An event to take. `offset` is that of the message that brought it, or that showed it was missing."""

    offset: int
    event: RawEvent


class DeadLetter(NamedTuple):
    """A message that cannot be applied, and why: unreadable, a fork, or one whose predecessors exist nowhere."""

    offset: int
    reason: str
    key: bytes | None
    value: bytes | None


Item: TypeAlias = Record | DeadLetter


class Resume(Enum):
    """Where to read from when the sink itself keeps no offset."""

    OLDEST = "oldest"
    """The oldest message there is."""
    COMMITTED = "committed"
    """What the consumer group committed, or the oldest if it never did."""


class Sink(Protocol):
    """Where one consumer group delivers.

    The runner calls it from one thread, and for each partition in this order:
    `open`, then `progress` and `deliver` any number of times, then `close`.
    Events come by the run_seq rule: each run's from 1 on, without gaps, each once.

    Any call may raise `Transient`: the runner closes the partition, waits, opens it again and reads from where
    `open` then says; what was not durable comes again. `Misconfigured` stops the runner, for a person to look.
    """

    @property
    def name(self) -> str:
        """What it is called, in the group's name, in logs and in metrics."""
        ...

    def open(self, partition: Partition) -> int | Resume:
        """Take the partition; answer the offset to read next, with everything before it durable here."""
        ...

    def progress(self, partition: Partition) -> Progress:
        """What is durable here of the runs of an open partition."""
        ...

    def deliver(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        """Make the items durable, in order, and with them that everything before `next_offset` is dealt with.

        Returns only when they are; then `progress` counts them. Raises with none of them counted.
        """
        ...

    def close(self, partition: Partition) -> None:
        """Let go of the partition; one that is not open is no error."""
        ...
