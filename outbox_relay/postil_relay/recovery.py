"""What the state machine remembers of a batch, and of a run whose events were refused. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from postil_relay.chain import Cursor, Row, Verdict


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


class Stage(Enum):
    """Where a run is in its go-back-N."""

    WAITING = auto()  # its messages in flight resolve; nothing more of it is sent
    TRIED_ALONE = auto()  # the refused message is in flight, and nothing else is
    PARKING = auto()  # refused alone: being written down
    RESENT = auto()  # sent again from the refused event on; new events follow it


@dataclass(slots=True)
class Recovery:
    """A run that goes back: everything from `first` on is sent again, once nothing of it is in flight."""

    key: bytes
    barrier: int  # the last batch that may contain messages of it in flight
    retry_at: float
    stage: Stage = Stage.WAITING
    attempts: int = 1
    refused: dict[int, tuple[Verdict, str]] = field(default_factory=dict[int, tuple[Verdict, str]])
    held: set[tuple[int, int]] = field(
        default_factory=set[tuple[int, int]]
    )  # (batch, run_seq), counted in Batch.held
    resume_from: int | None = None  # everything before it is sent already

    @property
    def first(self) -> int:
        """The run_seq to go back to."""
        return min(self.refused) if self.resume_from is None else self.resume_from

    @property
    def next_suspect(self) -> float:
        """The first event refused for good (infinity where there is none): what is before it is sent without it."""
        return min((n for n, (verdict, _) in self.refused.items() if verdict is Verdict.REFUSED), default=inf)

    @property
    def suspect(self) -> bool:
        """Whether the next event to send was refused for good."""
        return self.first == self.next_suspect

    def refuse(self, run_seq: int, verdict: Verdict, reason: str) -> None:
        """One of its events was refused: go back to it at least."""
        self.refused[run_seq] = (verdict, reason)
        if self.resume_from is not None:
            self.resume_from = min(self.resume_from, run_seq)

    def went_on(self) -> None:
        """Everything up to the next suspect is sent again."""
        if self.next_suspect == inf:
            self.stage = Stage.RESENT
            self.refused.clear()
            self.resume_from = None
        else:
            self.resume_from = int(self.next_suspect)

    @property
    def blocks(self) -> bool:
        """Whether new events of the run are kept back."""
        return self.stage is not Stage.RESENT


@dataclass(slots=True)
class Comeback:
    """A parked run that is published again, page by page from the log."""

    key: bytes
    batch: int = -1  # of the last page
    run_seq: int = 0  # the last of that page
    waiting: bool = True  # for the next page
    complete: bool = False
