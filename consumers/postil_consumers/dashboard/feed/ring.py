"""A ring buffer of the newest events of the feed, numbered without a gap, bounded in count and bytes. Pure.

It holds each event as a frame: the text of one server-sent event.
A reader needs only the number of the last frame it has, so no reader has a queue.
A new reader and one that resumes call the same method, `after`. It returns:

* the frames after the reader's number, each once, in order; or
* how many of them were `missed`, because the ring dropped them. The reader must fetch the present state.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batch:
    """The frames after a number. `last` is the number of the last one, `missed` counts those dropped before the first."""

    frames: tuple[bytes, ...]
    last: int
    missed: int


class Ring:
    """The newest frames of one epoch. Numbers start at 1 and are never used twice."""

    def __init__(self, epoch: str, *, max_frames: int = 20_000, max_bytes: int = 32 * 1024 * 1024) -> None:
        self.epoch = epoch
        self.last = 0
        self.bytes = 0
        self._frames: deque[bytes] = deque()
        self._max_frames = max_frames
        self._max_bytes = max_bytes

    @property
    def first(self) -> int:
        """The number of the oldest frame in the ring; `last` + 1 if the ring is empty."""
        return self.last - len(self._frames) + 1

    def publish(self, payload: bytes) -> int:
        """Store one event, and return its number. Drops the oldest frames while the ring exceeds its bounds."""
        self.last += 1
        frame = b"id: " + self.id_of(self.last).encode() + b"\ndata: " + payload + b"\n\n"
        self._frames.append(frame)
        self.bytes += len(frame)
        while len(self._frames) > self._max_frames or (
            self.bytes > self._max_bytes and len(self._frames) > 1
        ):
            self.bytes -= len(self._frames.popleft())
        return self.last

    def after(self, number: int, *, max_frames: int = 1_000, max_bytes: int = 256 * 1024) -> Batch:
        """Return the frames after `number`, as many as fit the bounds, and at least one."""
        missed = max(0, self.first - 1 - number)
        start = number + missed - self.first + 1
        frames: list[bytes] = []
        size = 0
        for index in range(start, min(len(self._frames), start + max_frames)):
            frame = self._frames[index]
            if frames and size + len(frame) > max_bytes:
                break
            frames.append(frame)
            size += len(frame)
        return Batch(tuple(frames), number + missed + len(frames), missed)

    def id_of(self, number: int) -> str:
        """Return a number as the id that clients see."""
        return f"{self.epoch}-{number}"

    def number_of(self, last_event_id: str) -> int | None:
        """Return the number to resume after. It is None if the id is malformed or of another epoch, or its frame was dropped."""
        epoch, _, digits = last_event_id.rpartition("-")
        if epoch != self.epoch or not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
            return None
        number = int(digits)
        return number if self.first - 1 <= number <= self.last else None
