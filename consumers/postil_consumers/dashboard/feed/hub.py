"""Broadcasts events from the Kafka thread to all connections of the feed, through one ring buffer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import NotRequired  # pydantic needs this TypedDict before Python 3.12

import orjson
from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

from postil_consumers.dashboard.feed.ring import Ring

MIN_WAKE_INTERVAL = 0.03
"""Minimum seconds between two wake-ups, so that a burst is sent in few writes. A single event is sent at once."""
HEARTBEAT = 15.0
"""Seconds without an event after which ``alive`` shows that the connection works."""


class FeedNotice(TypedDict):
    """The data of ``hello``, ``reset`` and ``lag``: the feed's epoch, and the number of the last event before it."""

    epoch: str
    at: int
    missed: NotRequired[int]


class Hub:
    """The feed of one server. Call every method on the event loop's thread."""

    def __init__(self, *, max_frames: int = 20_000, heartbeat: float = HEARTBEAT) -> None:
        self._max_frames = max_frames
        self._heartbeat = heartbeat
        self._wake_up = asyncio.Event()
        self._woken_at = 0.0
        self._wake_planned = False
        self.closed = False
        self.readers = 0
        self.ring = self._new_ring()

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Send events to every reader, in this order."""
        for payload in payloads:
            self.ring.publish(payload)
        self._wake_soon()

    def restart(self) -> None:
        """Begin a new epoch: events may have been missed, so every reader must fetch the present state."""
        self.ring = self._new_ring()
        self._wake()

    def close(self) -> None:
        """End every stream after the events that it still has to send."""
        self.closed = True
        self._wake()

    async def stream(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Yield one reader's server-sent events until the hub closes.

        The first is ``hello`` (connected, nothing was missed) or ``reset`` (fetch the present state).
        ``lag`` reports that this reader was too slow and how many events it `missed`.
        Each of the three has the id to continue from.
        """
        self.readers += 1
        try:
            ring = self.ring
            number = None if last_event_id is None else ring.number_of(last_event_id)
            if number is None:
                number = ring.last
                yield _notice(ring, "hello" if last_event_id is None else "reset", number)
            else:
                yield _notice(ring, "hello", number)
            while True:
                wake_up = self._wake_up  # read before the ring, so that no event is missed in between
                if ring is not self.ring:
                    ring = self.ring
                    number = ring.last
                    yield _notice(ring, "reset", number)
                    continue
                batch = ring.after(number)
                if batch.missed:
                    number = ring.last
                    yield _notice(ring, "lag", number, missed=batch.missed + len(batch.frames))
                elif batch.frames:
                    number = batch.last
                    yield b"".join(batch.frames)
                elif self.closed:
                    return
                else:
                    try:
                        async with asyncio.timeout(self._heartbeat):
                            await wake_up.wait()
                    except TimeoutError:
                        yield b"event: alive\ndata: {}\n\n"
        finally:
            self.readers -= 1

    def _new_ring(self) -> Ring:
        return Ring(secrets.token_hex(6), max_frames=self._max_frames)

    def _wake_soon(self) -> None:
        loop = asyncio.get_running_loop()
        wait = self._woken_at + MIN_WAKE_INTERVAL - loop.time()
        if wait <= 0:
            self._wake()
        elif not self._wake_planned:
            self._wake_planned = True
            loop.call_later(wait, self._wake)

    def _wake(self) -> None:
        self._wake_planned = False
        self._woken_at = asyncio.get_running_loop().time()
        wake_up, self._wake_up = self._wake_up, asyncio.Event()
        wake_up.set()


def _notice(ring: Ring, kind: str, number: int, missed: int | None = None) -> bytes:
    notice: FeedNotice = {"epoch": ring.epoch, "at": number}
    if missed is not None:
        notice["missed"] = missed
    body = orjson.dumps(notice)
    head = f"event: {kind}\nretry: 1000\n"
    return head.encode() + b"id: " + ring.id_of(number).encode() + b"\ndata: " + body + b"\n\n"
