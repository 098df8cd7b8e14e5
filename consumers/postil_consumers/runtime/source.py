"""The port through which messages arrive, so that the runner does not depend on a Kafka client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from postil_consumers.runtime.sink import Partition, Resume


class Message(NamedTuple):
    """A message as Kafka stores it."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None


class Source(Protocol):
    """The partitions of a topic that one member of a consumer group reads.

    The runner uses a source from one thread. Only `poll` assigns and revokes partitions,
    through the two callbacks that `start` receives. A new partition is paused until `resume`.
    """

    def start(
        self,
        assigned: Callable[[Sequence[Partition]], None],
        revoked: Callable[[Sequence[Partition]], None],
    ) -> None:
        """Join the group.

        Raises `Unavailable` if a later attempt may succeed, and `ConfigurationError` if an operator must act first.
        """
        ...

    def poll(self, timeout: float) -> Sequence[Message]:
        """Return the next messages, in order for each partition. Waits up to `timeout` seconds for the first one only.

        The member stays in the group only while this is called, even if every partition is paused.
        Raises `ConfigurationError` if the group refuses this member.
        """
        ...

    def resume(self, partition: Partition, at: int | Resume) -> None:
        """Read the partition from this offset. Raises `Unavailable` if the offset cannot be set now."""
        ...

    def pause(self, partition: Partition) -> None:
        """Stop reading the partition, and drop the messages of it that were fetched."""
        ...

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:
        """Commit the next offset of each partition. Never raises: after a failure, messages are only read twice."""
        ...

    def lag(self, partition: Partition, next_offset: int) -> int | None:
        """Return how many messages there are from `next_offset` on; None if that is unknown."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...
