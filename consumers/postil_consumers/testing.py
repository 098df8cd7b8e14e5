"""In-memory equals of the ports, for tests and for trying things out; nothing here outlives the process."""

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
    """The bytes of an event as the database would build them, its id following from tenant, run and number."""
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
    """A `Progress` that remembers everything."""

    def __init__(self) -> None:
        self.applied: dict[str, dict[int, str]] = {}

    def last(self, run: str) -> int:
        """The last run_seq applied."""
        return len(self.applied.get(run, ()))

    def event_id(self, run: str, run_seq: int) -> str | None:
        """The id of the event applied there."""
        return self.applied.get(run, {}).get(run_seq)

    def advance(self, run: str, run_seq: int, event_id: str) -> None:
        """Count an event as applied; the run's next, or `ValueError`."""
        if run_seq != self.last(run) + 1:
            raise ValueError(f"{run_seq} of {run} does not follow {self.last(run)}")
        self.applied.setdefault(run, {})[run_seq] = event_id


class MemoryGaps:
    """A `GapSource` over values put into it."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, int], bytes] = {}

    def events(self, run: str, first: int, last: int) -> Iterator[bytes]:
        """Those it has of the run, in order."""
        return (self.values[run, n] for n in range(first, last + 1) if (run, n) in self.values)


class MemorySink:
    """A `Sink` that keeps what it is given, per partition, across closing and opening."""

    name = "memory"

    def __init__(self) -> None:
        self.items: dict[Partition, list[Item]] = {}
        self._progress: dict[Partition, MemoryProgress] = {}
        self._next: dict[Partition, int] = {}
        self._open: set[Partition] = set()

    def open(self, partition: Partition) -> int | Resume:
        """Where it was."""
        self._open.add(partition)
        self.items.setdefault(partition, [])
        self._progress.setdefault(partition, MemoryProgress())
        return self._next.get(partition, Resume.OLDEST)

    def progress(self, partition: Partition) -> Progress:
        """Of an open partition."""
        self._check(partition)
        return self._progress[partition]

    def deliver(self, partition: Partition, items: Sequence[Item], next_offset: int) -> None:
        """Keep the items."""
        self._check(partition)
        for item in items:
            if isinstance(item, Record):
                self._progress[partition].advance(item.event.run, item.event.run_seq, item.event.event_id)
        self.items[partition] += items
        self._next[partition] = next_offset

    def close(self, partition: Partition) -> None:
        """Let go."""
        self._open.discard(partition)

    def _check(self, partition: Partition) -> None:
        if partition not in self._open:
            raise KeyError(f"{partition} is not open")


class MemorySource:
    """A `Source` over messages put into it; the partitions it is told of are assigned at the first poll.

    `quiet` is called when there is nothing to read, in place of waiting.
    """

    def __init__(self, partitions: Sequence[Partition], *, batch: int = 100) -> None:
        self.messages: dict[Partition, list[Message]] = {partition: [] for partition in partitions}
        self.committed: dict[Partition, int] = {}
        self.quiet: Callable[[], object] = lambda: time.sleep(0.001)
        self._batch = batch
        self._position: dict[Partition, int] = {}
        self._speaking: set[Partition] = set()
        self._calls: deque[Callable[[], None]] = deque()

    def put(self, partition: Partition, key: bytes | None, value: bytes | None) -> None:
        """Append a message."""
        kept = self.messages[partition]
        kept.append(Message(partition, len(kept), key, value))

    def start(
        self,
        assigned: Callable[[Sequence[Partition]], None],
        revoked: Callable[[Sequence[Partition]], None],
    ) -> None:
        """Remember whom to tell."""
        self._assigned, self._revoked = assigned, revoked
        self._calls.append(lambda: assigned(list(self.messages)))

    def rebalance(self) -> None:
        """Take every partition away at the next poll, and give it back at the one after."""

        def take() -> None:
            self._speaking.clear()
            self._revoked(list(self.messages))

        self._calls += [take, lambda: self._assigned(list(self.messages))]

    def poll(self, timeout: float) -> Sequence[Message]:  # noqa: ARG002 (there is nothing to wait for)
        """A batch from each partition that speaks."""
        if self._calls:
            self._calls.popleft()()
            return ()
        found: list[Message] = []
        for partition in self._speaking:
            at = self._position[partition]
            batch = self.messages[partition][at : at + self._batch]
            self._position[partition] += len(batch)
            found += batch
        if not found:
            self.quiet()
        return found

    def resume(self, partition: Partition, at: int | Resume) -> None:
        """Seek and speak."""
        if at is Resume.COMMITTED:
            at = self.committed.get(partition, 0)
        self._position[partition] = 0 if isinstance(at, Resume) else at
        self._speaking.add(partition)

    def pause(self, partition: Partition) -> None:
        """Silence."""
        self._speaking.discard(partition)

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:  # noqa: ARG002 (it is done at once)
        """Remember."""
        self.committed |= offsets

    def lag(self, partition: Partition, next_offset: int) -> int | None:
        """Exactly."""
        return len(self.messages[partition]) - next_offset

    def close(self) -> None:
        """Nothing to leave."""
