"""Batches of rows, from the time they are fetched until every row is settled. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from postil_relay.machine.rows import VALUE, Cursor, Row


@dataclass(slots=True)
class Batch:
    """Rows that were fetched together. When they and all rows before them are settled, the cursor is `then`.

    A batch counts its messages and keeps no dictionary of them, which would halve the throughput.
    A refusal names its message. When nothing of a batch is in flight, all its other messages were accepted.
    """

    id: int
    rows: list[Row]
    then: Cursor
    count: int
    """Number of rows when they were fetched."""
    size: int
    """Bytes of their values."""
    largest: int
    """Bytes of the largest value."""
    sent: bool = False
    in_flight: int = 0
    held: int = 0
    """Rows that were refused, or that wait behind a refused event of the same run."""

    @property
    def settled(self) -> bool:
        """Whether every row is acknowledged, or belongs to a parked run that is recorded."""
        return self.sent and not self.in_flight and not self.held


class Batches:
    """All batches that are fetched and not yet settled, the oldest first, with their total size."""

    def __init__(self) -> None:
        self.size = 0
        self.rows = 0
        self._queue: deque[Batch] = deque()
        self._next_id = 0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._queue)

    @property
    def oldest(self) -> Batch:
        """The first batch. Only when it is settled does the cursor move."""
        return self._queue[0]

    @property
    def oldest_id(self) -> int | None:
        """The id of the first batch; None if there is no batch."""
        return self._queue[0].id if self._queue else None

    @property
    def newest(self) -> Batch:
        """The last batch."""
        return self._queue[-1]

    @property
    def quiet_through(self) -> int:
        """Id of the last batch up to which nothing is in flight."""
        return next((batch.id - 1 for batch in self._queue if batch.in_flight), self._next_id - 1)

    def get(self, batch: int) -> Batch:
        """Return the batch with this id."""
        return self._queue[batch - self._queue[0].id]

    def append(self, rows: list[Row], then: Cursor) -> Batch:
        """Add fetched rows as a new batch."""
        sizes = [len(row[VALUE]) for row in rows]
        batch = Batch(self._next_id, rows, then, len(rows), sum(sizes), max(sizes))
        self._next_id += 1
        self.size += batch.size
        self.rows += batch.count
        self._queue.append(batch)
        return batch

    def pop(self) -> Batch:
        """Remove and return the oldest batch."""
        batch = self._queue.popleft()
        self.size -= batch.size
        self.rows -= batch.count
        return batch

    def clear(self) -> None:
        """Remove all batches."""
        self._queue.clear()
        self.size = self.rows = 0
