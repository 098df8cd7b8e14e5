"""Where the tap's thread meets the readers: one ring, one wake-up for all of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import NotRequired  # pydantic needs this TypedDict before Python 3.12

import orjson
from typing_extensions import TypedDict

from postil_consumers.dashboard.feed.ring import Ring

BREATH = 0.03
"""Seconds between two wake-ups: after a quiet moment an event goes out at once, a burst as a few writes."""
HEARTBEAT = 15.0
"""Seconds of silence after which an ``alive`` event shows that the line is up."""


class FeedNotice(TypedDict):
    """The data of ``hello``, ``reset`` and ``lag``: the feed's epoch, and the number of the last event before it."""

    epoch: str
    at: int
    missed: NotRequired[int]


class Hub:
    """The feed of one server; every method is called on the event loop's thread."""

    def __init__(self, *, most_frames: int = 20_000, heartbeat: float = HEARTBEAT) -> None:
        self._most_frames = most_frames
        self._heartbeat = heartbeat
        self._changed = asyncio.Event()
        self._woken = 0.0
        self._wake_planned = False
        self.closed = False
        self.readers = 0
        self.ring = self._new_ring()

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Give events to every reader, in this order."""
        for payload in payloads:
            self.ring.publish(payload)
        self._wake_soon()

    def restart(self) -> None:
        """Begin a new epoch: something may have been missed, so every reader must look anew."""
        self.ring = self._new_ring()
        self._wake()

    def close(self) -> None:
        """End every stream after what it still has to send."""
        self.closed = True
        self._wake()

    async def stream(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """One reader's server-sent events, until the hub closes.

        It begins with ``hello`` (the line is up, nothing was missed) or ``reset`` (look anew);
        ``lag`` says that this reader was too slow and `missed` events; both carry the id to go on from.
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
                changed = self._changed  # taken before looking, so that nothing slips in between
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
                            await changed.wait()
                    except TimeoutError:
                        yield b"event: alive\ndata: {}\n\n"
        finally:
            self.readers -= 1

    def _new_ring(self) -> Ring:
        return Ring(secrets.token_hex(6), most_frames=self._most_frames)

    def _wake_soon(self) -> None:
        loop = asyncio.get_running_loop()
        rest = self._woken + BREATH - loop.time()
        if rest <= 0:
            self._wake()
        elif not self._wake_planned:
            self._wake_planned = True
            loop.call_later(rest, self._wake)

    def _wake(self) -> None:
        self._wake_planned = False
        self._woken = asyncio.get_running_loop().time()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _notice(ring: Ring, kind: str, number: int, missed: int | None = None) -> bytes:
    notice: FeedNotice = {"epoch": ring.epoch, "at": number}
    if missed is not None:
        notice["missed"] = missed
    body = orjson.dumps(notice)
    head = f"event: {kind}\nretry: 1000\n"
    return head.encode() + b"id: " + ring.id_of(number).encode() + b"\ndata: " + body + b"\n\n"
