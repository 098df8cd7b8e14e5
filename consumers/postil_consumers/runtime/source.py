"""The port messages come through, so that the runner knows no Kafka client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from postil_consumers.runtime.sink import Partition, Resume


class Message(NamedTuple):
    """A message as Kafka has it."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None


class Source(Protocol):
    """A consumer group's share of a topic.

    Used from one thread. Partitions come and go only inside `poll`, by the two callbacks given to `start`.
    A partition that came is silent until `resume`, and again after `pause`.
    """

    def start(
        self,
        assigned: Callable[[Sequence[Partition]], None],
        revoked: Callable[[Sequence[Partition]], None],
    ) -> None:
        """Join the group. Raises `Transient` while that cannot be tried yet, `Misconfigured` if it never will."""
        ...

    def poll(self, timeout: float) -> Sequence[Message]:
        """What is there, in order per partition: waits up to `timeout` seconds for the first message, for no other.

        Also what keeps the group membership alive: to be called all the time, paused or not.
        Raises `Misconfigured` if the group cannot go on.
        """
        ...

    def resume(self, partition: Partition, at: int | Resume) -> None:
        """Let the partition speak, from there. Raises `Transient` if it cannot be told so now."""
        ...

    def pause(self, partition: Partition) -> None:
        """Silence the partition; what was fetched of it is forgotten."""
        ...

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:
        """Tell the group what to read next. Never raises: a commit that fails costs reading twice, nothing else."""
        ...

    def lag(self, partition: Partition, next_offset: int) -> int | None:
        """How many messages are waiting behind `next_offset`; None where that is not known."""
        ...

    def close(self) -> None:
        """Leave."""
        ...
