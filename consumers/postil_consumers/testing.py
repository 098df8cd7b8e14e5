"""In-memory implementations of the ports, for tests and experiments. Nothing is stored beyond the process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson

from postil_consumers.runtime.sequencer import Progress
from postil_consumers.runtime.sink import Item, Partition, Record, Resume
from postil_consumers.runtime.source import Message


def event_value(run_id: str, run_seq: int, *, tenant: str = "default", data: object = None) -> bytes:
    """Return the bytes of an event as the database builds them. The id is derived from tenant, run and run_seq."""
    event_id = uuid5(NAMESPACE_URL, f"{tenant}/{run_id}/{run_seq}")
    attributes = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": f"/{tenant}/runs/{quote(run_id, safe='')}",
        "type": "annotation:created",
        "subject": f"annotations/{event_id}",
        "time": "2026-01-02T03:04:05.678901Z",
        "recordedtime": "2026-01-02T03:04:05.678901Z",
        "datacontenttype": "application/json",
        "tenant": tenant,
        "runid": run_id,
        "runseq": run_seq,
        "attempt": 1,
        "rootrun": run_id,
        "data": {"id": str(event_id), "key": "note", "value": run_seq} if data is None else data,
    }
    return orjson.dumps(attributes)


class MemoryProgress:
    """A `Progress` that stores every event id."""

    def __init__(self) -> None:
        self.applied: dict[str, dict[int, str]] = {}

    def last(self, run: str) -> int:
        """Return the last run_seq that was applied."""
        return len(self.applied.get(run, ()))

    def event_id(self, run: str, run_seq: int) -> str | None:
        """Return the id of the event applied with this run_seq."""
        return self.applied.get(run, {}).get(run_seq)

    def advance(self, run: str, run_seq: int, event_id: str) -> None:
        """Count an event as applied. Raises `ValueError` if it is not the next one of its run."""
        if run_seq != self.last(run) + 1:
            raise ValueError(f"{run_seq} of {run} does not follow {self.last(run)}")
        self.applied.setdefault(run, {})[run_seq] = event_id


class MemoryGaps:
    """A `GapSource` over the dictionary `values`."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, int], bytes] = {}

    def events(self, run: str, first: int, last: int) -> Iterator[bytes]:
        """Return the stored values of the run, in order."""
        return (self.values[run, n] for n in range(first, last + 1) if (run, n) in self.values)


class MemorySink:
    """A `Sink` that stores its items for each partition, also after the partition is closed."""

    name = "memory"

    def __init__(self) -> None:
        self.items: dict[Partition, list[Item]] = {}
        self._progress: dict[Partition, MemoryProgress] = {}
        self._next: dict[Partition, int] = {}
        self._open: set[Partition] = set()

    def open(self, partition: Partition) -> int | Resume:
        """Open the partition, and return the offset after the last delivery."""
        self._open.add(partition)
        self.items.setdefault(partition, [])
        self._progress.setdefault(partition, MemoryProgress())
        return self._next.get(partition, Resume.OLDEST)

    def progress(self, partition: Partition) -> Progress:
        """Return the progress of an open partition."""
        self._check(partition)
        return self._progress[partition]

    def deliver(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        """Store the items."""
        self._check(partition)
        for item in items:
            if isinstance(item, Record):
                self._progress[partition].advance(item.event.run, item.event.run_seq, item.event.event_id)
        self.items[partition] += items
        self._next[partition] = next_offset

    def close(self, partition: Partition) -> None:
        """Close the partition."""
        self._open.discard(partition)

    def _check(self, partition: Partition) -> None:
        if partition not in self._open:
            raise KeyError(f"{partition} is not open")


class MemorySource:
    """A `Source` over messages added with `put`. The first `poll` assigns every partition.

    `poll` calls `quiet` if there is nothing to read, instead of waiting.
    """

    def __init__(self, partitions: Sequence[Partition], *, batch: int = 100) -> None:
        self.messages: dict[Partition, list[Message]] = {partition: [] for partition in partitions}
        self.committed: dict[Partition, int] = {}
        self.quiet: Callable[[], object] = lambda: time.sleep(0.001)
        self._batch = batch
        self._position: dict[Partition, int] = {}
        self._resumed: set[Partition] = set()
        self._calls: deque[Callable[[], None]] = deque()

    def put(self, partition: Partition, key: bytes | None, value: bytes | None) -> None:
        """Append a message."""
        messages = self.messages[partition]
        messages.append(Message(partition, len(messages), key, value))

    def start(
        self,
        assigned: Callable[[Sequence[Partition]], None],
        revoked: Callable[[Sequence[Partition]], None],
    ) -> None:
        """Store the callbacks, and assign every partition at the next poll."""
        self._assigned, self._revoked = assigned, revoked
        self._calls.append(lambda: assigned(list(self.messages)))

    def rebalance(self) -> None:
        """Revoke every partition at the next poll, and assign it again at the poll after that."""

        def revoke() -> None:
            self._resumed.clear()
            self._revoked(list(self.messages))

        self._calls += [revoke, lambda: self._assigned(list(self.messages))]

    def poll(self, timeout: float) -> Sequence[Message]:  # noqa: ARG002 (there is nothing to wait for)
        """Return a batch from each partition that is not paused."""
        if self._calls:
            self._calls.popleft()()
            return ()
        messages: list[Message] = []
        for partition in self._resumed:
            at = self._position[partition]
            batch = self.messages[partition][at : at + self._batch]
            self._position[partition] += len(batch)
            messages += batch
        if not messages:
            self.quiet()
        return messages

    def resume(self, partition: Partition, at: int | Resume) -> None:
        """Read the partition from this offset."""
        if at is Resume.COMMITTED:
            at = self.committed.get(partition, 0)
        self._position[partition] = 0 if isinstance(at, Resume) else at
        self._resumed.add(partition)

    def pause(self, partition: Partition) -> None:
        """Stop reading the partition."""
        self._resumed.discard(partition)

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:  # noqa: ARG002 (it is done at once)
        """Store the offsets in `committed`."""
        self.committed |= offsets

    def lag(self, partition: Partition, next_offset: int) -> int | None:
        """Return how many messages there are from `next_offset` on."""
        return len(self.messages[partition]) - next_offset

    def close(self) -> None:
        """Do nothing: there is no group."""
