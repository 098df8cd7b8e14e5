"""Batches of rows read from the log, from reading until every row is acknowledged. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from postil_relay.commands import Cursor, Row


@dataclass(slots=True)
class Batch:
    """Rows fetched together; `then` is the place reached once they and all before them are settled.

    Only counts are kept on the way there and back: a dictionary per message would halve the throughput.
    Which message failed is known from the failure itself; all others of a batch with nothing in flight got through.
    """

    id: int
    rows: list[Row]
    then: Cursor
    count: int  # of rows when they were fetched
    size: int  # bytes of their values
    largest: int  # of their values
    sent: bool = False
    in_flight: int = 0
    held: int = 0  # refused, or kept back behind an event of the same run that was

    @property
    def settled(self) -> bool:
        """Whether every row is acknowledged, or belongs to a parked run that is written down."""
        return self.sent and not self.in_flight and not self.held


class Batches:
    """All batches fetched and not yet settled, the oldest first, with their sizes summed up."""

    def __init__(self) -> None:
        self.size = 0  # bytes of values
        self.rows = 0
        self._queue: deque[Batch] = deque()
        self._next_id = 0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._queue)

    @property
    def oldest(self) -> Batch:
        """The front of the chain: only what is settled here moves the cursor."""
        return self._queue[0]

    @property
    def newest(self) -> Batch:
        """The end of the chain."""
        return self._queue[-1]

    @property
    def quiet_through(self) -> int:
        """The last batch up to which nothing is in flight."""
        return next((batch.id - 1 for batch in self._queue if batch.in_flight), self._next_id - 1)

    def get(self, batch: int) -> Batch:
        """The batch of this id."""
        return self._queue[batch - self._queue[0].id]

    def append(self, rows: list[Row], then: Cursor) -> Batch:
        """Add what was fetched."""
        sizes = [len(row[3]) for row in rows]
        batch = Batch(self._next_id, rows, then, len(rows), sum(sizes), max(sizes))
        self._next_id += 1
        self.size += batch.size
        self.rows += batch.count
        self._queue.append(batch)
        return batch

    def pop(self) -> Batch:
        """Take the oldest off."""
        batch = self._queue.popleft()
        self.size -= batch.size
        self.rows -= batch.count
        return batch

    def clear(self) -> None:
        """Forget them all."""
        self._queue.clear()
        self.size = self.rows = 0
