"""The feed's memory: the newest frames, numbered without a gap, bounded in count and bytes. Pure.

A reader is nothing but the number of the last frame it has: there is no queue per reader to fill or to lose,
and "subscribe, replay, then go live" is one and the same step. What a reader can be told is:

* the frames after its number, each once, in order; or
* `missed`: the ring no longer holds them, so the reader must look at the present state instead.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batch:
    """What came after a number: `frames`, the `last` one's number, and how many were `missed` before them."""

    frames: tuple[bytes, ...]
    last: int
    missed: int


class Ring:
    """The newest frames of one epoch; numbers start at 1 and are never given out twice."""

    def __init__(self, epoch: str, *, most_frames: int = 20_000, most_bytes: int = 32 * 1024 * 1024) -> None:
        self.epoch = epoch
        self.last = 0
        self.bytes = 0
        self._frames: deque[bytes] = deque()
        self._most_frames = most_frames
        self._most_bytes = most_bytes

    @property
    def first(self) -> int:
        """The oldest number still held; `last` + 1 while nothing is."""
        return self.last - len(self._frames) + 1

    def publish(self, payload: bytes) -> int:
        """Number one event and keep it, letting go of the oldest beyond the bounds; returns its number."""
        self.last += 1
        frame = b"id: " + self.id_of(self.last).encode() + b"\ndata: " + payload + b"\n\n"
        self._frames.append(frame)
        self.bytes += len(frame)
        while len(self._frames) > self._most_frames or (
            self.bytes > self._most_bytes and len(self._frames) > 1
        ):
            self.bytes -= len(self._frames.popleft())
        return self.last

    def after(self, number: int, *, most_frames: int = 1_000, most_bytes: int = 256 * 1024) -> Batch:
        """The frames after `number`, as many as fit (at least one)."""
        missed = max(0, self.first - 1 - number)
        start = number + missed - self.first + 1
        chosen: list[bytes] = []
        size = 0
        for index in range(start, min(len(self._frames), start + most_frames)):
            frame = self._frames[index]
            if chosen and size + len(frame) > most_bytes:
                break
            chosen.append(frame)
            size += len(frame)
        return Batch(tuple(chosen), number + missed + len(chosen), missed)

    def id_of(self, number: int) -> str:
        """The number as clients see it."""
        return f"{self.epoch}-{number}"

    def number_of(self, last_event_id: str) -> int | None:
        """The number a client resumes after; None if it is malformed, another epoch's, or not held (any more)."""
        epoch, _, digits = last_event_id.rpartition("-")
        if epoch != self.epoch or not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
            return None
        number = int(digits)
        return number if self.first - 1 <= number <= self.last else None
