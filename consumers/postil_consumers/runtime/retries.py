"""When a partition that failed is opened again. Pure: the caller passes the time."""

from __future__ import annotations

from collections.abc import Iterable

from tenacity import RetryCallState, Retrying, wait_exponential, wait_random
from tenacity.wait import wait_base

from postil_consumers.runtime.sink import Partition

TRANSIENT = wait_exponential(multiplier=0.1, max=15) + wait_random(0, 0.5)
"""Pauses after an error that a retry may cure: 0.1 s at first, at most 15.5 s."""

NEEDS_OPERATOR = wait_exponential(multiplier=5, max=60) + wait_random(0, 5)
"""Pauses after an error that an operator must repair: 5 to 65 s, so that the repair needs no restart."""


def pause_before(attempt: int, policy: wait_base) -> float:
    """Return the seconds to wait before an attempt. The first retry is attempt 1."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return policy(state)


class PartitionRetries:
    """The partitions that are assigned but not open, and the failures of each since its last delivery.

    Times are seconds on the monotonic clock.
    """

    def __init__(self) -> None:
        self._due: dict[Partition, float] = {}
        self._failures: dict[Partition, int] = {}

    @property
    def waiting(self) -> tuple[Partition, ...]:
        """The partitions that are not open."""
        return tuple(self._due)

    @property
    def are_all_attempted(self) -> bool:
        """Whether every waiting partition has failed at least once, so that none waits for its first attempt."""
        return all(partition in self._failures for partition in self._due)

    @property
    def are_none(self) -> bool:
        """Whether every partition is open and has recovered since its last failure."""
        return not self._due and not self._failures

    @property
    def unproven(self) -> tuple[Partition, ...]:
        """The partitions that are open again after a failure, and have not delivered since."""
        return tuple(partition for partition in self._failures if partition not in self._due)

    def add(self, partitions: Iterable[Partition]) -> None:
        """Make new partitions due at once."""
        self._due |= dict.fromkeys(partitions, 0.0)

    def remove(self, partition: Partition) -> None:
        """Remove a revoked partition and its failures."""
        self._due.pop(partition, None)
        self._failures.pop(partition, None)

    def due(self, now: float) -> list[Partition]:
        """Return the partitions to open now."""
        return [partition for partition, due in self._due.items() if due <= now]

    def mark_failed(self, partition: Partition, policy: wait_base, now: float) -> float:
        """Count a failure and return the seconds until the partition is due again."""
        attempt = self._failures.get(partition, 0) + 1
        pause = pause_before(attempt, policy)
        self._failures[partition] = attempt
        self._due[partition] = now + pause
        return pause

    def mark_open(self, partition: Partition) -> None:
        """Remove an opened partition from the waiting ones. Its failures count until it has recovered."""
        self._due.pop(partition, None)

    def mark_recovered(self, partition: Partition) -> None:
        """Reset the failures of the partition: it has delivered, or has nothing left to deliver."""
        self._failures.pop(partition, None)
